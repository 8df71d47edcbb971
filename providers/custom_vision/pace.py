"""Keeps to the vendor's calls a second, whoever asks: the threads of one process share a pace."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

_SECOND = 1.0
_JITTER_SECONDS = 0.03
"""By so much a call may have arrived later than its answer tells."""
_UNHEARD_SECONDS = 5.0
"""A call without an answer counts for so long: the network may hold it back."""
_LOOK_SECONDS = 0.02
_LARGE_BYTES = 1 << 16
_SLOWER = 0.75
"""After a refusal the pace falls to this share: users of F0 report 2 calls a second where the table says 10."""
_FASTER_SECONDS = 10.0
"""So long after the last change it rises again, by one call a second."""


@dataclass
class _Call:
    """A call that still counts."""

    started: float
    large: bool
    took: float | None = None
    """Seconds to its answer, or to its failure."""
    failed: bool = False


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
        self._granted = per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()
        self._calls: list[_Call] = []
        self._fastest: dict[bool, float] = {}
        """Seconds of the fastest answer, to a large call and to a small one."""
        self._paused_until = 0.0
        self._changed_at = 0.0

    @contextmanager
    def turn(self, size: int) -> Iterator[None]:
        """Wait until a call of ``size`` bytes may leave; it lasts until the answer has come."""
        call = self._wait(large=size >= _LARGE_BYTES)
        try:
            yield
        except BaseException:
            call.failed = True
            raise
        finally:
            self._heard(call)

    def pause(self, seconds: float) -> None:
        """The vendor says to wait: nobody calls for ``seconds``, and then less often for a while."""
        with self._lock:
            now = self._clock()
            # Those that were refused together were refused for one reason.
            if now >= self._paused_until:
                self.per_second = max(1, int(self.per_second * _SLOWER))
            self._paused_until = max(self._paused_until, now + seconds)
            self._changed_at = self._paused_until

    def rest(self, seconds_ago: float) -> None:
        """Let a second pass, for another process may have called until ``seconds_ago``."""
        with self._lock:
            # Never longer, even where the wall clock was set back since.
            left = _SECOND + _JITTER_SECONDS - max(seconds_ago, 0)
            self._paused_until = max(self._paused_until, self._clock() + left)

    def _heard(self, call: _Call) -> None:
        with self._lock:
            call.took = self._clock() - call.started
            if not call.failed:
                self._fastest[call.large] = min(call.took, self._fastest.get(call.large, call.took))

    def _leaves_at(self, call: _Call) -> float:
        """When it is a second ago that the call has arrived, by what is known now."""
        if call.took is None:
            return call.started + _UNHEARD_SECONDS
        # One that failed may have arrived at any time until then.
        late = call.took if call.failed else call.took - self._fastest[call.large] + _JITTER_SECONDS
        return call.started + late + _SECOND

    def _wait(self, *, large: bool) -> _Call:
        while True:
            with self._lock:
                now = self._clock()
                seconds = self._seconds_to_wait(now)
                if seconds <= 0:
                    self._calls.append(_Call(now, large))
                    return self._calls[-1]
            # Not all at once: an answer that comes meanwhile may let the next one go.
            self._sleep(min(seconds, _LOOK_SECONDS))

    def _seconds_to_wait(self, now: float) -> float:
        self._calls = [call for call in self._calls if self._leaves_at(call) > now]
        if self.per_second < self._granted and now - self._changed_at >= _FASTER_SECONDS:
            self.per_second, self._changed_at = self.per_second + 1, now
        wait = self._paused_until - now
        if len(self._calls) >= self.per_second:
            wait = max(wait, sorted(map(self._leaves_at, self._calls))[-self.per_second] - now)
        return wait
