"""The database: its engine, its transactions and its write lock.

:meth:`Database.read` and :meth:`Database.write` are the only ways in. A connection that reads refuses to write, and one
that writes holds the lock, so that no caller can forget it.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, select, text
from sqlalchemy.exc import DisconnectionError, OperationalError

from triof.common.paths import MIGRATIONS
from triof.storage import database_errors
from triof.storage.database_errors import DatabaseUnusable
from triof.storage.database_file import BUSY_SECONDS, DatabaseFile, identity, sqlite_path
from triof.storage.tables import Event


class Database:
    """Reads and writes the tables; safe to use from many threads. Each method raises SQLAlchemyError."""

    def __init__(self, url: str | URL, machine_id: str) -> None:
        self._engine = _open_engine(url)
        # Of databases that know such a thing; for SQLite see _prepare.
        self._read_only = self._engine.execution_options(postgresql_readonly=True)
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        self._busy_seconds = float(str(self._engine.url.query.get("timeout", BUSY_SECONDS)))
        # In this process: where many threads wait for SQLite's lock, some of them starve.
        self._lock = Lock()
        self.path = sqlite_path(url)
        """The file of the database; None where it is none."""
        self.machine_id = machine_id
        """The machine that writes; it stands on each of its rows."""

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that cannot write."""
        with self._read_only.connect() as connection:
            yield connection

    @contextmanager
    def write(self, patience: float | None = None) -> Iterator[Connection]:
        """A transaction under the write lock, committed at the end or, after an exception, rolled back.

        Waits for other programs for ``patience`` seconds at most (None: the URL's ``timeout``, or 5), with the threads
        of this process for 5 at most, then raises OperationalError. With SQLite nobody else writes meanwhile; another
        database lets other programs write.
        """
        patience = self._busy_seconds if patience is None else patience
        longest = max(patience, BUSY_SECONDS)
        deadline = time.monotonic() + longest
        if not self._lock.acquire(timeout=longest):
            raise _locked()
        try:
            patience = max(0.0, min(patience, deadline - time.monotonic()))
            with self._engine.connect() as connection, self._transaction(connection, patience):
                yield connection
        finally:
            self._lock.release()

    def upgrade(self) -> None:
        """Bring the tables to the newest version; a SQLite file that is not there is made.

        Raises DatabaseUnusable where the tables are newer, SQLAlchemyError, OSError.
        """
        if self.path:
            DatabaseFile(self.path).create()
        # Without asking for the right to write, which another program may have at the moment.
        if self.check_version() == known_versions()[-1]:
            return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check_version(self) -> str | None:
        """The version of the tables; None where there are none. Raises DatabaseUnusable, SQLAlchemyError.

        DatabaseUnusable where a newer Triof has made them.
        """
        with self.read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if version and version not in known_versions():
            raise database_errors.newer(str(self.path or self._engine.url), version, known_versions()[-1])
        return version

    def ping(self) -> None:
        """Raise SQLAlchemyError if the database does not answer or its tables are missing."""
        with self.read() as connection:
            connection.execute(select(Event.id).limit(1))

    def unusable(self, error: BaseException) -> DatabaseUnusable:
        """What to say of an ``error`` that this database has raised; it holds no password."""
        if self.path:
            return database_errors.of_file(self.path, error)
        return database_errors.of_database(type(error).__name__)

    def close(self) -> None:
        """Close every connection; the next one is opened when it is needed."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, connection: Connection, patience: float) -> Iterator[None]:
        try:
            with connection.begin():
                if self._is_sqlite:
                    _set(connection, patience, query_only=False)
                    # Its driver would begin with the first change, after what was read to decide on it.
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield
        finally:
            if self._is_sqlite:
                _set(connection, self._busy_seconds, query_only=True)
                connection.rollback()


def known_versions() -> Sequence[str]:
    """The versions of the tables that this Triof can use or bring to the newest one, the oldest first."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*_*.py"))


def _set(connection: Connection, busy_seconds: float, *, query_only: bool) -> None:
    connection.exec_driver_sql(f"PRAGMA busy_timeout={busy_seconds * 1000:.0f}")
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if query_only else 'OFF'}")


def _locked() -> OperationalError:
    """What SQLite raises where another program writes for too long, for a thread of this one that does."""
    cause = sqlite3.OperationalError("database is locked")
    cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return OperationalError("BEGIN IMMEDIATE", None, cause)


def _open_engine(url: str | URL) -> Engine:
    # What is written holds keys' digests and people's names, and an error's message ends up in the log.
    engine = create_engine(url, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
    if path := sqlite_path(url):
        _follow(engine, path)
    return engine


def _follow(engine: Engine, path: Path) -> None:
    """Let each connection belong to the file at ``path``, and never make one."""

    def only_what_is_there(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
        arguments[:] = [f"{path.as_uri()}?mode=rw"]
        options["uri"] = True

    def remember(_connection: Any, record: Any) -> None:
        record.info["file"] = identity(path)

    def is_still_there(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info.get("file") != identity(path):
            raise DisconnectionError("the database's file is another one now")

    event.listen(engine, "do_connect", only_what_is_there)
    event.listen(engine, "connect", remember)
    event.listen(engine, "checkout", is_still_there)


def _prepare(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # FULL, because with NORMAL a power cut may take the last commits along, and those are people's confirmations.
    cursor.execute("PRAGMA synchronous=FULL")
    # Kept in the file. SQLite does not wait for others here, and then another process is about to switch it.
    with suppress(sqlite3.OperationalError):
        cursor.execute("PRAGMA journal_mode=WAL")
    # Until Database.write turns it off for a transaction.
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()
