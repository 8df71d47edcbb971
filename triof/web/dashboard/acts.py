"""What a technician may do from the dashboard: each a POST, each in the journal with who did it and why."""

from collections.abc import Callable
from typing import cast, get_args

from flask import Blueprint, Response, g, redirect, render_template, request, url_for

from providers.base import TASKS, ProviderError, Task
from triof import home, services
from triof.errors import TriofError
from triof.rollout.changing import Desk
from triof.services import Services
from triof.settings.tree import Mode, Settings
from triof.switch import Switch
from triof.web import login

_LONGEST_WHY = 500


class Acts:
    """Changes the machine that ``services`` are about, on a technician's word."""

    def __init__(self, around: Services, settings: Settings) -> None:
        self._alerts = around.operations.monitoring.alerts
        self._journal = around.journal
        self._settings = settings

    def blueprint(self, gate: login.Gate) -> Blueprint:
        """The addresses; operators are turned away."""
        blueprint = Blueprint("acts", __name__, url_prefix="/dashboard")
        blueprint.post("/mode")(self.turn_mode)
        blueprint.post("/quota/resume")(self.resume_quota)
        blueprint.post("/alerts/accept")(self.accept)
        blueprint.post("/models/promote")(self.promote)
        blueprint.post("/models/stop")(self.stop)
        blueprint.post("/models/rollback")(self.roll_back)
        blueprint.before_request(gate.check_may_act)
        login.with_faults(blueprint)
        return blueprint

    def turn_mode(self) -> login.Page:
        """Turn the switch between cloud and local, as `triof mode` does."""
        mode, why = request.form.get("mode"), _why()
        if mode not in get_args(Mode) or not why:
            return _not_valid()
        switch = Switch(self._settings.home, self._settings.mode).at_kiosk()
        # In the journal first: a change that nobody can explain later is worse than one that was not made.
        self._journal.record("mode.changed", reason=mode, before=switch.mode(), who=g.user.name, why=why)
        try:
            switch.turn(cast(Mode, mode), g.user.name, why)
        except OSError as error:
            raise home.unusable(self._settings, error) from error
        return redirect(url_for("dashboard.machine"), 303)

    def resume_quota(self) -> login.Page:
        """Ask a provider again though it said that its quota is used up, as `triof quota --resume` does."""
        provider = request.form.get("provider", "")
        if not services.resume_quota(self._settings, self._journal, provider, g.user.name, _why()):
            return _not_valid()
        return redirect(url_for("dashboard.answers"), 303)

    def accept(self) -> login.Page:
        """Say that the change behind an alert is meant, so that it is measured anew from now on."""
        machine, name, why = request.form.get("machine", ""), request.form.get("name", ""), _why()
        if not why or name not in {alert.name for alert in self._alerts.open([machine])}:
            return _not_valid()
        self._alerts.accept(machine, name, g.user.name, why)
        return redirect(url_for("dashboard.models"), 303)

    def promote(self) -> login.Page:
        """Put a candidate into service, as `triof models promote` does."""
        return self._at_desk(lambda desk, task, why: desk.promote(task, why))

    def stop(self) -> login.Page:
        """Let production answer alone, as `triof models stop` does."""
        return self._at_desk(lambda desk, task, why: desk.stop(task, why))

    def roll_back(self) -> login.Page:
        """End a canary, or put the model before into service again, as `triof models rollback` does."""
        provider = request.form.get("provider", "")
        return self._at_desk(lambda desk, task, why: desk.rollback(task, provider, why))

    def _at_desk(self, act: Callable[[Desk, Task, str], object]) -> login.Page:
        task, why = request.form.get("task"), _why()
        if task not in TASKS or not why:
            return _not_valid()
        try:
            act(Desk(self._settings, self._journal, g.user.name), task, why)
        except (TriofError, ProviderError) as error:
            page = render_template("dashboard/fault.html", fault="refused", why=str(error))
            return Response(page, 409)
        return redirect(url_for("dashboard.models"), 303)


def _why() -> str:
    return request.form.get("why", "").strip()[:_LONGEST_WHY]


def _not_valid() -> login.Page:
    return Response(render_template("dashboard/fault.html", fault="not_valid"), 400)
