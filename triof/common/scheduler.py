"""Runs periodic tasks of a server, such as drift checks, alerts and daily totals.

One process per home folder runs them, the first to take the lock, so that nothing is sent or counted twice.
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
    """A task that runs every ``seconds``; its errors are logged, and it runs again at the next interval."""

    name: str
    seconds: float
    work: Callable[[], object]


class Scheduler:
    """Runs ``tasks`` one after the other in a thread of its own, until closed."""

    def __init__(self, home: Path, tasks: list[ScheduledTask], clock: Callable[[], float] = time.monotonic) -> None:
        self._process_lock = ProcessLock(home / "rounds.lock")
        self._tasks = tasks
        self._clock = clock
        self._complaints = Complaints(log, clock)
        self._closed = Event()
        # Each first run is soon, but not during startup.
        self._due = {each.name: clock() + min(each.seconds, 5.0) for each in tasks}
        self._thread = Thread(target=self._run, name="rounds", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the current task."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()
        self._process_lock.release()

    def run_due(self) -> None:
        """Run the tasks that are due, unless another process runs them."""
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
