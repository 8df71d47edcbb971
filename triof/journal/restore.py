"""Restores the journal from a copy, and keeps the former journal beside it.

SQLite writes the copy into the journal's file in one transaction: other programs that have the file open see the
new content, and a power cut leaves the old one.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from triof.common.errors import TriofError
from triof.settings.tree import Settings
from triof.storage import data_folder, database_errors
from triof.storage.database import known_versions
from triof.storage.database_file import DatabaseFile


class RestoreImpossible(TriofError):
    """A file cannot replace the journal."""


def restore(settings: Settings, path: Path, source: Path) -> Path | None:
    """Replace the journal at ``path`` by ``source``. Returns the path of the former journal, if there was one.

    Raises MachineTaken while a kiosk runs, RestoreImpossible, DatabaseUnusable, HomeUnusable.
    """
    lock = data_folder.take_machine(settings)
    try:
        _check(source, path)
        former = _keep(DatabaseFile(path)) if path.exists() else None
        target = DatabaseFile(path)
        target.create()
        with closing(DatabaseFile(source.absolute()).connect()) as copy, closing(target.connect()) as journal:
            copy.backup(journal)
        data_folder.open_database(settings).close()
    except (OSError, sqlite3.Error) as error:
        raise database_errors.of_file(path, error) from error
    finally:
        lock.release()
    return former


def _check(source: Path, path: Path) -> None:
    if path.exists() and source.samefile(path):
        raise RestoreImpossible(f"{source} is the journal itself: name a copy of it.")
    file = DatabaseFile(source.absolute())
    try:
        if damage := file.damage():
            raise RestoreImpossible(
                f"{source} is damaged ({damage}): choose another copy, or merge what can be read of it with `triof"
                f" journal salvage {source}`."
            )
        with closing(file.connect()) as connection:
            (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except (OSError, sqlite3.Error, TypeError) as error:
        raise RestoreImpossible(f"{source} is no journal of Triof ({error}): name a copy of one.") from error
    if version not in known_versions():
        raise database_errors.newer(str(source), version, known_versions()[-1])


def _keep(file: DatabaseFile) -> Path:
    now = datetime.now(UTC)
    if file.damage():
        return file.set_aside(now)
    file.copy_to(aside := file.aside("replaced", now))
    return aside
