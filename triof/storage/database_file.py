"""The file of a SQLite database: created, opened, watched, checked, copied and set aside.

SQLite keeps writing to an open file after it was deleted, moved or replaced. So a connection belongs to the file that
is at the path when it is opened, and :meth:`DatabaseFile.claim` records the file with its ``-wal`` and ``-shm``, so
that the caller can check whether they are still there.
"""

import errno
import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, make_url

BUSY_SECONDS = 5.0
"""Seconds that a writer waits for another one, unless the URL has a ``timeout``."""
_COMPANIONS = ("-wal", "-shm")
_DAMAGED, _LOST = "damaged", "lost"
FileIdentity = tuple[int, int] | None


def sqlite_path(url: str | URL) -> Path | None:
    """Return the path of a SQLite database; None if it is in memory or another database."""
    url = make_url(url)
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)).absolute() if is_file and "uri" not in url.query else None


class DatabaseFile:
    """The SQLite database at ``path``. Each method raises OSError or sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parts = (path, *(path.with_name(path.name + suffix) for suffix in _COMPANIONS))
        """The file, its ``-wal`` and its ``-shm``."""
        self._keeper: sqlite3.Connection | None = None
        self._claimed: Sequence[FileIdentity] = ()
        self._folder: FileIdentity = None
        self._size = 0

    def create(self) -> bool:
        """Create an empty file, readable only by its owner, if it is missing. Returns whether it was created."""
        try:
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        return True

    def connect(self) -> sqlite3.Connection:
        """Open the existing file; never creates one."""
        uri = f"{self.path.as_uri()}?mode=rw"
        return sqlite3.connect(uri, timeout=BUSY_SECONDS, uri=True, check_same_thread=False)

    @property
    def is_open(self) -> bool:
        """Whether the file was claimed."""
        return self._keeper is not None

    def claim(self) -> None:
        """Record the current file; holds it open, so that SQLite does not remove its ``-wal`` and ``-shm``."""
        self.release()
        keeper = self.connect()
        try:
            keeper.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:
            keeper.close()
            raise
        self._keeper, self._claimed, self._folder = keeper, self._identities(), identity(self.path.parent)
        self._size = self.path.stat().st_size

    def is_claimed(self) -> bool:
        """Return whether the claimed file, ``-wal`` and ``-shm`` are unchanged, or none was claimed."""
        if not self._keeper:
            return True
        try:
            size = self.path.stat().st_size
        except OSError:
            return False
        # Only another program shrinks it, as Triof only appends.
        shrunk, self._size = size < self._size, max(size, self._size)
        # A ``-wal`` or ``-shm`` that was missing may have appeared since.
        same = all(was in (None, now) for was, now in zip(self._claimed, self._identities(), strict=True))
        return same and not shrunk

    def is_replaced(self) -> bool:
        """Return whether another file than the claimed one is at the path."""
        return identity(self.path) not in (None, *self._claimed[:1])

    def release(self) -> None:
        """Release the claim."""
        if self._keeper:
            self._keeper.close()
        self._keeper, self._claimed, self._folder, self._size = None, (), None, 0

    def damage(self) -> str:
        """Return the damage that SQLite finds in the content; empty if none."""
        try:
            with closing(self.connect()) as connection:
                found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                return str(error)
            raise
        return "" if found == ["ok"] else "; ".join(found)

    def copy_to(self, target: Path) -> None:
        """Write the whole content, including the ``-wal``, to a new file readable only by its owner."""
        with closing(self.connect()) as source:
            _copy(source, target)

    def rescue(self, now: datetime) -> Path | None:
        """Write the content of the claimed file to a new file beside it, before it becomes unreachable.

        Returns None if the folder has been replaced as well.
        """
        if not self._keeper or identity(self.path.parent) != self._folder:
            return None
        if shutil.disk_usage(self.path.parent).free < 2 * self._size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path.parent))
        _copy(self._keeper, target := self.aside(_LOST, now))
        if self.is_replaced():
            # SQLite would apply them to the file that is at the path now, and corrupt it.
            for part, claimed in zip(self.parts[1:], self._claimed[1:], strict=True):
                if identity(part) == claimed:
                    part.unlink(missing_ok=True)
        return target

    def set_aside(self, now: datetime) -> Path:
        """Rename the damaged file, ``-wal`` and ``-shm``, so that a new one can be created; returns its new path."""
        aside = self.aside(_DAMAGED, now)
        self.release()
        for part, suffix in zip(self.parts, ("", *_COMPANIONS), strict=True):
            with suppress(FileNotFoundError):
                part.rename(aside.with_name(aside.name + suffix))
        return aside

    def aside(self, why: str, now: datetime) -> Path:
        """Return an unused name beside the file, with the reason and the time."""
        stem = f"{self.path.stem}.{why}-{now.astimezone():%Y-%m-%d-%H%M%S}"
        names = (f"{stem}{number}.db" for number in ("", *(f"-{count}" for count in range(2, 100))))
        return next(path for name in names if not (path := self.path.with_name(name)).exists())

    def left_aside(self) -> Sequence[Path]:
        """Return damaged and rescued databases beside the file that are not salvaged yet, the oldest first."""
        found = [path for why in (_DAMAGED, _LOST) for path in self.path.parent.glob(f"{self.path.stem}.{why}-*.db")]
        return sorted(found, key=lambda path: path.name.partition("-")[2])

    def _identities(self) -> Sequence[FileIdentity]:
        return tuple(identity(part) for part in self.parts)


def _copy(source: sqlite3.Connection, target: Path) -> None:
    DatabaseFile(target).create()
    try:
        with closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
            # A single file, without a ``-wal`` for any later reader.
            copy.execute("PRAGMA journal_mode=DELETE")
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def identity(path: Path) -> FileIdentity:
    """Return device and inode of the file at ``path``; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
