"""Stores the photos of deposits as files, named by content hash, with limits on age and size."""

import os
import re
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from providers.event_log import get_logger
from triof.common.repeated_faults import Complaints
from triof.settings.tree import Settings

log = get_logger(__name__)

_DAY = 86_400.0
_SUFFIXES = (".jpg", ".part")
_NAME = re.compile("[0-9a-f]{64}")


class StoredPhoto(NamedTuple):
    """A file of the store: when it was stored (Unix time in seconds), its size in bytes, and its path."""

    stored_at: float
    size: int
    path: Path


class PhotoStore:
    """A folder of JPEGs. ``keep_days`` or ``keep_megabytes`` of 0 keeps none; ``now`` gives Unix time in seconds."""

    def __init__(
        self, folder: Path, keep_days: float, keep_megabytes: float, now: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._keep_days = keep_days
        self._keep_bytes = keep_megabytes * 1e6
        self._now = now
        self._complaints = Complaints(log)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the store of a machine, which keeps nothing if ``privacy.keep_photos`` is ``none``."""
        keep = settings.journal
        days = 0.0 if settings.privacy.keep_photos == "none" else keep.keep_photo_days
        return cls(settings.home / "photos", days, keep.keep_photo_megabytes)

    @property
    def keeps_any(self) -> bool:
        """Whether the limits let any photo be stored."""
        return bool(self._keep_days and self._keep_bytes)

    def path(self, sha256: str) -> Path:
        """Return the path of the photo with this hash, whether or not it is stored."""
        return self._folder / sha256[:2] / f"{sha256}.jpg"

    def store(self, sha256: str, jpeg: bytes) -> None:
        """Store a photo; an existing one gets the current time. Raises OSError."""
        if not self.keeps_any:
            return
        path = self.path(sha256)
        for folder in (self._folder, path.parent):
            folder.mkdir(0o700, exist_ok=True)
        # Replaced atomically, so that a power cut leaves no partial photo under the final name.
        fresh = path.with_suffix(".part")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(jpeg)
        os.utime(fresh, (self._now(), self._now()))
        fresh.replace(path)

    def discard(self, sha256: str) -> bool:
        """Remove the photo with this hash, finished or half written; returns whether it was there. Raises OSError."""
        path = self.path(sha256)
        if not _NAME.fullmatch(sha256) or path.parent.is_symlink():
            return False
        there = path.is_file()
        for each in (path, path.with_suffix(".part")):
            each.unlink(missing_ok=True)
        return there

    def prune(self) -> int:
        """Remove photos that are too old, then the oldest until the rest fits. Returns the number removed."""
        oldest_first = self.all()
        too_many = sum(photo.size for photo in oldest_first) - self._keep_bytes
        oldest = self._now() - self._keep_days * _DAY
        removed = 0
        for photo in oldest_first:
            if too_many <= 0 and photo.stored_at >= oldest:
                break
            if self._remove(photo):
                too_many -= photo.size
                removed += 1
        return removed

    def make_room(self, wanted: int) -> int:
        """Remove the oldest photos until ``wanted`` bytes are freed. Returns the bytes freed."""
        freed = 0
        for photo in self.all():
            if freed >= wanted:
                break
            freed += photo.size if self._remove(photo) else 0
        if freed:
            log.warning("photos.made_room", bytes=freed)
        return freed

    def all(self) -> Sequence[StoredPhoto]:
        """Return the photos of this store, the oldest first, ignoring other files in the folder."""
        found = []
        for path in self._folder.glob("??/*"):
            if path.suffix not in _SUFFIXES or path.name[:2] != path.parent.name or path.parent.is_symlink():
                continue
            with suppress(OSError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    found.append(StoredPhoto(status.st_mtime, status.st_size, path))
        return sorted(found)

    def _remove(self, photo: StoredPhoto) -> bool:
        try:
            photo.path.unlink(missing_ok=True)
        except OSError as error:
            self._complaints.failed("photo.not_removed", error)
            return False
        return True
