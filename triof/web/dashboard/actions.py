"""What a technician may do from the dashboard: each a POST, each in the journal with who did it and why."""

from collections.abc import Callable

from flask import Blueprint, Response, g, redirect, render_template, request, url_for

from providers.base import TASKS, ProviderError, Task
from triof.common.errors import TriofError
from triof.operations import use_cases
from triof.operations.use_cases import UseCaseRefused
from triof.services import Services
from triof.settings.tree import Settings
from triof.web import login


class DashboardActions:
    """Changes the machine that ``services`` are about, on a technician's word."""

    def __init__(self, around: Services, settings: Settings) -> None:
        self._alerts = around.operations.monitoring.alerts
        self._health = around.operations.health
        self._journal = around.journal
        self._settings = settings

    def blueprint(self, gate: login.Gate) -> Blueprint:
        """The addresses; operators are turned away."""
        blueprint = Blueprint("actions", __name__, url_prefix="/dashboard")
        blueprint.post("/mode")(self.turn_mode)
        blueprint.post("/quota/resume")(self.resume_quota)
        blueprint.post("/alerts/accept")(self.accept)
        blueprint.post("/models/promote")(self.promote)
        blueprint.post("/models/stop")(self.stop)
        blueprint.post("/models/rollback")(self.roll_back)
        blueprint.before_request(gate.check_may_act)
        login.add_error_pages(blueprint)
        return blueprint

    def turn_mode(self) -> login.Page:
        """Turn the switch between cloud and local, as `triof mode` does."""
        mode, comment = request.form.get("mode", ""), _comment()
        if not comment:
            return _not_valid()
        return self._do(
            lambda: use_cases.turn_mode(self._settings, self._journal, mode, actor=g.user.name, comment=comment),
            "dashboard.machine",
        )

    def resume_quota(self) -> login.Page:
        """Ask a provider again though it said that its quota is used up, as `triof quota --resume` does."""
        provider, comment = request.form.get("provider", ""), _comment()
        return self._do(
            lambda: use_cases.resume_quota(self._settings, self._journal, provider, actor=g.user.name, comment=comment),
            "dashboard.answers",
        )

    def accept(self) -> login.Page:
        """Say that the change behind an alert is meant, as `triof alerts accept` does."""
        machine, name, comment = request.form.get("machine", ""), request.form.get("name", ""), _comment()
        return self._do(
            lambda: use_cases.accept_alerts(self._alerts, machine, [name], actor=g.user.name, comment=comment),
            "dashboard.models",
        )

    def promote(self) -> login.Page:
        """Put a candidate into service, as `triof models promote` does."""
        return self._change(
            lambda task, comment: use_cases.promote(
                self._settings, self._journal, task, actor=g.user.name, comment=comment
            )
        )

    def stop(self) -> login.Page:
        """Let production answer alone, as `triof models stop` does."""
        return self._change(
            lambda task, comment: use_cases.stop_candidate(
                self._settings, self._journal, task, actor=g.user.name, comment=comment
            )
        )

    def roll_back(self) -> login.Page:
        """End a canary, or put the model before into service again, as `triof models rollback` does."""
        provider = request.form.get("provider", "")
        return self._change(
            lambda task, comment: use_cases.roll_back(
                self._settings, self._journal, task, provider, actor=g.user.name, comment=comment
            )
        )

    def _do(self, act: Callable[[], object], then: str) -> login.Page:
        try:
            act()
        except UseCaseRefused:
            return _not_valid()
        # The page that follows must not show what was found before.
        self._health.look_again()
        return redirect(url_for(then), 303)

    def _change(self, act: Callable[[Task, str], object]) -> login.Page:
        task, comment = request.form.get("task"), _comment()
        if task not in TASKS or not comment:
            return _not_valid()
        try:
            return self._do(lambda: act(task, comment), "dashboard.models")
        except (TriofError, ProviderError) as error:
            page = render_template("dashboard/fault.html", fault="refused", why=str(error))
            return Response(page, 409)


def _comment() -> str:
    return request.form.get("why", "").strip()


def _not_valid() -> login.Page:
    return Response(render_template("dashboard/fault.html", fault="not_valid"), 400)
