"""Photos that wait to be judged for the API, and stored predictions, of a period: counted and removed."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from sqlalchemy import Table, func, select

from triof.journal.scope import Scope
from triof.predictions.queue import FOLDER, TRIES
from triof.storage.database import Database
from triof.storage.tables import JobRow

_JOBS = cast(Table, JobRow.__table__)


def waiting_photos(home: Path, scope: Scope) -> Mapping[Path, datetime]:
    """Return the files of queued photos that were received in the period, half written ones included, with the time."""
    found = {}
    for path in (home / FOLDER).glob("*"):
        if any(suffix in path.name for suffix in TRIES):
            with suppress(OSError):  # judged and removed meanwhile
                found[path] = datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    return {path: at for path, at in found.items() if scope.since <= at < scope.until}


def stored_predictions(database: Database, scope: Scope) -> int:
    """Return the number of stored predictions, queued ones included. Raises SQLAlchemyError."""
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(_JOBS).where(*scope.of(JobRow))) or 0


def erase(database: Database, scope: Scope) -> int:
    """Remove the predictions of the period, also those still queued; returns their number. Raises SQLAlchemyError."""
    with database.write() as connection:
        return connection.execute(_JOBS.delete().where(*scope.of(JobRow))).rowcount
