"""What a server does by itself every now and then: look for drift, send alerts, count past days.

One process per home folder makes the rounds, whoever came first, so that nothing is sent or counted twice.
"""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from providers.event_log import get_logger
from triof.common.process_lock import ProcessLock
from triof.common.repeated_faults import Complaints

log = get_logger(__name__)

_LOOK_SECONDS = 1.0


class ScheduledTask(NamedTuple):
    """Something to be done every ``seconds``; what it raises is logged, and tried again at its next turn."""

    name: str
    seconds: float
    work: Callable[[], object]


class Scheduler:
    """Makes ``tasks``, one after the other in a thread of its own, until closed."""

    def __init__(self, home: Path, tasks: list[ScheduledTask], clock: Callable[[], float] = time.monotonic) -> None:
        self._process_lock = ProcessLock(home / "rounds.lock")
        self._tasks = tasks
        self._clock = clock
        self._complaints = Complaints(log, clock)
        self._closed = Event()
        # A server must not wait an hour for its first look, nor be busy with all of them while it starts.
        self._due = {each.name: clock() + min(each.seconds, 5.0) for each in tasks}
        self._thread = Thread(target=self._run, name="rounds", daemon=True)

    def start(self) -> None:
        """Begin to make the rounds."""
        self._thread.start()

    def close(self) -> None:
        """End after the one that is under way."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()
        self._process_lock.release()

    def run_due(self) -> None:
        """Do what is due, unless another process makes the rounds."""
        if not self._process_lock.is_ours():
            return
        for each in self._tasks:
            if self._clock() >= self._due[each.name] and not self._closed.is_set():
                self._due[each.name] = self._clock() + each.seconds
                try:
                    each.work()
                except Exception as error:
                    self._complaints.failed("round.failed", error, name=each.name)

    def _run(self) -> None:
        while not self._closed.wait(_LOOK_SECONDS):
            self.run_due()
