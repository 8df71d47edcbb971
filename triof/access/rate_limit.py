"""Rate limits: a moving window in memory, on the monotonic clock.

The library ``limits`` uses the wall clock: set back by a day, it would keep every count for a day.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple


class Use(NamedTuple):
    """The result of a use: ``remaining`` uses are left, and after ``seconds`` there is room again.

    Room is for one more use if this one was allowed, otherwise for this one.
    """

    allowed: bool
    remaining: int
    seconds: float


@dataclass
class _Window:
    uses: deque[tuple[float, int]] = field(default_factory=deque)
    """Pairs of time and cost."""
    total: int = 0

    def drop_until(self, moment: float) -> None:
        while self.uses and self.uses[0][0] <= moment:
            self.total -= self.uses.popleft()[1]


class MovingWindow:
    """Allows each key a number of uses within any ``seconds``; keys are never removed, so there must be few.

    ``clock`` in monotonic seconds; thread-safe.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._windows: defaultdict[Hashable, _Window] = defaultdict(_Window)

    def use(self, key: Hashable, limit: int, cost: int = 1) -> Use:
        """Count ``cost`` uses of ``key`` if they fit within ``limit``; otherwise count nothing."""
        with self._lock:
            now = self._clock()
            window = self._windows[key]
            window.drop_until(now - self._seconds)
            allowed = window.total + cost <= limit
            if allowed:
                window.uses.append((now, cost))
                window.total += cost
            seconds = self._until_free(window, now, 1 if allowed else window.total + cost - limit)
            return Use(allowed, max(0, limit - window.total), seconds)

    def _until_free(self, window: _Window, now: float, wanted: int) -> float:
        """Return the seconds until ``wanted`` uses have left the window; until all have, if there are fewer."""
        moment = now
        for at, cost in window.uses:
            moment, wanted = at, wanted - cost
            if wanted <= 0:
                break
        return moment + self._seconds - now
