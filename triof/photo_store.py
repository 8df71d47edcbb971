"""The photos of deposits as files, named by content hash, kept for so many days and megabytes."""

import os
import time
from collections.abc import Callable
from pathlib import Path

_DAY = 86_400.0


class PhotoStore:
    """A folder of JPEGs. ``keep_days`` or ``keep_megabytes`` of 0 keeps none; ``now`` gives Unix time in seconds."""

    def __init__(
        self, folder: Path, keep_days: float, keep_megabytes: float, now: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._keep_days = keep_days
        self._keep_bytes = keep_megabytes * 1e6
        self._now = now

    def path(self, sha256: str) -> Path:
        """Where the photo with this hash is, if it is kept."""
        return self._folder / sha256[:2] / f"{sha256}.jpg"

    def store(self, sha256: str, jpeg: bytes) -> None:
        """Keep a photo; one that is there already counts as new again."""
        if not (self._keep_days and self._keep_bytes):
            return
        path = self.path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        # One replacing move, so that a power cut leaves no half photo under a whole one's name.
        fresh = path.with_suffix(".part")
        fresh.write_bytes(jpeg)
        os.utime(fresh, (self._now(), self._now()))
        fresh.replace(path)

    def prune(self) -> int:
        """Remove what is too old, then the oldest until the rest fits. Returns how many went."""
        oldest_first = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in self._folder.glob("*/*"))
        too_many = sum(size for _, size, _ in oldest_first) - self._keep_bytes
        removed = 0
        for stored_at, size, path in oldest_first:
            if too_many <= 0 and self._now() - stored_at <= self._keep_days * _DAY:
                break
            path.unlink(missing_ok=True)
            too_many -= size
            removed += 1
        return removed
