"""What decoding may cost: memory over all threads, and processor time for one image."""

import ctypes
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from threading import Condition

from triof.judging.decoding.errors import DecoderBusy, TooCostly

_SMALL_BYTES = 20_000_000
"""A camera's photo takes no more: 1920 x 1080 pixels, twice."""
_LARGE_BLOCK_BYTES, _KEPT_BYTES, _ARENAS = 4_194_304, 1_048_576, 2
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of glibc's malloc.h."""


class MemoryGate:
    """Lets large decodes in as long as they take no more than a number of bytes together; for many threads.

    One of them waits for its turn, further ones are refused: each would hold a thread of the web server. Small ones
    always pass, so that nothing large keeps the machine's own photos waiting; the threads bound what they take.
    """

    def __init__(self) -> None:
        self._freed = Condition()
        self._taken = 0
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many large decodes wait for their turn."""
        return self._waiting

    @contextmanager
    def reserved(self, size: int, capacity: int, seconds: float) -> Iterator[None]:
        """Hold ``size`` of ``capacity`` bytes; wait for them at most ``seconds``. Raises TooCostly, DecoderBusy."""
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
    """A file in memory that is read for at most ``seconds`` of the reading thread's processor time.

    Pillow asks for a few bytes at a time, also in loops over a million empty blocks.
    """

    def __init__(self, content: bytes, seconds: float) -> None:
        super().__init__(content)
        self._seconds = seconds
        self._ends = time.thread_time() + seconds

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file. Raises TooCostly."""
        if time.thread_time() > self._ends:
            raise TooCostly(f"decoding takes more than {self._seconds:g} s of processor time")
        return super().read(size)


def return_freed_memory() -> None:
    """Let this process return large blocks of memory to the system as soon as they are freed.

    By itself glibc learns to keep blocks of up to 32 MB, and twice as much at the end of each of many arenas
    (mallopt(3), M_MMAP_THRESHOLD). For servers; a training that frees and takes large blocks all the time is slower.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_ARENA_MAX, _ARENAS)
