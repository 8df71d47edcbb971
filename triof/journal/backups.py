"""Daily backups of a SQLite journal, checked when made; the settings and the disk limit their number.

The newest backup is always kept.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from providers.event_log import get_logger
from triof.common.errors import TriofError
from triof.settings.tree import Settings
from triof.storage import database_errors
from triof.storage.database_file import DatabaseFile

log = get_logger(__name__)

_DAY = 86_400.0
_SHARE = 0.25
"""Share of the free space, counting that of the backups, which all backups may take."""


class JournalBackup(NamedTuple):
    """A backup: its time (Unix time in seconds), its size in bytes, and its path."""

    at: float
    size: int
    path: Path


class BackupImpossible(TriofError):
    """No backup of the journal can be made."""


class JournalBackups:
    """The backups of the journal at ``path``, in a folder. ``now`` gives Unix time in seconds."""

    def __init__(self, settings: Settings, path: Path, now: Callable[[], float] = time.time) -> None:
        self.folder = settings.journal.backup_folder or settings.home / "backups"
        self._home = settings.home
        self._journal = DatabaseFile(path)
        self._keep_days = settings.journal.keep_backup_days
        self._now = now

    def all(self) -> Sequence[JournalBackup]:
        """Return the backups, the newest first."""
        found = []
        for path in self.folder.glob(f"{self._journal.path.stem}-*.db"):
            with suppress(OSError):
                status = path.stat()
                found.append(JournalBackup(status.st_mtime, status.st_size, path))
        return sorted(found, reverse=True)

    def is_late(self, days: float) -> bool:
        """Return whether the newest backup is older than ``days``; False if the settings disable backups."""
        newest = next(iter(self.all()), None)
        return self._keep_days > 0 and not (newest and 0 <= self._now() - newest.at < days * _DAY)

    def take_if_due(self) -> None:
        """Make today's backup unless it exists. Raises BackupImpossible."""
        if self.is_late(1):
            self.take()

    def take(self) -> Path:
        """Make a backup now, remove old ones, and return its path. Raises BackupImpossible."""
        if not self._journal.path.exists():
            raise BackupImpossible(f"There is no journal {self._journal.path} to be backed up.")
        moment = datetime.fromtimestamp(self._now()).astimezone()
        target = self.folder / f"{self._journal.path.stem}-{moment:%Y-%m-%d-%H%M%S}.db"
        try:
            self.folder.mkdir(0o700, exist_ok=True)
            allowed = self._make_place()
            self.copy(target)
        except OSError as error:
            raise self._impossible(error.strerror or str(error)) from error
        self._prune(allowed)
        log.info("journal.backed_up", path=target)
        return target

    def copy(self, target: Path) -> None:
        """Write a checked copy to ``target`` atomically. Raises BackupImpossible, OSError."""
        fresh = target.with_name(f".{target.name}.part")
        fresh.unlink(missing_ok=True)
        try:
            self._journal.copy_to(fresh)
            if damage := DatabaseFile(fresh).damage():
                raise BackupImpossible(_damaged(self._journal.path, damage))
            os.utime(fresh, (self._now(), self._now()))
            fresh.replace(target)
        except sqlite3.Error as error:
            raise BackupImpossible(str(database_errors.of_file(self._journal.path, error))) from error
        finally:
            fresh.unlink(missing_ok=True)

    def make_room(self, wanted: int) -> int:
        """Remove the oldest backups, except the newest, until ``wanted`` bytes are freed; returns the bytes freed."""
        freed = 0
        with suppress(OSError):
            if self.folder.stat().st_dev != self._home.stat().st_dev:
                return 0
            for backup in reversed(self.all()[1:]):
                if freed < wanted:
                    backup.path.unlink()
                    freed += backup.size
        return freed

    def _make_place(self) -> float:
        """Remove backups to make room for the next one. Returns how many bytes all backups may take."""
        needed = sum(part.stat().st_size for part in self._journal.parts if part.exists())
        allowed = (shutil.disk_usage(self.folder).free + sum(backup.size for backup in self.all())) * _SHARE
        self._prune(allowed - needed)
        if needed > min(allowed, shutil.disk_usage(self.folder).free):
            raise self._impossible(f"{needed / 1e6:,.0f} MB would take more than a quarter of what is free")
        return allowed

    def _prune(self, allowed: float) -> None:
        kept = 0
        for number, backup in enumerate(self.all()):
            kept += backup.size
            if number and (kept > allowed or self._now() - backup.at > self._keep_days * _DAY):
                with suppress(OSError):
                    backup.path.unlink()

    def _impossible(self, cause: str) -> BackupImpossible:
        return BackupImpossible(
            f"The journal cannot be backed up into {self.folder} ({cause}): make room there, or name another folder"
            " with journal.backup_folder."
        )


def _damaged(path: Path, damage: str) -> str:
    return (
        f"The journal {path} is damaged ({damage}): stop the kiosk, then `triof journal salvage` moves what can be"
        " read of it into a new one."
    )
