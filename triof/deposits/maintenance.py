"""Maintenance: a technician works on the machine, which takes no deposit meanwhile."""

import time
from collections.abc import Callable
from threading import Lock

from triof.common.errors import TriofError


class UnderMaintenance(TriofError):
    """A technician works on the machine."""

    code = "M1"


class MaintenanceRefused(TriofError):
    """Maintenance cannot begin now."""


class Maintenance:
    """Whether a technician holds the machine; ends ``seconds`` after their last action. Thread-safe.

    ``clock`` in monotonic seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._actor = ""
        self._until = 0.0

    def fault(self) -> UnderMaintenance | None:
        """Return why no deposit can begin; None without maintenance."""
        actor = self.actor
        return UnderMaintenance(f"{actor} works on the machine.") if actor else None

    @property
    def actor(self) -> str:
        """Who works on the machine; empty without maintenance."""
        return self._actor if self.seconds_left > 0 else ""

    @property
    def seconds_left(self) -> float:
        """Seconds until maintenance ends by itself; 0 without maintenance."""
        with self._lock:
            return max(0.0, self._until - self._clock())

    def hold(self, actor: str) -> None:
        """Begin maintenance, or keep it for another while."""
        with self._lock:
            self._actor, self._until = actor, self._clock() + self._seconds

    def end(self) -> None:
        """End maintenance."""
        with self._lock:
            self._until = 0.0
