"""The copies of the journal on this machine: daily backups, and journals that were set aside, replaced or rescued."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from triof.common.errors import TriofError
from triof.journal.backups import JournalBackups
from triof.journal.scope import Scope
from triof.privacy import deposit_rows
from triof.privacy.deposit_rows import AnonymousRows
from triof.settings.tree import Settings
from triof.statistics.calendar import Calendar
from triof.storage.database_file import DatabaseFile


class CopyUnreadable(TriofError):
    """A copy of the journal cannot be read or written."""


def all_of(settings: Settings, path: Path) -> Sequence[Path]:
    """Return the copies of the journal at ``path``, backups first."""
    backups = [backup.path for backup in JournalBackups(settings, path).all()]
    return [*backups, *(aside for aside in sorted(path.parent.glob(f"{path.stem}.*-*.db")) if aside not in backups)]


def being_written(settings: Settings, path: Path) -> bool:
    """Return whether a backup is being made now."""
    return any(JournalBackups(settings, path).folder.glob(f".{path.stem}-*.part"))


def deposits(path: Path, scope: Scope) -> int:
    """Return the number of deposits of the period in the copy at ``path``. Raises CopyUnreadable."""
    with _opened(path) as connection:
        return len(deposit_rows.of_period(connection, scope))


def anonymise(path: Path, scope: Scope, calendar: Calendar) -> AnonymousRows:
    """Make the deposits of the period anonymous in the copy at ``path``, all or none. Raises CopyUnreadable."""
    changed = AnonymousRows()
    with _opened(path) as connection:
        before = path.stat()
        with connection.begin():
            for batch in deposit_rows.in_batches(deposit_rows.of_period(connection, scope)):
                changed.add(deposit_rows.anonymise(connection, batch, calendar))
    if changed.deposits:
        empty_wal(path)
        # The time of a backup is that of its file.
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return changed


def empty_wal(path: Path) -> bool:
    """Move what is in the ``-wal`` of the database at ``path`` into the file; returns whether all could be moved."""
    with closing(DatabaseFile(path).connect()) as connection:
        (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy


@contextmanager
def _opened(path: Path) -> Iterator[Connection]:
    # Not a Database, which would switch the copy to WAL and leave two more files beside it.
    engine = create_engine(
        "sqlite://", creator=DatabaseFile(path.absolute()).connect, poolclass=NullPool, hide_parameters=True
    )
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("events"):
                raise CopyUnreadable(f"{path} is no journal of Triof.")
            connection.rollback()
            yield connection
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise CopyUnreadable(f"{path} cannot be read and written ({cause}).") from error
    finally:
        engine.dispose()
