"""Keeps to the vendor's calls a second, whoever asks: the threads of one process share a pace."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

_SECOND = 1.0
_JITTER_SECONDS = 0.04
"""By so much a call may arrive later than the next ones, as long as nothing has been heard of it."""
_HEARD_JITTER_SECONDS = 0.01
_LARGE_BYTES = 1 << 16
_SLOWER = 0.5
"""After a refusal the pace falls to this share: users of F0 report 2 calls a second where the table says 10."""


class _Call:
    """A call that still counts: from when it was made until ``leaves_at``, a second after it arrived."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.leaves_at = started + _SECOND + _JITTER_SECONDS


class Pace:
    """At most ``per_second`` calls arrive within any second. ``clock`` in monotonic seconds.

    Only the vendor knows when a call arrives. An answer that takes longer than others of its kind tells that it may
    have arrived late, and then counts for longer.
    """

    def __init__(
        self,
        per_second: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.per_second = per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()
        self._calls: list[_Call] = []
        self._fastest: dict[bool, float] = {}
        """Seconds of the fastest answer, to a large call and to a small one."""
        self._paused_until = 0.0

    @contextmanager
    def turn(self, size: int) -> Iterator[None]:
        """Wait until a call of ``size`` bytes may leave; it lasts until the answer has come."""
        call = self._wait()
        try:
            yield
        except BaseException:
            # It may have arrived at any time until now.
            call.leaves_at = self._clock() + _SECOND
            raise
        self._heard(call, size >= _LARGE_BYTES)

    def pause(self, seconds: float) -> None:
        """The vendor says to wait: nobody calls for ``seconds``, and then less often."""
        with self._lock:
            now = self._clock()
            # Those that were refused together were refused for one reason.
            if now >= self._paused_until:
                self.per_second = max(1, int(self.per_second * _SLOWER))
            self._paused_until = max(self._paused_until, now + seconds)

    def rest(self) -> None:
        """Let a second pass, for another process may have called until a moment ago."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + _SECOND + _JITTER_SECONDS)

    def _heard(self, call: _Call, large: bool) -> None:
        with self._lock:
            took = self._clock() - call.started
            self._fastest[large] = min(took, self._fastest.get(large, took))
            late = took - self._fastest[large] + _HEARD_JITTER_SECONDS
            call.leaves_at = call.started + late + _SECOND

    def _wait(self) -> _Call:
        while True:
            with self._lock:
                now = self._clock()
                seconds = self._seconds_to_wait(now)
                if seconds <= 0:
                    self._calls.append(_Call(now))
                    return self._calls[-1]
            self._sleep(seconds)

    def _seconds_to_wait(self, now: float) -> float:
        self._calls = [call for call in self._calls if call.leaves_at > now]
        wait = self._paused_until - now
        if len(self._calls) >= self.per_second:
            wait = max(wait, sorted(call.leaves_at for call in self._calls)[-self.per_second] - now)
        return wait
