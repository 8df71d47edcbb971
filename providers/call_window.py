"""Estimates which calls may still count in the vendor's current second, as their arrival times are unknown here.

A call whose answer takes longer than others of its kind may have arrived later, and so counts for longer.
"""

from dataclasses import dataclass

SECOND = 1.0
JITTER_SECONDS = 0.03
"""A call may have arrived by so much later than its answer suggests."""
_UNHEARD_SECONDS = 5.0
"""A call without an answer counts for so long, as the network may delay it."""


@dataclass
class Call:
    """A call that may still count. ``started`` in seconds."""

    started: float
    large: bool
    took: float | None = None
    """Seconds until it was answered or failed."""
    failed: bool = False


class CallWindow:
    """The calls of one process; not thread-safe. Times in seconds, of one clock."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._fastest: dict[bool, float] = {}
        """Duration of the fastest answer in seconds, to a large call and to a small one."""

    def begin(self, now: float, *, large: bool = False) -> Call:
        """Record that a call is sent."""
        self._calls.append(Call(now, large))
        return self._calls[-1]

    def end(self, call: Call, now: float, *, failed: bool) -> None:
        """Record that ``call`` was answered or failed."""
        call.took, call.failed = max(0.0, now - call.started), failed
        if not failed:
            self._fastest[call.large] = min(call.took, self._fastest.get(call.large, call.took))

    def counting(self, now: float) -> list[Call]:
        """Return the calls that may still count; drops the others."""
        self._calls = [call for call in self._calls if self.leaves_at(call) > now]
        return list(self._calls)

    def leaves_at(self, call: Call) -> float:
        """Estimate when ``call`` leaves the vendor's second."""
        if call.took is None:
            return call.started + _UNHEARD_SECONDS
        # A failed call may have arrived at any time until it failed.
        late = call.took if call.failed else call.took - self._fastest[call.large] + JITTER_SECONDS
        return call.started + late + SECOND
