"""Checks every monitored machine periodically, stores the state, and fires and clears alerts.

The state is in ``TRIOF_HOME/monitoring``, a file for each machine, written after each run with new events. A
run reads only later events. Without the file it reads the last 120 days again, a part in each run, and
fires no alert until it has caught up.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError

from providers.base import ProviderError, Task
from providers.event_log import get_logger
from providers.local_cnn import bundle
from providers.local_cnn.bundle import Reference
from providers.local_cnn.pointer import Pointer
from triof.common.atomic_files import keep_state, read_json
from triof.common.scheduler import ScheduledTask
from triof.models import bundle_store
from triof.monitoring import notifiers
from triof.monitoring.alerts import Alerts, DetectedFault
from triof.monitoring.event_reader import Accepted, read_on
from triof.monitoring.machine_monitor import ALERT, MachineMonitor, SignalStatus
from triof.monitoring.machine_names import machine_names
from triof.settings.tree import Settings
from triof.storage.database import Database
from triof.storage.database_errors import DatabaseUnusable

log = get_logger(__name__)

FOLDER = "monitoring"
_FORMAT = 1
_BATCHES = 4
"""Batches of a few hundred rows read in one run."""
_SECONDS = 60.0

References = dict[tuple[str, str], float]
PartFaults = Callable[[Collection[str]], Mapping[str, DetectedFault]]
"""Returns each alert to be open, by name; its argument are the names of the open ones."""


class Monitor:
    """Monitors the machines of the settings; runs in one thread of one process."""

    def __init__(
        self, settings: Settings, database: Database, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings = settings
        self._database = database
        self._now = now
        self.machines: Collection[str] = settings.monitoring.machines or (database.machine_id,)
        self.alerts = Alerts(
            settings.home, database, list(notifiers.of(settings.alerts)), self.machines, now, name_of=self._name
        )
        self.journal_fault: Callable[[], DatabaseUnusable | None] = lambda: None
        """Returns why the machine cannot write to its journal; set by a kiosk."""
        self._part_names: Collection[str] = ()
        self._part_faults: PartFaults = lambda is_open: {}
        self._watched: dict[str, MachineMonitor] = {}
        self._references: tuple[Any, References] = (None, {})
        self._lock = Lock()

    def watch_parts(self, names: Collection[str], faults: PartFaults) -> None:
        """Register the alerts ``names``, which ``faults`` fires and clears for this machine's parts."""
        self._part_names, self._part_faults = names, faults

    def tasks(self) -> Sequence[ScheduledTask]:
        """Return the scheduled tasks."""
        return [ScheduledTask("monitoring", _SECONDS, self.look)]

    def look(self) -> None:
        """Read new events, fire and clear alerts, and deliver them. Raises SQLAlchemyError."""
        fault = self.journal_fault()
        try:
            if not fault:
                with self._lock:
                    for machine in self.machines:
                        self._look_at(machine)
        except SQLAlchemyError as error:
            fault = self._database.unusable(error)
            raise
        finally:
            found = DetectedFault(str(fault), code=fault.code) if fault else None
            self.alerts.announce(self._database.machine_id, "journal", found)
            self.alerts.deliver()

    def state(self, machines: Collection[str] | None = None) -> Sequence[SignalStatus]:
        """Return the status of each signal of each machine at the last run of any process."""
        chosen = self.machines if machines is None else machines
        found = [written for machine in chosen for written in self._kept(machine).get("standings", ())]
        return [SignalStatus.from_json(written) for written in found]

    def gauges(self) -> Mapping[tuple[str, ...], float]:
        """Return the evidence of drift divided by the threshold, by machine and signal; 1 or more is an alarm."""
        return {(each.machine, each.signal): each.evidence / each.threshold for each in self.state()}

    def close(self) -> None:
        """Finish the current delivery and stop."""
        self.alerts.close()

    def _name(self, machine: str) -> str:
        """Return the machine's name; empty if it has none, or the journal, whose faults are sent too, does not tell."""
        try:
            name = machine_names(self._settings, self._database, [machine])[machine]
        except SQLAlchemyError:
            name = self._settings.machine.name or "" if machine == self._database.machine_id else ""
        return "" if name == machine else name

    def _look_at(self, machine: str) -> None:
        now = self._now()
        watched = self._watched.get(machine) or self._restored(machine)
        self._watched[machine] = watched
        complete, news = False, False
        for _ in range(_BATCHES):
            happened, complete = read_on(self._database, machine, watched.bookmark, now)
            for each in happened:
                watched.take(each)
                if isinstance(each, Accepted):
                    log.info("drift.accepted", machine=machine, name=each.name)
            news = news or bool(happened)
            if complete:
                break
        standings = list(watched.standings(self._reference()))
        if news:
            self._keep(watched, standings)
        if complete:
            alarms = [each for each in standings if each.state == "alarm"]
            drift = {ALERT + each.signal: DetectedFault(each.text, each.value) for each in alarms}
            self.alerts.reconcile(machine, drift, now, among=lambda name: name.startswith(ALERT))
        if machine == self._database.machine_id:
            self._look_at_parts(machine, now)

    def _look_at_parts(self, machine: str, now: datetime) -> None:
        is_open = {alert.name for alert in self.alerts.open([machine])}
        self.alerts.reconcile(machine, self._part_faults(is_open), now, among=self._part_names.__contains__)

    def _restored(self, machine: str) -> MachineMonitor:
        kept = self._kept(machine)
        watched = MachineMonitor(machine, self._settings.monitoring)
        try:
            if kept.get("format") == _FORMAT:
                watched.restore(kept["watched"])
        except (KeyError, TypeError, ValueError) as error:
            log.warning("monitoring.begun_anew", machine=machine, cause=error)
            return MachineMonitor(machine, self._settings.monitoring)
        return watched

    def _keep(self, watched: MachineMonitor, standings: Sequence[SignalStatus]) -> None:
        content = {
            "format": _FORMAT,
            "standings": [each.as_json() for each in standings],
            "watched": watched.as_json(),
        }
        (self._settings.home / FOLDER).mkdir(0o700, exist_ok=True)
        keep_state(self._path(watched.machine), json.dumps(content).encode())

    def _kept(self, machine: str) -> dict[str, Any]:
        return read_json(self._path(machine))

    def _path(self, machine: str) -> Path:
        return self._settings.home / FOLDER / f"{quote(machine, safe='')}.json"

    def _reference(self) -> References:
        """Return the reference values of the active bundles; reloaded when these change."""
        options = bundle_store.options(self._settings)
        pointer = Pointer(options)
        signature = pointer.signature()
        if self._references[0] != (signature,):
            found: References = {}
            for task in ("waste_type", "cleanliness"):
                found |= _of_bundle(task, options.chosen(task), pointer)
            self._references = ((signature,), found)
        return self._references[1]


def _of_bundle(task: Task, chosen: Path | None, pointer: Pointer) -> References:
    try:
        folder = chosen or pointer.folder(task, pointer.version(task))
        reference = bundle.load(folder, task).card.reference
    except ProviderError:
        return {}
    return _of_reference(task, reference) if reference else {}


def _of_reference(task: Task, reference: Reference) -> References:
    return {
        ("brightness", ""): reference.brightness[0],
        ("sharpness", ""): reference.sharpness[0],
        (f"confidence.{task}", ""): round(1 - reference.probability[0], 4),
        **{(f"labels.{task}", label): share for label, share in reference.labels.items()},
    }
