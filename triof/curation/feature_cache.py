"""Cache of computed features, by the SHA-256 of the photo's file.

A file of fixed-length records. Each is appended when computed, so that an interrupted run resumes where it
stopped; an incomplete record, left by a power cut, is truncated.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from triof.curation.near_duplicates import WORDS

_Records = NDArray[np.void]


def record_type(features: int) -> np.dtype[np.void]:
    """Return the record type: SHA-256, upright width and height in pixels, hash, features in half precision."""
    return np.dtype(
        [("digest", "V32"), ("size", "<u4", (2,)), ("hash", "<u8", (WORDS,)), ("features", "<f2", (features,))]
    )


class FeatureCache:
    """The records in ``path``; only one process at a time may add to them."""

    def __init__(self, path: Path, features: int) -> None:
        """Read the existing records. Raises OSError."""
        self._path = path
        self._type = record_type(features)
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self._cut()
            known = np.fromfile(path, self._type) if path.exists() else np.empty(0, self._type)
        self._known: dict[bytes, np.void] = {record["digest"].tobytes(): record for record in known}

    def get(self, digest: bytes) -> np.void | None:
        """Return the record of the file with this SHA-256, or None."""
        return self._known.get(digest)

    def add(
        self, digest: bytes, size: tuple[int, int], hash_: NDArray[np.uint64], features: NDArray[np.float32]
    ) -> np.void:
        """Append a record and return it. Raises OSError."""
        record = np.zeros(1, self._type)
        record["digest"], record["size"], record["hash"], record["features"] = np.void(digest), size, hash_, features
        with self._locked(), self._path.open("ab") as file:
            file.write(record.tobytes())
        self._known[digest] = record[0]
        return self._known[digest]

    def _cut(self) -> None:
        if self._path.exists() and (rest := self._path.stat().st_size % self._type.itemsize):
            with self._path.open("r+b") as file:
                file.truncate(self._path.stat().st_size - rest)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with FileLock(self._path.with_suffix(".lock")):
            yield
