"""Circuit breaker: stops calling a provider that fails or is slow, and probes it after a cooldown.

::

                 too many failures, or too slow
        closed ──────────────────────────────────► open ◄──┐
           ▲                                        │      │ the probe failed: doubled
           │ enough probes in a row      time is up │      │
           └────────────────────────── half_open ◄──┘ ─────┘

While half-open, one call at a time is let through as a probe; all others are refused as if it were open.
"""

import json
import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple

from providers.base import ProviderUnavailable
from providers.event_log import get_logger
from triof.common.atomic_files import read_json, replace_file
from triof.settings.sections.breaker import BreakerSettings

log = get_logger(__name__)

State = Literal["closed", "open", "half_open"]


class BreakerOpen(ProviderUnavailable):
    """The provider was not called because it failed recently."""


class BreakerChange(NamedTuple):
    """A change of the breaker's state: for how many seconds it stays open, and the reason."""

    state: State
    open_seconds: float
    reason: str


@dataclass(frozen=True)
class Permit:
    """Permission for one call; return it with the outcome."""

    generation: int
    probe: bool


class Breaker:
    """Counts the outcomes of calls. Thread-safe. ``clock`` in monotonic seconds."""

    def __init__(
        self,
        settings: BreakerSettings,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[BreakerChange], None] = lambda change: None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._on_change = on_change
        self._lock = Lock()
        self._state: State = "closed"
        self._open_seconds = settings.open_seconds
        self._reopens_at = 0.0
        self._calls: deque[Literal["good", "slow", "failed"]] = deque(maxlen=settings.window_calls)
        self._probing = False
        self._probes_answered = 0
        self._generation = 0

    @property
    def state(self) -> State:
        """The state; stays open after the cooldown until the next call."""
        return self._state

    def restore(self, open_seconds: float, seconds_left: float) -> None:
        """Open the breaker as before a restart. Raises ValueError for invalid numbers."""
        if not (math.isfinite(open_seconds) and math.isfinite(seconds_left) and open_seconds > 0):
            raise ValueError(f"open for {open_seconds} s, {seconds_left} s left")
        with self._lock:
            self._state, self._open_seconds = "open", min(open_seconds, self._settings.longest_open_seconds)
            self._reopens_at = self._clock() + min(max(seconds_left, 0.0), self._open_seconds)

    def admits(self) -> bool:
        """Return whether a call would be let through now."""
        with self._lock:
            return self._refusal() is None

    def permit(self) -> Permit:
        """Return permission for one call. Raises BreakerOpen."""
        with self._lock:
            if refusal := self._refusal():
                raise BreakerOpen(refusal, sent=False)
            if self._state == "open":
                self._turn("half_open")
            self._probing = self._state == "half_open"
            return Permit(self._generation, self._probing)

    def answered(self, permit: Permit, seconds: float) -> None:
        """Record that the call was answered after ``seconds``."""
        self._record(permit, "slow" if seconds > self._settings.slow_seconds else "good", f"slow ({seconds:.1f} s)")

    def failed(self, permit: Permit, reason: str) -> None:
        """Record that the call failed."""
        self._record(permit, "failed", reason)

    def release(self, permit: Permit) -> None:
        """Return the permit of a call whose outcome says nothing about the provider's health."""
        with self._lock:
            if permit.generation == self._generation and permit.probe:
                self._probing = False

    def _refusal(self) -> str | None:
        left = self._reopens_at - self._clock()
        if self._state == "open" and left > 0:
            return f"not asked, as it failed before; it is tried again in {left:.0f} s"
        if self._state == "half_open" and self._probing:
            return "not asked, as it failed before; a probe is under way"
        return None

    def _record(self, permit: Permit, outcome: Literal["good", "slow", "failed"], reason: str) -> None:
        with self._lock:
            # The outcome of a call from before the last change is outdated.
            if permit.generation != self._generation:
                return
            change = self._probed(outcome, reason) if permit.probe else self._counted(outcome, reason)
        if change:
            self._on_change(change)

    def _counted(self, outcome: Literal["good", "slow", "failed"], reason: str) -> BreakerChange | None:
        self._calls.append(outcome)
        count, failed = len(self._calls), self._calls.count("failed")
        # A good outcome never opens the breaker, even if it fills the window.
        enough = count >= self._settings.minimum_calls and outcome != "good"
        slow = failed + self._calls.count("slow")
        if enough and (failed >= self._settings.failure_rate * count or slow >= self._settings.slow_rate * count):
            self._open_seconds = self._settings.open_seconds
            return self._turn(
                "open", f"{failed} of {count} calls failed, {slow - failed} were slow; the last: {reason}"
            )
        return None

    def _probed(self, outcome: Literal["good", "slow", "failed"], reason: str) -> BreakerChange | None:
        self._probing = False
        if outcome != "good":
            self._open_seconds = min(self._open_seconds * 2, self._settings.longest_open_seconds)
            return self._turn("open", f"the probe failed: {reason}")
        self._probes_answered += 1
        if self._probes_answered >= self._settings.closing_probes:
            return self._turn("closed", f"{self._probes_answered} probes in a row were answered")
        return None

    def _turn(self, state: State, reason: str = "") -> BreakerChange:
        self._state = state
        self._generation += 1
        self._calls.clear()
        self._probing, self._probes_answered = False, 0
        self._reopens_at = self._clock() + self._open_seconds
        return BreakerChange(state, self._open_seconds, reason)


def outliving(
    path: Path,
    settings: BreakerSettings,
    on_change: Callable[[BreakerChange], object],
    *,
    of: str = "",
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
) -> Breaker:
    """Return a breaker whose state is stored in ``path`` and survives restarts. ``now`` in seconds of the epoch.

    The stored state is ignored if it belongs to another address than ``of``, as the settings have changed.
    """

    def keep(change: BreakerChange) -> None:
        until = now() + change.open_seconds
        kept = {
            "of": of,
            "until": until,
            "state": change.state,
            "open_seconds": change.open_seconds,
            "why": change.reason,
        }
        try:
            replace_file(path, json.dumps(kept).encode())
        except OSError:
            log.exception("breaker.not_kept")
        on_change(change)

    breaker = Breaker(settings, clock, keep)
    kept = read_json(path)
    if kept.get("state") == "open" and kept.get("of", of) == of:
        with suppress(KeyError, TypeError, ValueError, OverflowError):
            breaker.restore(float(kept["open_seconds"]), float(kept["until"]) - now())
    return breaker
