"""The technician's actions: each is a POST, journaled with its actor; then the page says what came of it."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from flask import Blueprint, Response, abort, g, redirect, request, session, url_for
from sqlalchemy.exc import SQLAlchemyError

from providers.event_log import get_logger
from triof.common.errors import TriofError
from triof.machine.slot import Interlocked
from triof.operations import support_bundle, use_cases
from triof.operations.technician_work import JudgedTest, TechnicianWork
from triof.services import KioskServices
from triof.settings.tree import Settings
from triof.web.fault_codes import FAULT_CODES
from triof.web.login import Page
from triof.web.technician import labels
from triof.web.technician.door import TechnicianDoor

log = get_logger(__name__)

TOLD = "technician_told"
"""The session's key for what came of the last action: shown once."""


class TechnicianActions:
    """Actions on the machine of ``services``."""

    def __init__(self, work: TechnicianWork, services: KioskServices, settings: Settings) -> None:
        self._work = work
        self._services = services
        self._settings = settings
        self._test: JudgedTest | None = None

    def latest_test(self) -> JudgedTest | None:
        """Return the latest test deposit since the start."""
        return self._test

    def blueprint(self, door: TechnicianDoor) -> Blueprint:
        """Return the blueprint."""
        blueprint = Blueprint("technician_actions", __name__, url_prefix="/technician")
        blueprint.before_request(door.check)
        blueprint.post("/begin")(self.begin)
        blueprint.post("/parts")(self.act)
        blueprint.post("/emptied")(self.emptied)
        blueprint.post("/test")(self.test)
        blueprint.post("/reference")(self.take_reference)
        blueprint.post("/mode")(self.turn_mode)
        blueprint.post("/support")(self.support)
        return blueprint

    def begin(self) -> Page:
        """Begin maintenance."""
        return self._do(lambda: self._work.begin(g.technician), "technician.overview", labels.action("begin"))

    def act(self) -> Page:
        """Move one part, switch the lamp, or clear a fault."""
        action = request.form.get("action", "")
        if action not in self._work.actions:
            abort(400)
        return self._do(lambda: self._work.act(action, g.technician), "technician.parts", labels.action(action))

    def emptied(self) -> Page:
        """Record that a box was emptied, as `triof slot emptied` does."""
        number, services = request.form.get("box", type=int) or 0, self._services
        machine_id, statistics = services.journal.machine_id, services.operations.statistics
        return self._do(
            lambda: use_cases.empty_box(statistics, services.journal, machine_id, number, actor=g.technician),
            "technician.parts",
            labels.emptied(number),
        )

    def test(self) -> Page:
        """Judge a picture of now, without a deposit."""

        def test() -> None:
            self._test = self._work.test_deposit(g.technician)

        return self._do(test, "technician.camera", labels.action("test_deposit"))

    def take_reference(self) -> Page:
        """Take the reference picture of the empty slot."""
        return self._do(
            lambda: self._work.take_reference(g.technician), "technician.camera", labels.action("reference")
        )

    def turn_mode(self) -> Page:
        """Set the mode, as `triof mode` does."""
        mode = request.form.get("mode", "")

        def turn() -> None:
            use_cases.turn_mode(
                self._settings, self._services.journal, mode, actor=g.technician, comment="technician's page"
            )

        return self._do(turn, "technician.overview", mode)

    def support(self) -> Page:
        """Download the support bundle."""
        services = self._services
        self._work.note("support_bundle", g.technician)
        health = services.operations.health.report()
        packed = support_bundle.build(self._settings, services.journal, services.sorter, health)
        name = f"triof-{services.journal.machine_id}-{datetime.now(UTC):%Y-%m-%d-%H%M}.zip"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(packed, mimetype="application/zip", headers=headers)

    def _do(self, act: Callable[[], object], then: str, words: object) -> Page:
        try:
            act()
        except (TriofError, SQLAlchemyError, OSError) as error:
            # The driver's statement may hold values of the journal.
            why = type(error).__name__ if isinstance(error, SQLAlchemyError) else str(error)
            code = _code(error)
            log.warning("technician.refused", code=code or None, cause=why)
            session[TOLD] = {"words": str(words), "why": why, "code": code}
        else:
            session[TOLD] = {"words": str(words), "why": "", "code": ""}
        with suppress(TriofError):
            self._services.operations.health.look_again()
        return redirect(url_for(then), 303)


def _code(error: Exception) -> str:
    """Return the error's fault code; an interlock and a photo that cannot be judged are no faults."""
    code = str(getattr(error, "code", ""))
    return code if code in FAULT_CODES and not isinstance(error, Interlocked) else ""
