"""Logs recurring faults when they start, and ever less often while they last."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from providers.event_log import Event, EventLogger
from triof.common.errors import TriofError

_FIRST_SECONDS = 60.0
_LONGEST_SECONDS = 6 * 3600.0
_CHANGES = 5
"""Immediate log lines for changes of cause of a lasting fault; one more is allowed per hour."""
_CHANGE_SECONDS = 3600.0


@dataclass
class _Lasting:
    text: str
    seen_at: float
    changes_from: float
    """Advances with each logged change; while it is in the past, another change is logged immediately."""
    pause: float = 0.0
    silent_until: float = 0.0

    def has_changed(self, text: str, now: float) -> bool:
        """Return whether ``text`` differs and must be logged immediately."""
        if text == self.text or now < self.changes_from:
            return False
        self.changes_from += _CHANGE_SECONDS
        return True

    def told(self, text: str, now: float) -> None:
        """Record that ``text`` was logged."""
        self.pause = min(2 * self.pause, _LONGEST_SECONDS) or _FIRST_SECONDS
        self.text, self.silent_until = text, now + self.pause


class Complaints:
    """Logs to ``log``. Thread-safe. ``clock`` in monotonic seconds."""

    def __init__(self, log: EventLogger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._lock = Lock()
        self._lasting: dict[str, _Lasting] = {}

    def failed(self, event: str, error: BaseException, **fields: Any) -> None:
        """Log ``event`` with ``error``, unless the same event with the same ``fields`` was logged recently.

        For example ``failed("round.failed", error, name="backup")``.
        """
        is_news, is_told = self._note(str(Event(event, fields)), f"{type(error).__name__}: {error}")
        if is_told:
            # One traceback per fault, and none for errors that explain themselves.
            shown = error if is_news and not isinstance(error, TriofError) else None
            self._log.error(event, **fields, cause=error, exc_info=shown)

    def _note(self, event: str, text: str) -> tuple[bool, bool]:
        """Return whether it is a new fault, and whether to log it."""
        with self._lock:
            now, fault = self._clock(), self._lasting.get(event)
            is_new = fault is None or now - fault.seen_at > 2 * fault.pause
            if fault is None or is_new:
                fault = self._lasting[event] = _Lasting(text, now, now - (_CHANGES - 1) * _CHANGE_SECONDS)
            fault.seen_at = now
            has_changed = fault.has_changed(text, now)
            is_told = has_changed or now >= fault.silent_until
            if is_told:
                fault.told(text, now)
            return is_new or has_changed, is_told
