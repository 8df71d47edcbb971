"""Reserves disk space in the home folder, so that a machine with a full disk stops cleanly and recovers by itself.

The reserve is a file. While it is complete, a deposit's writes have space. When only the reserve is left, the oldest
photos are removed; if that is not enough, no new deposit begins (:attr:`DiskRoom.is_full`) and the reserve is
freed for pending writes. It is restored when there is space again.
"""

import os
import shutil
import time
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
"""Upper limit of the reserve's share of a small disk."""

Prune = Callable[[int], int]
"""Removes expendable files of up to so many bytes; returns the bytes freed."""


class DiskRoom:
    """The reserve of a ``home`` folder; ``prunes`` free space, called in order."""

    def __init__(
        self,
        home: Path,
        prunes: Sequence[Prune] = (),
        reserve_bytes: int = 4_194_304,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reserve_bytes = reserve_bytes
        self._home = home
        self._path = home / FILE
        self._prunes = prunes
        self._folder = self._look_at_folder()
        self._complaints = Complaints(log)
        self._clock = clock
        self._looked_at = clock()
        self.is_full = False

    def seconds_since_look(self) -> float:
        """Return the seconds since the last :meth:`look` began."""
        return self._clock() - self._looked_at

    def look(self) -> bool:
        """Return whether there is space, after freeing some if needed. Raises OSError if there is no folder."""
        self._looked_at = self._clock()
        if self._look_at_folder() != self._folder:
            # The disk was unmounted or the folder moved, so the folder at this path must not be filled.
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
        """Free the reserve for pending writes."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def fault(self) -> DatabaseUnusable:
        """Return the error for a full disk."""
        return database_errors.full(self._home)

    def _is_kept(self, reserve: int) -> bool:
        try:
            return self._path.stat().st_size >= reserve
        except OSError:
            return False

    def _keep(self, reserve: int) -> bool:
        """Fill the reserve if it is incomplete; returns False if there is no space."""
        if self._is_kept(reserve):
            return True
        try:
            with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                # Random bytes, as some file systems store zeros sparsely.
                file.write(os.urandom(reserve))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self.give_way()
            if is_no_room(error):
                return False
            # The writes that follow report other faults of the folder.
            self._complaints.failed("reserve.not_kept", error)
        return True

    def _look_at_folder(self) -> tuple[int, int]:
        found = self._home.stat()
        return found.st_dev, found.st_ino

    def _free(self) -> int:
        return shutil.disk_usage(self._home).free
