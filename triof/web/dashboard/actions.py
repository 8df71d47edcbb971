"""The actions of a technician: each is a POST, journaled with actor and comment."""

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
    """Actions on the machine of ``services``."""

    def __init__(self, around: Services, settings: Settings) -> None:
        self._alerts = around.operations.monitoring.alerts
        self._health = around.operations.health
        self._journal = around.journal
        self._settings = settings

    def blueprint(self, gate: login.Gate) -> Blueprint:
        """Return the blueprint; operators are rejected."""
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
        """Set the mode, as `triof mode` does."""
        mode, comment = request.form.get("mode", ""), _comment()
        if not comment:
            return _not_valid()
        return self._do(
            lambda: use_cases.turn_mode(self._settings, self._journal, mode, actor=g.user.name, comment=comment),
            "dashboard.machine",
        )

    def resume_quota(self) -> login.Page:
        """Call a provider again despite its exhausted quota, as `triof quota --resume` does."""
        provider, comment = request.form.get("provider", ""), _comment()
        return self._do(
            lambda: use_cases.resume_quota(self._settings, self._journal, provider, actor=g.user.name, comment=comment),
            "dashboard.answers",
        )

    def accept(self) -> login.Page:
        """Mark the change behind an alert as intended, as `triof alerts accept` does."""
        machine, name, comment = request.form.get("machine", ""), request.form.get("name", ""), _comment()
        return self._do(
            lambda: use_cases.accept_alerts(self._alerts, machine, [name], actor=g.user.name, comment=comment),
            "dashboard.models",
        )

    def promote(self) -> login.Page:
        """Promote a candidate to production, as `triof models promote` does."""
        return self._change(
            lambda task, comment: use_cases.promote(
                self._settings, self._journal, task, actor=g.user.name, comment=comment
            )
        )

    def stop(self) -> login.Page:
        """Stop the candidate, as `triof models stop` does."""
        return self._change(
            lambda task, comment: use_cases.stop_candidate(
                self._settings, self._journal, task, actor=g.user.name, comment=comment
            )
        )

    def roll_back(self) -> login.Page:
        """End a canary, or restore the previous model, as `triof models rollback` does."""
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
        # The next page must not show cached health checks.
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
