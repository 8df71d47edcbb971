"""Keeps to the vendor's calls a second, whoever asks: the threads of one process share a pace."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

from providers.call_window import JITTER_SECONDS, SECOND, Call, CallWindow

_LOOK_SECONDS = 0.02
_LARGE_BYTES = 1 << 16
_SLOWER = 0.75
"""After a refusal the pace falls to this share: users of F0 report 2 calls a second where the table says 10."""
_FASTER_SECONDS = 10.0
"""So long after the last change it rises again, by one call a second, below what was refused."""
_FORGIVEN_SECONDS = 3600.0
"""So long after the last refusal, one call a second more is tried."""


class LearnedRate(NamedTuple):
    """What refusals have taught, in calls a second: the pace, and the most that was not refused."""

    per_second: int
    most: int


class RateLimiter:
    """At most ``per_second`` calls arrive within any second. ``clock`` in monotonic seconds."""

    def __init__(
        self,
        per_second: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        *,
        learned: LearnedRate | None = None,
        on_learned: Callable[[LearnedRate], None] = lambda _: None,
    ) -> None:
        """``learned`` in an earlier process; ``on_learned`` is told, from any thread, when a refusal teaches more."""
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
        """Wait until a call of ``size`` bytes may leave; it lasts until the answer has come."""
        call = self._wait(large=size >= _LARGE_BYTES)
        failed = True
        try:
            yield
            failed = False
        finally:
            with self._lock:
                self._window.end(call, self._clock(), failed=failed)

    def pause(self, seconds: float) -> None:
        """The vendor says to wait: no call leaves for ``seconds``, and then fewer."""
        with self._lock:
            now = self._clock()
            # Those that were refused together were refused for one reason.
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
        """Let a second pass, for another process may have called until ``seconds_ago``."""
        with self._lock:
            # Never longer, even where the wall clock was set back since.
            left = SECOND + JITTER_SECONDS - max(seconds_ago, 0)
            self._paused_until = max(self._paused_until, self._clock() + left)

    def _wait(self, *, large: bool) -> Call:
        while True:
            with self._lock:
                now = self._clock()
                seconds = self._seconds_to_wait(now)
                if seconds <= 0:
                    return self._window.begin(now, large=large)
            # Not all at once: an answer that comes meanwhile may let the next one go.
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
