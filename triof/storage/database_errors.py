"""Errors of the database: a short code for the touchscreen, a message for the technician.

The messages call it the journal, as the settings, the commands and its file name do.

=====  =========================================================
code   the database
=====  =========================================================
D1     does not fit on its disk, which is full
J1     is no longer where it was opened: deleted, moved, replaced
J2     is locked by another program
J3     is damaged: SQLite said so of its content
J4     must not be read or written by this user, or is no file
J5     does not answer: its database, disk or address
J6     was written by a newer version of Triof
=====  =========================================================
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from triof.common.atomic_files import is_no_room
from triof.common.errors import TriofError

if TYPE_CHECKING:
    from sqlalchemy.exc import SQLAlchemyError

DatabaseCode = Literal["D1", "J1", "J2", "J3", "J4", "J5", "J6"]
PASSING: frozenset[DatabaseCode] = frozenset({"D1", "J2", "J3"})
"""Codes from which a running kiosk can recover by itself."""

_FULL_BYTES = 65_536
"""Free bytes that SQLite needs to open a database; with less, its errors do not name the disk."""

_BY_SQLITE: dict[int, DatabaseCode] = {
    sqlite3.SQLITE_FULL: "D1",
    sqlite3.SQLITE_BUSY: "J2",
    sqlite3.SQLITE_LOCKED: "J2",
    sqlite3.SQLITE_PROTOCOL: "J2",
    sqlite3.SQLITE_CORRUPT: "J3",
    sqlite3.SQLITE_NOTADB: "J3",
    sqlite3.SQLITE_CANTOPEN: "J4",
    sqlite3.SQLITE_PERM: "J4",
    sqlite3.SQLITE_AUTH: "J4",
    sqlite3.SQLITE_READONLY: "J4",
}

_REMEDIES: dict[DatabaseCode, str] = {
    "D1": "make room on the disk of {folder}",
    "J1": "put it back, or start Triof again to use what lies there now",
    "J2": "another program holds it: end that program, or wait until it is done",
    "J3": "a kiosk sets it aside by itself and begins a new one; `triof journal salvage` merges what can be read of it",
    "J4": "let this user read and write {path} and {folder}",
    "J5": "check the disk of {folder}",
}


class DatabaseUnusable(TriofError):
    """The database cannot be read or written; ``code`` is the short reason."""

    def __init__(self, message: str, code: DatabaseCode) -> None:
        super().__init__(message)
        self.code = code


def is_locked(error: SQLAlchemyError) -> bool:
    """Return whether another writer held a lock for longer than the caller wanted to wait."""
    cause = getattr(error, "orig", None)
    # SQLite's code without its extension; PostgreSQL's lock_not_available.
    sqlite, postgresql = getattr(cause, "sqlite_errorcode", 0) & 0xFF, getattr(cause, "sqlstate", "")
    return sqlite in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or postgresql == "55P03"


def missing(path: Path) -> DatabaseUnusable:
    """Return the error for a file that is no longer the one that was opened."""
    return _of_file(path, "J1", "it is no longer the file that was opened: it was deleted, moved or replaced")


def full(folder: Path) -> DatabaseUnusable:
    """Return the error for a full disk of ``folder``, from which Triof can remove nothing more."""
    return DatabaseUnusable(
        f"The disk of {folder} is full: make room. What Triof can do without, it has removed already; it takes items"
        " again by itself.",
        "D1",
    )


def newer(name: str, version: str, known: str) -> DatabaseUnusable:
    """Return the error for a database ``name`` whose table ``version`` is unknown to this Triof."""
    return DatabaseUnusable(
        f"The journal {name} was written by a newer Triof (its tables have version {version}, this one knows {known}):"
        " upgrade Triof, or install again the version that wrote it, and leave the journal where it is.",
        "J6",
    )


def of_file(path: Path, error: BaseException) -> DatabaseUnusable:
    """Return the error for a SQLite database at ``path`` that raises ``error``."""
    if isinstance(error, DatabaseUnusable):
        return error
    cause = getattr(error, "orig", None) or error
    told = str(getattr(cause, "strerror", None) or cause).partition("\n")[0]
    code = _BY_SQLITE.get(getattr(cause, "sqlite_errorcode", -1) & 0xFF, "J5")
    if isinstance(cause, OSError):
        code = "D1" if is_no_room(cause) else "J4"
        if cause.filename and Path(cause.filename) != path and code == "J4":
            # The file is the outbox.
            return DatabaseUnusable(f"{cause.filename} cannot be used ({told}): let this user read and write it.", code)
    if code in ("J4", "J5") and _is_full(path.parent):
        code = "D1"
    elif path.exists() and not path.is_file():
        code, told = "J4", "it is not a file"
    elif code == "J4" and not path.exists() and path.parent.is_dir():
        return missing(path)
    return _of_file(path, code, told)


def of_database(cause: str) -> DatabaseUnusable:
    """Return the error for a database other than SQLite; ``cause`` contains no password."""
    return DatabaseUnusable(
        f"The journal cannot be used ({cause}): mend journal.url, install its driver, or start its database.", "J5"
    )


def _of_file(path: Path, code: DatabaseCode, told: str) -> DatabaseUnusable:
    remedy = _REMEDIES[code].format(path=path, folder=path.parent)
    return DatabaseUnusable(f"The journal {path} cannot be used ({told}): {remedy}.", code)


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _FULL_BYTES
    except OSError:
        return False
