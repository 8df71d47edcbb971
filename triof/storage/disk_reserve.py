"""Room on the disk of the home folder, so that a machine whose disk fills up ends in order and comes back by itself.

A reserve lies on the disk as a file. As long as it is whole, what a deposit writes has room. When the disk is so full
that nothing but the reserve is left, the oldest photos go; if that is not enough, nothing new is taken
(:attr:`DiskRoom.is_full`) and the reserve is given to what is still to be written. Once there is room again, it is put
back.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from providers.event_log import get_logger
from triof.common.atomic_files import is_no_room
from triof.common.repeated_faults import Complaints
from triof.storage import database_errors
from triof.storage.database_errors import DatabaseUnusable

log = get_logger(__name__)

FILE = "reserve"
_SHARE = 0.02
"""The reserve's share of a small disk."""

Prune = Callable[[int], int]
"""Removes files that can be spared, of so many bytes if there are; returns of how many bytes."""


class DiskRoom:
    """The reserve of a ``home`` folder; ``prunes`` make room, the first one first."""

    def __init__(self, home: Path, prunes: Sequence[Prune] = (), reserve_bytes: int = 4_194_304) -> None:
        self._reserve_bytes = reserve_bytes
        self._home = home
        self._path = home / FILE
        self._prunes = prunes
        self._folder = self._look_at_folder()
        self._complaints = Complaints(log)
        self.is_full = False

    def look(self) -> bool:
        """Whether there is room, if need be after making some. Raises OSError where there is no folder."""
        if self._look_at_folder() != self._folder:
            # Its disk was unmounted, or it was moved: what lies there now is not ours to fill.
            return not self.is_full
        reserve = min(self._reserve_bytes, int(shutil.disk_usage(self._home).total * _SHARE))
        missing = reserve - self._free() + (0 if self._is_kept(reserve) else reserve)
        if missing > 0 or not self._keep(reserve):
            for prune in self._prunes:
                missing -= prune(max(missing, reserve))
                if missing <= 0:
                    break
        self.is_full = missing > 0 or not self._keep(reserve)
        if self.is_full:
            self.give_way()
        return not self.is_full

    def give_way(self) -> None:
        """Give the reserve to what is to be written now."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def fault(self) -> DatabaseUnusable:
        """What to say while the disk is full."""
        return database_errors.full(self._home)

    def _is_kept(self, reserve: int) -> bool:
        try:
            return self._path.stat().st_size >= reserve
        except OSError:
            return False

    def _keep(self, reserve: int) -> bool:
        """Fill the reserve unless it is whole; False if there is no room for it."""
        if self._is_kept(reserve):
            return True
        try:
            with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                # Random, as some file systems keep zeros in no room at all.
                file.write(os.urandom(reserve))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self.give_way()
            if is_no_room(error):
                return False
            # What else is wrong with the folder is told by what has to be written there.
            self._complaints.failed("reserve.not_kept", error)
        return True

    def _look_at_folder(self) -> tuple[int, int]:
        found = self._home.stat()
        return found.st_dev, found.st_ino

    def _free(self) -> int:
        return shutil.disk_usage(self._home).free
