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

    While ``has_open_slot`` it ends by :meth:`end` alone: the machine would close the slot on the technician's hand.
    ``clock`` in monotonic seconds.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        has_open_slot: Callable[[], bool] = lambda: False,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._has_open_slot = has_open_slot
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
        with self._lock:
            # For good, as the slot of a later deposit is no part of this maintenance.
            if self._actor and self._clock() >= self._until and not self._has_open_slot():
                self._actor = ""
            return self._actor

    @property
    def seconds_left(self) -> float:
        """Seconds until maintenance ends by itself, once the slot is closed; 0 without maintenance."""
        with self._lock:
            return max(0.0, self._until - self._clock()) if self._actor else 0.0

    def hold(self, actor: str) -> None:
        """Begin maintenance, or keep it for another while."""
        with self._lock:
            self._actor, self._until = actor, self._clock() + self._seconds

    def end(self) -> None:
        """End maintenance."""
        with self._lock:
            self._actor = ""
