"""The technician's pages: state, camera, parts, records. A GET moves nothing; the actions are in ``actions.py``."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from flask import Blueprint, g, render_template, session
from sqlalchemy.exc import SQLAlchemyError

from triof.common.errors import TriofError
from triof.judging.mode import current_mode
from triof.judging.quota import ledgers
from triof.machine.slot import SlotError
from triof.observability import system_stats
from triof.operations import support_bundle
from triof.operations.records import latest_faults, log_lines
from triof.operations.technician_work import JudgedTest
from triof.services import KioskServices
from triof.settings.tree import Settings
from triof.statistics.boxes import BoxFill
from triof.web import fault_codes, texts
from triof.web.dashboard import boxes, condition
from triof.web.dashboard.labels import MODES, STATUSES, TASKS, TYPES
from triof.web.technician import labels
from triof.web.technician.actions import TOLD
from triof.web.technician.door import TechnicianDoor
from triof.web.technician.live import LiveViews

_SECONDS = 2
"""Seconds between two looks of a page."""
_FAULTS, _LINES = 30, 200


class ShownProbability(NamedTuple):
    """A label of a test deposit with its probability."""

    name: object
    probability: float


class TechnicianPages:
    """The pages of one machine; ``test`` returns the latest test deposit."""

    def __init__(
        self, services: KioskServices, settings: Settings, live: LiveViews, test: Callable[[], JudgedTest | None]
    ) -> None:
        self._live = live
        self._services = services
        self._deposits = services.deposits
        self._settings = settings
        self._test = test

    def blueprint(self, door: TechnicianDoor) -> Blueprint:
        """Return the blueprint."""
        blueprint = Blueprint("technician", __name__, url_prefix="/technician")
        blueprint.before_request(door.check)
        blueprint.get("")(self.overview)
        blueprint.get("/camera")(self.camera)
        blueprint.get("/parts")(self.parts)
        blueprint.get("/records")(self.records)
        return blueprint

    def overview(self) -> str:
        """Show the state of the machine: fault, computer, mode, quota, versions, network, health checks."""
        health = self._services.operations.health.report()
        return self._page(
            "overview",
            health=health.results.items(),
            levels=condition.LEVELS,
            statuses=STATUSES,
            gauges=list(condition.gauges(self._settings.home, health)),
            mode=current_mode(self._settings),
            modes=MODES,
            quotas=self._quotas(),
            versions=support_bundle.versions(self._services.sorter),
            networks={name: each for name, each in system_stats.network_addresses().items() if each},
            machine_title=self._settings.machine.title or self._services.journal.machine_id,
        )

    def camera(self) -> str:
        """Show the live picture, the pictures beside it and the latest test deposit."""
        test, look, picture_fault = self._test(), None, ""
        try:
            look = self._live.look()
        except TriofError as error:
            picture_fault = str(error)
        return self._page(
            "camera",
            camera_kind=self._deposits.camera.kind,
            readings=look.readings._asdict() if look else None,
            slot_state=look.finding.comparison.state if look and look.finding else None,
            reference=self._live.latest_reference(),
            picture_fault=picture_fault,
            test=_tested(test) if test else None,
            tasks=TASKS,
        )

    def parts(self) -> str:
        """Show the sensors and a button for each movement."""
        return self._page(
            "parts",
            sensors=self._sensors(),
            boxes=sorted((number, texts.NAMES[name]) for name, number in self._deposits.boxes.items()),
            fills=self._fills(),
            box_level=boxes.level,
            types=TYPES,
        )

    def records(self) -> str:
        """Show the latest faults and the end of the log."""
        with suppress(SQLAlchemyError):
            return self._page("records", faults=latest_faults(self._services.journal, _FAULTS), lines=self._lines())
        return self._page("records", faults=None, lines=self._lines())

    def _page(self, name: str, **values: Any) -> str:
        fault = self._deposits.faults.of_parts()
        return render_template(
            f"technician/{name}.html",
            here=f"technician.{name}",
            live_seconds=_SECONDS,
            actor=g.technician,
            maintenance=self._deposits.maintenance,
            fault=fault,
            fault_text=fault_codes.of(fault.code) if fault else None,
            told=session.pop(TOLD, None),
            labels=labels,
            **values,
        )

    def _lines(self) -> list[Any]:
        return list(log_lines(self._settings.home, _LINES))

    def _quotas(self) -> Mapping[str, Any]:
        try:
            found = ledgers(self._settings, self._services.journal.database)
            return {name: ledger.usage() for name, ledger in found.items()}
        except (SQLAlchemyError, TriofError):
            return {}

    def _fills(self) -> Sequence[BoxFill]:
        with suppress(SQLAlchemyError):
            return self._services.operations.statistics.boxes(self._services.journal.machine_id)
        return ()

    def _sensors(self) -> Mapping[str, Any]:
        slot = self._deposits.slot
        try:
            found = slot.sensors()
            return {
                "slot_open": found.slot_open,
                "item": found.item,
                "emergency_stop": found.emergency_stop,
                "jammed": slot.jammed(),
            }
        except SlotError as error:
            return {"error": error}


def _tested(test: JudgedTest) -> Mapping[str, Any]:
    """Return the template values of a test deposit."""
    judgement = test.judgement
    return {
        "verdict": labels.VERDICTS[judgement.verdict.action],
        "says": labels.says(judgement.verdict),
        "seconds": judgement.duration,
        "tasks": {
            task: [ShownProbability(texts.NAMES[name], score) for name, score in prediction.scores.items()]
            for task, prediction in judgement.predictions.items()
        },
        "answered_by": {task: prediction.provider for task, prediction in judgement.predictions.items()},
        "unanswered": {task: str(error) for task, error in judgement.unanswered.items()},
    }
