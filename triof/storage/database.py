"""The database: its engine, its transactions and its write lock.

:meth:`Database.read` and :meth:`Database.write` are the only access. A read connection refuses to write, and a write
connection holds the lock, so that no caller can bypass it.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect, make_url, select, text
from sqlalchemy.exc import DisconnectionError, OperationalError, StatementError

from triof.common.paths import MIGRATIONS
from triof.storage import database_errors
from triof.storage.database_errors import DatabaseUnusable
from triof.storage.database_file import BUSY_SECONDS, DatabaseFile, identity, sqlite_path
from triof.storage.tables import Event

_WRITERS = 0x7269_6F66
"""PostgreSQL's number for the lock of those who write; any number that no other program in the database uses."""


class Database:
    """Reads and writes the tables. Thread-safe. Each method raises SQLAlchemyError."""

    def __init__(self, url: str | URL, machine_id: str) -> None:
        self._engine = _open_engine(url)
        # For databases that support it; for SQLite see _prepare.
        self._read_only = self._engine.execution_options(postgresql_readonly=True)
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        self._is_postgresql = self._engine.dialect.name == "postgresql"
        self._busy_seconds = float(str(self._engine.url.query.get("timeout", BUSY_SECONDS)))
        # Serialises the threads of this process, some of which would starve waiting for SQLite's lock.
        self._lock = Lock()
        self.path = sqlite_path(url)
        """The file of the database; None if it is not a file."""
        self.machine_id = machine_id
        """The id of the machine, stored in each of its rows."""

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a read-only connection."""
        with self._read_only.connect() as connection:
            yield connection

    @contextmanager
    def write(self, patience: float | None = None, *, alone: bool = False) -> Iterator[Connection]:
        """Yield a transaction under the write lock; commits at the end, rolls back after an exception.

        Waits for other programs at most ``patience`` seconds or the URL's ``timeout`` (5), whichever is less, and at
        most 5 for threads of this process, then raises OperationalError. With SQLite the lock excludes all other
        writers; with PostgreSQL those of other processes only if ``alone``.
        """
        patience = self._busy_seconds if patience is None else min(patience, self._busy_seconds)
        longest = max(patience, BUSY_SECONDS)
        deadline = time.monotonic() + longest
        if not self._lock.acquire(timeout=longest):
            raise _locked()
        try:
            patience = max(0.0, min(patience, deadline - time.monotonic()))
            with self._engine.connect() as connection, self._transaction(connection, patience, alone):
                yield connection
        finally:
            self._lock.release()

    def upgrade(self) -> None:
        """Upgrade the tables to the newest version; creates a missing SQLite file.

        Raises DatabaseUnusable if the tables are newer, SQLAlchemyError, OSError.
        """
        if self.path:
            DatabaseFile(self.path).create()
        # Checked without the write lock, which another program may hold.
        if self.check_version() == known_versions()[-1]:
            return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.write(alone=True) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check_version(self) -> str | None:
        """Return the version of the tables; None if there are none.

        Raises DatabaseUnusable if a newer Triof made them, SQLAlchemyError.
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
        """Return the error for an ``error`` that this database raised; its message contains no password."""
        if self.path:
            return database_errors.of_file(self.path, error)
        return database_errors.of_database(type(error).__name__)

    def close(self) -> None:
        """Close all connections; later calls open new ones."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, connection: Connection, patience: float, alone: bool) -> Iterator[None]:
        try:
            with connection.begin():
                if self._is_postgresql:
                    _take_lock(connection, patience, alone)
                if self._is_sqlite:
                    _set(connection, patience, query_only=False)
                    # The driver would start the transaction only at the first change, after the reads that lead to it.
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield
        finally:
            if self._is_sqlite:
                _set(connection, self._busy_seconds, query_only=True)
                connection.rollback()


def known_versions() -> Sequence[str]:
    """Return the table versions that this Triof can use or upgrade, the oldest first."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*_*.py"))


def _set(connection: Connection, busy_seconds: float, *, query_only: bool) -> None:
    connection.exec_driver_sql(f"PRAGMA busy_timeout={busy_seconds * 1000:.0f}")
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if query_only else 'OFF'}")


def _take_lock(connection: Connection, patience: float, alone: bool) -> None:
    """Take PostgreSQL's lock of writers until the end of the transaction, shared unless ``alone``.

    0 would mean to wait for ever. Locks of rows are waited for as long as this one.
    """
    milliseconds = max(1, round(patience * 1000))
    connection.execute(select(func.set_config("lock_timeout", f"{milliseconds}ms", True)))
    lock = func.pg_advisory_xact_lock if alone else func.pg_advisory_xact_lock_shared
    connection.execute(select(lock(_WRITERS)))


def _locked() -> OperationalError:
    """Return SQLite's error for a lock timeout, for a wait on a thread of this process."""
    cause = sqlite3.OperationalError("database is locked")
    cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return OperationalError("BEGIN IMMEDIATE", None, cause)


def _open_engine(url: str | URL) -> Engine:
    url = make_url(url)
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(
        url,
        # Parameters include key digests and people's names, and error messages are logged.
        hide_parameters=True,
        # A connection that a restarted server has closed is replaced before it is used; a file needs no question.
        pool_pre_ping=url.get_backend_name() != "sqlite",
        json_serializer=_to_json,
    )
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
    if path := sqlite_path(url):
        _follow(engine, path)
    return engine


def _to_json(value: Any) -> str:
    """Return the text of a JSON column. Raises StatementError for NaN and infinity, which JSON does not know."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError as error:
        # The driver of PostgreSQL calls this itself, where SQLAlchemy does not translate errors.
        raise StatementError(str(error), None, None, error) from error


def _follow(engine: Engine, path: Path) -> None:
    """Bind each connection to the file at ``path``, and never create one."""

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
    # FULL, as with NORMAL a power cut may lose the last commits, such as employees' confirmations.
    cursor.execute("PRAGMA synchronous=FULL")
    # Stored in the file. SQLite does not wait for locks here; on a conflict another process sets it.
    with suppress(sqlite3.OperationalError):
        cursor.execute("PRAGMA journal_mode=WAL")
    # Database.write turns it off for a transaction.
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()
