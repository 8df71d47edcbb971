"""Opens or creates the machine's home folder and its database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from triof.common.atomic_files import replace_file
from triof.common.errors import TriofError
from triof.settings.tree import Settings
from triof.storage import database_errors
from triof.storage.database_errors import DatabaseUnusable

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from sqlalchemy import URL

    from triof.storage.database import Database


_LONGEST_ID = 64


class HomeUnusable(TriofError):
    """The home folder cannot be made or written to."""


class MachineTaken(TriofError):
    """Another process runs the machine."""


def open_database(settings: Settings) -> Database:
    """Open the database and upgrade its tables. Raises HomeUnusable, DatabaseUnusable."""
    opened = find_database(settings)
    with _translated_errors(settings):
        opened.upgrade()
    return opened


def file_unusable(path: Path, error: OSError) -> HomeUnusable:
    """Return the error for a file that Triof made in the home folder and that raises ``error``."""
    return HomeUnusable(
        f"{path} cannot be used ({error.strerror or error}): let this user read and write it, or move it away, so that"
        " a new one is made."
    )


def find_database(settings: Settings) -> Database:
    """Return the database without opening it. Raises HomeUnusable, DatabaseUnusable."""
    from triof.storage.database import Database

    make(settings)
    machine_id = settings.machine_id or _own_machine_id(settings.home)
    with _translated_errors(settings):
        return Database(_database_url(settings), machine_id)


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """Yield the database for a command. Raises HomeUnusable, and DatabaseUnusable for later errors as well."""
    from sqlalchemy.exc import SQLAlchemyError

    opened = open_database(settings)
    try:
        yield opened
    except SQLAlchemyError as error:
        raise _unusable_database(settings, error) from None
    finally:
        opened.close()


@contextmanager
def existing_database(settings: Settings) -> Iterator[Database | None]:
    """Yield the database without changing it; None if it has no tables yet.

    Creates nothing, unlike :func:`database`. Raises HomeUnusable, and DatabaseUnusable for later errors as well.
    """
    path = database_path(settings)
    if path and not path.exists():
        yield None
        return
    found = find_database(settings)
    try:
        with _translated_errors(settings):
            yield found if found.check_version() else None
    finally:
        found.close()


def database_path(settings: Settings) -> Path | None:
    """Return the path of the database, which may not exist yet; None if it is not a file."""
    from triof.storage.database_file import sqlite_path

    with _translated_errors(settings):
        return sqlite_path(_database_url(settings))


def take_machine(settings: Settings) -> BaseFileLock:
    """Acquire the lock for running the machine or changing what it uses; the caller releases it.

    Raises MachineTaken if another process holds it, HomeUnusable.
    """
    from filelock import FileLock, Timeout

    make(settings)
    lock = FileLock(settings.home / "machine.lock", mode=0o600)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise MachineTaken(
            f"Another kiosk runs the machine of {settings.home}: end it first, or set TRIOF_HOME to another folder."
        ) from error
    except OSError as error:
        raise unusable(settings, error) from error
    return lock


def is_machine_taken(settings: Settings) -> bool:
    """Return whether a kiosk runs the machine of the home folder."""
    try:
        take_machine(settings).release()
    except MachineTaken:
        return True
    return False


def make(settings: Settings) -> None:
    """Create the home folder if it is missing. Raises HomeUnusable."""
    try:
        settings.home.mkdir(0o700, parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise unusable(settings, error) from error


def unusable(settings: Settings, error: Exception) -> HomeUnusable:
    """Return the error for a home folder that raises ``error``, or whose file does."""
    name = getattr(error, "filename", None)
    if isinstance(error, OSError) and name and os.access(settings.home, os.R_OK | os.W_OK | os.X_OK):
        return file_unusable(Path(name), error)
    return HomeUnusable(
        f"The home folder {settings.home} cannot be used ({getattr(error, 'strerror', None) or error}): set TRIOF_HOME"
        " to a folder that this user may write."
    )


def _own_machine_id(home: Path) -> str:
    """Return the id made at the machine's first start, as a host name may change."""
    path = home / "machine_id"
    try:
        if not path.exists() or not path.read_bytes().strip():
            replace_file(path, f"{uuid4()}\n".encode())
        found = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _spoilt_id(path, getattr(error, "strerror", None) or "it is not text") from error
    if not found.isprintable() or len(found) > _LONGEST_ID:
        raise _spoilt_id(path, f"it is not one line of {_LONGEST_ID} characters at most")
    return found


def _spoilt_id(path: Path, reason: str) -> HomeUnusable:
    return HomeUnusable(
        f"The machine's id cannot be read from {path} ({reason}): write the id into it that stands on the rows of the"
        " journal, or set machine_id."
    )


def _database_url(settings: Settings) -> URL:
    from sqlalchemy import URL, make_url

    from triof.storage.database_file import sqlite_path

    if not settings.journal.url:
        return URL.create("sqlite", database=str(settings.home / "journal.db"))
    url = make_url(settings.journal.url.get_secret_value())
    if (path := sqlite_path(url)) and not path.parent.is_dir():
        raise DatabaseUnusable(f"There is no folder {path.parent} for the journal: make it, or mend journal.url.", "J4")
    return url


@contextmanager
def _translated_errors(settings: Settings) -> Iterator[None]:
    try:
        yield
    except TriofError:
        raise
    # Each driver has its own errors, and a malformed URL may raise anything.
    except Exception as error:
        # Without the chain, as the driver's message may contain the password.
        raise _unusable_database(settings, error) from None


def _unusable_database(settings: Settings, error: Exception) -> DatabaseUnusable:
    from sqlalchemy.exc import NoSuchModuleError

    from triof.storage.database_file import sqlite_path

    try:
        path = sqlite_path(_database_url(settings))
    except Exception:  # a malformed URL, which the message reports
        path = None
    if path:
        return database_errors.of_file(path, error)
    # A part of the password may have been parsed as the host or the port.
    harmless = isinstance(error, ImportError | NoSuchModuleError)
    return database_errors.of_database(str(error) if harmless else type(error).__name__)
