"""The dashboard's pages. A GET never changes anything; the actions are in ``actions.py``."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, abort, g, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _

from triof.journal.scope import Scope
from triof.judging.mode import current_mode
from triof.monitoring.machine_names import machine_names
from triof.operations.records import latest_faults
from triof.reporting.charts import Chart
from triof.services import Services
from triof.settings.sections.reports import CO2_SOURCE
from triof.settings.tree import Language, Settings
from triof.statistics import month
from triof.web import login
from triof.web.dashboard import boxes, charts, comparison, condition, faults, labels
from triof.web.dashboard.camera import CameraPicture
from triof.web.dashboard.filters import PERIODS, DashboardFilter, read
from triof.web.dashboard.filters import month as wanted_month
from triof.web.dashboard.health import DashboardHealth
from triof.web.fault_codes import FAULT_CODES

_LIVE_SECONDS = 10
_LATEST = 6
_FAULTS = 60
"""Events that are read to find as many faults as are shown: each has a beginning and an end."""


class DashboardPages:
    """The pages for operators, about the machines that write to the database of ``around``."""

    def __init__(self, around: Services, settings: Settings, camera: CameraPicture) -> None:
        self._services = around
        self._settings = settings
        self._statistics = around.operations.statistics
        self._health = DashboardHealth(around, settings)
        self._camera = camera

    def blueprint(self, gate: login.Gate) -> Blueprint:
        """Return the blueprint; users who are not logged in are redirected to the login."""
        blueprint = Blueprint("dashboard", __name__, url_prefix="/dashboard")
        blueprint.get("")(self.today)
        blueprint.get("/over-time")(self.over_time)
        blueprint.get("/answers")(self.answers)
        blueprint.get("/machine")(self.machine)
        blueprint.get("/models")(self.models)
        blueprint.get("/export.csv")(self.export)
        blueprint.get("/charts/<name>.csv")(self.chart)
        blueprint.get("/report")(self.report)
        blueprint.before_request(gate.check)
        login.add_error_pages(blueprint)
        return blueprint

    def today(self) -> str:
        """Show today's numbers and the open problems."""
        asked = self._asked("today")
        scope = asked.scope(self._statistics)
        totals = self._statistics.totals(scope)
        machines = asked.machines or self._statistics.machines() or [self._services.journal.machine_id]
        fills = boxes.shown(self._statistics, machines)
        return self._page(
            "today",
            asked,
            live_seconds=_LIVE_SECONDS,
            totals=totals,
            changes=comparison.changes(self._statistics, asked, totals),
            fills=fills,
            box_level=boxes.level,
            actions=charts.action_shares(totals),
            drawn=self._drawn(asked, "deposits"),
            recycled=self._statistics.recycled(scope),
            latest=self._statistics.latest(scope, _LATEST),
            # The boxes themselves are shown below them.
            notices=[each for each in self._health.notices(machines) if fills.left_out or not each.is_about_a_box],
            types=labels.TYPES,
            answers=labels.ANSWERS,
            endings=labels.ENDINGS,
        )

    def over_time(self) -> str:
        """Show the numbers of a period, day by day."""
        asked = self._asked("30")
        return self._page(
            "over_time",
            asked,
            recycled=self._statistics.recycled(asked.scope(self._statistics)),
            # The template translates the default.
            own_source=None if self._settings.reports.co2.source == CO2_SOURCE else self._settings.reports.co2.source,
            drawn=self._drawn(asked, "verdicts", "types", "dirty", "corrections"),
        )

    def answers(self) -> str:
        """Show providers, response times, quotas and costs."""
        asked = self._asked("30")
        scope = asked.scope(self._statistics)
        totals = self._statistics.totals(scope)
        return self._page(
            "answers",
            asked,
            totals=totals,
            shares=charts.answer_shares(totals),
            drawn=self._drawn(asked, "who", "durations", "times"),
            responses=self._statistics.responses(scope),
            quotas=self._statistics.quota(),
            tasks=labels.TASKS,
        )

    def machine(self) -> str:
        """Show the state of the machine that this server runs on, whatever the filter."""
        health = self._services.operations.health.report()
        return self._page(
            "machine",
            self._asked("today"),
            live_seconds=_LIVE_SECONDS,
            notices=self._health.notices([self._services.journal.machine_id]),
            own=self._settings.machine.title or self._services.journal.machine_id,
            gauges=condition.gauges(self._settings.home, health),
            checks=health.results.items(),
            check_levels=condition.LEVELS,
            check_statuses=labels.STATUSES,
            breakers=self._services.sorter.router.breakers(),
            breaker_words=labels.BREAKERS,
            latest=next(iter(self._statistics.latest(self._last_week(), 1)), None),
            mode=current_mode(self._settings),
            mode_turned_at=_turned_at(self._settings),
            modes=labels.MODES,
            faults=list(faults.shown(latest_faults(self._services.journal, _FAULTS)))[:_LATEST],
            fault_codes=FAULT_CODES,
            camera=self._camera.state() if g.user.may_act else None,
        )

    def models(self) -> str:
        """Show the models in service, their candidates, and drift."""
        asked = self._asked("30")
        return self._page(
            "models",
            asked,
            models=self._statistics.models(asked.scope(self._statistics)),
            rollout=self._services.operations.rollout.state(),
            drift=self._services.operations.monitoring.state(asked.machines or self._statistics.machines()),
            states=labels.STATES,
            tasks=labels.TASKS,
            opinions=labels.OPINIONS,
            trials=labels.TRIALS,
        )

    def export(self) -> Response:
        """Stream the selected days as a CSV file."""
        asked = self._asked("30")
        name = f"triof-{asked.first:%Y-%m-%d}-{asked.last:%Y-%m-%d}.csv"
        lines = self._statistics.csv(asked.scope(self._statistics))
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response((line.encode() for line in lines), mimetype="text/csv", headers=headers)

    def chart(self, name: str) -> Response:
        """Return the numbers of one chart as a CSV file."""
        if name not in charts.CHARTS:
            abort(404)
        asked = self._asked("today" if name == "deposits" else "30")
        file = f"triof-{name}-{asked.first:%Y-%m-%d}-{asked.last:%Y-%m-%d}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{file}"'}
        return Response(charts.csv(self._drawn(asked, name)[name]), mimetype="text/csv", headers=headers)

    def report(self) -> Response:
        """Show the printable report of one month; by default the last whole one."""
        asked = self._asked("30")
        first = wanted_month(request.args.get("month"), self._statistics.today) or _last_month(self._statistics.today)
        scope = self._statistics.days(first, _month_end(first), asked.machines or None)
        language: Language = "fr" if str(get_locale()) == "fr" else "en"
        page = month.render(self._statistics, scope, language)
        return Response(page, headers={"Content-Security-Policy": month.CONTENT_SECURITY_POLICY})

    def _last_week(self) -> Scope:
        today = self._statistics.today
        return self._statistics.days(today - timedelta(7), today, [self._services.journal.machine_id])

    def _drawn(self, asked: DashboardFilter, *names: str) -> Mapping[str, Chart]:
        source = charts.ChartSource(self._statistics, asked, self._settings)
        return {name: charts.CHARTS[name](source) for name in names}

    def _asked(self, usual: str) -> DashboardFilter:
        return read(request.args, self._statistics.today, usual)

    def _page(self, name: str, asked: DashboardFilter, **values: Any) -> str:
        usual = {"lang": None, "since": None, "until": None}
        machines = self._statistics.machines()
        names = machine_names(self._settings, self._services.journal.database, machines)
        return render_template(
            f"dashboard/{name}.html",
            here=f"dashboard.{name}",
            filter=asked,
            asked=asked.address() if {"period", "since"} & set(request.args) else asked.address(**usual, period=None),
            asked_words=_said(asked),
            periods={code: labels.PERIODS[code] for code in PERIODS},
            machines=machines,
            machine_name=lambda machine: names.get(machine, machine),
            today=self._statistics.today,
            last_month=f"{_last_month(self._statistics.today):%Y-%m}",
            language_urls={code: url_for(f"dashboard.{name}", **_with_language(code)) for code in ("fr", "en")},
            **values,
        )


def _turned_at(settings: Settings) -> datetime | None:
    turned = current_mode(settings).turned
    try:
        return datetime.fromisoformat(turned.at) if turned else None
    except ValueError:
        return None


def _with_language(code: str) -> Mapping[str, Any]:
    return {**request.args.to_dict(flat=False), "lang": code}


def _said(asked: DashboardFilter) -> str:
    if asked.period == "today":
        return labels.long_day(asked.last)
    return str(_("%(first)s to %(last)s", first=labels.long_day(asked.first), last=labels.long_day(asked.last)))


def _month_end(first: date) -> date:
    return (first.replace(day=28) + timedelta(4)).replace(day=1) - timedelta(1)


def _last_month(today: date) -> date:
    return (today.replace(day=1) - timedelta(1)).replace(day=1)
