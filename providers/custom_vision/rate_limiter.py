"""Limits the rate of calls to the vendor's calls per second; the threads of a process share one limiter."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

import psutil

from providers.call_window import JITTER_SECONDS, SECOND, Call, CallWindow

_LOOK_SECONDS = 0.02
_LARGE_BYTES = 1 << 16
_SLOWER = 0.75
"""After a refusal the rate falls to this share: users of F0 report 2 calls per second where the table says 10."""
_FASTER_SECONDS = 10.0
"""Seconds after the last change until the rate rises by one call per second, below the refused rate."""
_FORGIVEN_SECONDS = 3600.0
"""Seconds after the last refusal until one more call per second is tried."""


def process_age_seconds() -> float:
    """Return the seconds since this process began, never too many."""
    began = psutil.Process().create_time()
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return time.time() - float(began)
    # Linux tells the time of the boot in whole seconds, so that `began` may be a second too early.
    return time.clock_gettime(time.CLOCK_BOOTTIME) - float(began - psutil.boot_time())


class LearnedRate(NamedTuple):
    """The rate learned from refusals and the highest rate that was not refused, in calls per second."""

    per_second: int
    most: int


class RateLimiter:
    """Lets at most ``per_second`` calls arrive within any second. ``clock`` in monotonic seconds."""

    def __init__(
        self,
        per_second: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        *,
        learned: LearnedRate | None = None,
        on_learned: Callable[[LearnedRate], None] = lambda _: None,
    ) -> None:
        """``learned`` comes from an earlier process; ``on_learned`` is called in any thread when the rate changes."""
        self._granted = per_second
        self._most = min(per_second, max(1, learned.most)) if learned else per_second
        self.per_second = min(self._most, max(1, learned.per_second)) if learned else per_second
        self._on_learned = on_learned
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()
        self._window = CallWindow()
        self._paused_until = 0.0
        self._changed_at = self._refused_at = clock()

    @contextmanager
    def slot(self, size: int) -> Iterator[None]:
        """Wait until a call of ``size`` bytes may be sent; hold the slot until it is answered."""
        call = self._wait(large=size >= _LARGE_BYTES)
        failed = True
        try:
            yield
            failed = False
        finally:
            with self._lock:
                self._window.end(call, self._clock(), failed=failed)

    def pause(self, seconds: float) -> None:
        """Send no call for ``seconds``, as the vendor demands, then continue at a lower rate."""
        with self._lock:
            now = self._clock()
            # Calls that were refused together were refused for one reason.
            is_news = now >= self._paused_until
            if is_news:
                self._most = max(1, self.per_second - 1)
                self.per_second = max(1, int(self.per_second * _SLOWER))
            self._paused_until = max(self._paused_until, now + seconds)
            self._changed_at = self._refused_at = self._paused_until
            learned = LearnedRate(self.per_second, self._most)
        if is_news:
            self._on_learned(learned)

    def rest(self, seconds_ago: float) -> None:
        """Wait until a second has passed since another process may have called, ``seconds_ago``."""
        with self._lock:
            # Never longer, even if the wall clock was set back since.
            left = SECOND + JITTER_SECONDS - max(seconds_ago, 0)
            self._paused_until = max(self._paused_until, self._clock() + left)

    def _wait(self, *, large: bool) -> Call:
        while True:
            with self._lock:
                now = self._clock()
                seconds = self._seconds_to_wait(now)
                if seconds <= 0:
                    return self._window.begin(now, large=large)
            # In short steps, as an answer may free a slot earlier.
            self._sleep(min(seconds, _LOOK_SECONDS))

    def _seconds_to_wait(self, now: float) -> float:
        self._rise(now)
        wait = self._paused_until - now
        leaving = sorted(map(self._window.leaves_at, self._window.counting(now)))
        if len(leaving) >= self.per_second:
            wait = max(wait, leaving[-self.per_second] - now)
        return wait

    def _rise(self, now: float) -> None:
        if self._most < self._granted and now - self._refused_at >= _FORGIVEN_SECONDS:
            self._most, self._refused_at = self._most + 1, now
        if self.per_second < self._most and now - self._changed_at >= _FASTER_SECONDS:
            self.per_second, self._changed_at = self.per_second + 1, now
