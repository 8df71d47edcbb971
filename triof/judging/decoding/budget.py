"""Limits on decoding: memory over all threads, and processor time for one image."""

import ctypes
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from threading import Condition

from triof.judging.decoding.errors import DecoderBusy, TooCostly

_SMALL_BYTES = 20_000_000
"""Bytes below which a decode is not limited: a camera's photo of 1920 x 1080 pixels, twice."""
_LARGE_BLOCK_BYTES, _KEPT_BYTES, _ARENAS = 4_194_304, 1_048_576, 2
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Constants of glibc's malloc.h."""


class MemoryGate:
    """Bounds the memory of concurrent large decodes; thread-safe.

    One large decode waits at a time; others are refused, as each would block a thread of the web server. Small ones
    always pass, so that the machine's own photos never wait; the number of threads bounds their memory.
    """

    def __init__(self) -> None:
        self._freed = Condition()
        self._taken = 0
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Return the number of large decodes that wait."""
        return self._waiting

    @contextmanager
    def reserved(self, size: int, capacity: int, seconds: float) -> Iterator[None]:
        """Hold ``size`` of ``capacity`` bytes, after waiting at most ``seconds``. Raises TooCostly, DecoderBusy."""
        if size > capacity:
            raise TooCostly(f"decoding takes {size / 1e6:.0f} MB of memory, more than {capacity / 1e6:.0f} MB")
        if size <= _SMALL_BYTES:
            yield
            return
        self._take(size, capacity, seconds)
        try:
            yield
        finally:
            with self._freed:
                self._taken -= size
                self._freed.notify()

    def _take(self, size: int, capacity: int, seconds: float) -> None:
        with self._freed:
            if self._taken + size > capacity:
                if self._waiting:
                    raise DecoderBusy("another large image waits to be decoded")
                self._waiting += 1
                try:
                    if not self._freed.wait_for(lambda: self._taken + size <= capacity, seconds):
                        raise DecoderBusy("other large images are being decoded")
                finally:
                    self._waiting -= 1
            self._taken += size


class MeteredBytes(BytesIO):
    """A file in memory that may be read for ``seconds`` of the thread's processor time.

    Pillow reads a few bytes at a time, even in loops over a million empty blocks.
    """

    def __init__(self, content: bytes, seconds: float) -> None:
        super().__init__(content)
        self._seconds = seconds
        self._ends = time.thread_time() + seconds

    def read(self, size: int | None = -1, /) -> bytes:
        """Read like a file. Raises TooCostly."""
        if time.thread_time() > self._ends:
            raise TooCostly(f"decoding takes more than {self._seconds:g} s of processor time")
        return super().read(size)


def return_freed_memory() -> None:
    """Make this process return large blocks of memory to the system as soon as they are freed.

    By default glibc keeps freed blocks of up to 32 MB, and twice as much at the end of each arena (mallopt(3),
    M_MMAP_THRESHOLD). For servers only, as it slows down a training that allocates large blocks all the time.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_ARENA_MAX, _ARENAS)
