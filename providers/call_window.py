"""Which calls may still count in the vendor's second, for only the vendor knows when a call has arrived.

An answer that takes longer than others of its kind tells that its call may have arrived late, and so counts for longer.
"""

from dataclasses import dataclass

SECOND = 1.0
JITTER_SECONDS = 0.03
"""By so much a call may have arrived later than its answer tells."""
_UNHEARD_SECONDS = 5.0
"""A call without an answer counts for so long: the network may hold it back."""


@dataclass
class Call:
    """A call that still counts. ``started`` in seconds."""

    started: float
    large: bool
    took: float | None = None
    """Seconds to its answer, or to its failure."""
    failed: bool = False


class CallWindow:
    """The calls of one process; not safe to use from many threads. Times in seconds, of one clock."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._fastest: dict[bool, float] = {}
        """Seconds of the fastest answer, to a large call and to a small one."""

    def begin(self, now: float, *, large: bool = False) -> Call:
        """A call leaves."""
        self._calls.append(Call(now, large))
        return self._calls[-1]

    def end(self, call: Call, now: float, *, failed: bool) -> None:
        """Its answer has come, or it has failed."""
        call.took, call.failed = max(0.0, now - call.started), failed
        if not failed:
            self._fastest[call.large] = min(call.took, self._fastest.get(call.large, call.took))

    def counting(self, now: float) -> list[Call]:
        """Those that may still count; the others are forgotten."""
        self._calls = [call for call in self._calls if self.leaves_at(call) > now]
        return list(self._calls)

    def leaves_at(self, call: Call) -> float:
        """When it is a second ago that the call has arrived, by what is known now."""
        if call.took is None:
            return call.started + _UNHEARD_SECONDS
        # One that failed may have arrived at any time until then.
        late = call.took if call.failed else call.took - self._fastest[call.large] + JITTER_SECONDS
        return call.started + late + SECOND
