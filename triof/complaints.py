"""Faults of what is done again and again: logged at once and when they change, and ever more rarely while they last."""

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

_FIRST_SECONDS = 60.0
_LONGEST_SECONDS = 6 * 3600.0


class _Lasting(NamedTuple):
    text: str
    silent_until: float
    pause: float


class Complaints:
    """Logs to ``log``; safe to use from many threads. ``clock`` in monotonic seconds."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._lock = Lock()
        self._lasting: dict[str, _Lasting] = {}

    def failed(self, event: str, error: BaseException) -> None:
        """Log that ``event`` came of ``error``, unless the same was logged a short while ago.

        ``event`` is a line for the log without arguments, such as ``round.failed name=backup``.
        """
        text, now = f"{type(error).__name__}: {error}", self._clock()
        with self._lock:
            before = self._lasting.get(event)
            lasts = before is not None and before.text == text
            if before and lasts and now < before.silent_until:
                return
            pause = min(before.pause * 2, _LONGEST_SECONDS) if before and lasts else _FIRST_SECONDS
            self._lasting[event] = _Lasting(text, now + pause, pause)
        # The traceback once: while the fault lasts it is the same.
        self._log.error(f"{event} cause=%s", error, exc_info=None if lasts else error)

    def over(self, event: str) -> None:
        """It went well: the next fault is news."""
        with self._lock:
            self._lasting.pop(event, None)
