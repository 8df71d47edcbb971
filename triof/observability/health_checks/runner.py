"""Runs the checks of a server, at most every few seconds and with a timeout for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from threading import Lock, Thread
from typing import TYPE_CHECKING

from triof.monitoring.alerts import DetectedFault
from triof.observability.health_checks.check import CheckedParts, CheckResult, HealthCheck, Status, failed
from triof.observability.health_checks.registry import all_checks

if TYPE_CHECKING:
    from triof.deposits.slot_watch import SlotWatch
    from triof.machine.cameras.base import Camera
    from triof.machine.slot import Slot

_KEPT_SECONDS = 5.0
"""Seconds for which a report is reused."""
_REFRESHED_SECONDS = 30.0
"""Maximum age in seconds of a report returned without waiting."""
_TIMEOUT_SECONDS = 4.0
"""Seconds; longer than the timeout of a cloud provider."""
_NUMBERS: Mapping[Status, float] = {"ok": 0.0, "warning": 1.0, "failed": 2.0}


@dataclass(frozen=True)
class HealthReport:
    """The results of all checks at one moment, in the order of the registry."""

    results: Mapping[HealthCheck, CheckResult] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        """Whether a photo can be judged now."""
        return not any(self.needed_failures())

    def needed_failures(self) -> Iterator[tuple[HealthCheck, CheckResult]]:
        """Yield the failures that make the machine not ready."""
        return ((check, found) for check, found in self.troubles() if check.is_needed and found.status == "failed")

    def troubles(self) -> Iterator[tuple[HealthCheck, CheckResult]]:
        """Yield the results that are not ok."""
        return ((check, found) for check, found in self.results.items() if found.status != "ok")

    def status(self, name: str) -> Status | None:
        """Return the status of a check; None if it does not apply here."""
        return next((found.status for check, found in self.results.items() if check.name == name), None)


class HealthChecks:
    """The checks of one process; thread-safe. ``clock`` in monotonic seconds.

    Each check runs in its own thread. One that exceeds ``timeout`` seconds has failed, and is not
    started again before it returns.
    """

    def __init__(
        self,
        parts: CheckedParts,
        checks: Sequence[HealthCheck] | None = None,
        clock: Callable[[], float] = time.monotonic,
        timeout: float = _TIMEOUT_SECONDS,
    ) -> None:
        self._parts = parts
        self._checks = all_checks() if checks is None else checks
        self._clock = clock
        self._timeout = timeout
        self._lock = Lock()
        self._running: dict[HealthCheck, Future[CheckResult | None]] = {}
        self._kept: tuple[float, HealthReport] | None = None

    def add_machine(self, camera: Camera, slot: Slot, slot_watch: SlotWatch | None = None) -> None:
        """Add the checks of this process's camera and slot."""
        self._parts = replace(self._parts, camera=lambda: camera, slot=lambda: slot, slot_watch=slot_watch)

    def report(self) -> HealthReport:
        """Return the report of the last few seconds, or run the checks."""
        with self._lock:
            return self._recent(_KEPT_SECONDS) or self._look()

    def latest(self) -> HealthReport:
        """Return the latest report without waiting; starts the checks in the background if it is half a minute old."""
        kept = self._kept
        if not kept:
            return HealthReport()
        if self._clock() - kept[0] >= _REFRESHED_SECONDS and not self._lock.locked():
            Thread(target=self.report, name="health", daemon=True).start()
        return kept[1]

    def look_again(self) -> HealthReport:
        """Run the checks now: after a change, and for alerts."""
        with self._lock:
            return self._look()

    def gauges(self) -> Mapping[tuple[str, ...], float]:
        """Return by check name 0 for ok, 1 for a warning, 2 for a failure."""
        return {(check.name,): _NUMBERS[found.status] for check, found in self.report().results.items()}

    def alerts(self, is_open: Collection[str]) -> Mapping[str, DetectedFault]:
        """Return each alert that is to be open, by name; ``is_open`` names the open ones."""
        return {
            check.alert: DetectedFault(found.text, found.value, found.code)
            for check, found in self.look_again().results.items()
            if check.alert and (found.alert == "fire" or (found.alert == "keep" and check.alert in is_open))
        }

    def alert_names(self) -> Collection[str]:
        """Return the names of all alerts of checks."""
        return {check.alert for check in self._checks if check.alert}

    def _recent(self, seconds: float) -> HealthReport | None:
        return self._kept[1] if self._kept and self._clock() - self._kept[0] < seconds else None

    def _look(self) -> HealthReport:
        for check in self._checks:
            if check not in self._running:
                self._running[check] = self._begin(check)
        wait(self._running.values(), self._timeout)
        found = {check: self._result(check) for check in self._checks}
        report = HealthReport({check: result for check, result in found.items() if result})
        self._kept = self._clock(), report
        return report

    def _begin(self, check: HealthCheck) -> Future[CheckResult | None]:
        future: Future[CheckResult | None] = Future()
        thread = Thread(
            target=lambda: future.set_result(check.run(self._parts)), name=f"health-{check.name}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # no thread could be started
            future.set_result(failed(f"It could not be looked at: {error}.", alert="keep"))
        return future

    def _result(self, check: HealthCheck) -> CheckResult | None:
        if self._running[check].done():
            return self._running.pop(check).result()
        return failed(
            f"It has not answered within {self._timeout:g} s.",
            "Check the disk, or the device, behind it.",
            alert="keep",
        )
