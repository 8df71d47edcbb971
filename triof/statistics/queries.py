"""The queries of the dashboard, the API and the reports.

Completed days are counted once (``daily_totals.py``), so that a query over years reads little; the current day is
counted at each query. docs/reference/reports.md defines each number.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from threading import Lock
from typing import Any, NamedTuple, TypeVar, cast

from sqlalchemy import Connection, Table, func, select

from triof.journal.scope import Scope
from triof.judging import cloud_providers
from triof.settings.tree import Settings
from triof.statistics import aggregation, boxes, counting, export, recent
from triof.statistics.boxes import BoxFill
from triof.statistics.calendar import Calendar, Period, days
from triof.statistics.counting import Numbers, Sums
from triof.statistics.daily_totals import DailyTotals
from triof.statistics.recycling import Recycled, recycled
from triof.statistics.results import Day, Hour, Latest, ModelStatistics, QuotaForecast, Response, Totals
from triof.storage.database import Database
from triof.storage.tables import Event

_EVENTS = cast(Table, Event.__table__)
_HOUR = timedelta(hours=1)
_KEPT_ANSWERS = 64
Answer = TypeVar("Answer")


class _QueryPlan(NamedTuple):
    """The plan for a scope: tallies of ``past`` days, and counting rows of ``live`` periods."""

    machines: Sequence[str]
    past: Sequence[date]
    live: Sequence[Period]


class _ResultCache:
    """Caches the latest answers while their source is unchanged."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Hashable, tuple[Any, Any]] = OrderedDict()
        self._lock = Lock()

    def get(self, question: Hashable, made_from: object, make: Callable[[], Answer]) -> Answer:
        """Return the answer, computed again if ``made_from`` has changed."""
        with self._lock:
            before, answer = self._answers.get(question, (None, None))
        if before != made_from:
            answer = make()
        with self._lock:
            self._answers[question] = made_from, answer
            self._answers.move_to_end(question)
            while len(self._answers) > _KEPT_ANSWERS:
                self._answers.popitem(last=False)
        return cast(Answer, answer)


class Statistics:
    """Statistics of the journal in ``database``; thread-safe. ``now`` returns aware datetimes.

    Every method raises SQLAlchemyError if the database fails. Rows dated after today are ignored, as a clock that was
    ahead may have written them.
    """

    def __init__(
        self, database: Database, settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.settings = settings.reports
        self.tenant = settings.tenant
        self.logo = settings.home / "config" / settings.tenant.logo if settings.tenant.logo else None
        self.calendar = Calendar(settings.reports.timezone)
        self.daily_totals = DailyTotals(database, self.calendar, now)
        self._database = database
        self._all_settings = settings
        self._now = now
        self._kept = _ResultCache()

    @property
    def today(self) -> date:
        """Return today's date in the time zone of the settings."""
        return self.calendar.day(self._now())

    def days(self, first: date, last: date, machines: Collection[str] | None = None) -> Scope:
        """Return the scope of local days, both included."""
        return Scope(*self.calendar.period(first, last), machines)

    def this_month(self) -> Scope:
        """Return the scope from the first of this month to today, of all machines."""
        return self.days(self.today.replace(day=1), self.today)

    def machines(self) -> Sequence[str]:
        """Return the sorted ids of all machines that write to this database."""
        with self._database.read() as connection:
            return self._machines(connection)

    def totals(self, scope: Scope) -> Totals:
        """Return the totals of ``scope``."""
        return aggregation.totals(self._numbers(scope), self._cloud)

    def by_day(self, scope: Scope) -> Sequence[Day]:
        """Return each local day, oldest first, including days without deposits."""
        plan = self._plan(scope)
        happened = dict(self._past_days(plan))
        for period in plan.live:
            hours = self._live_hours(plan.machines, period)
            by_day: defaultdict[date, Sums] = defaultdict(Sums)
            for hour, numbers in hours.items():
                by_day[self.calendar.day(hour)].add(numbers)
            for day in days(self.calendar.day(period.since), self.calendar.last_day(period.until)):
                happened[day] = aggregation.totals(by_day[day], self._cloud)
        past = set(plan.past)
        return [Day(day, day in past, happened[day]) for day in sorted(happened)]

    def by_hour(self, scope: Scope) -> Sequence[Hour]:
        """Return each hour, oldest first, including hours without deposits. For a few days at most, as every row
        is read.
        """
        plan = self._plan(scope)
        period = self._clipped(scope)
        if not period:
            return []
        hours = self._live_hours(plan.machines, period)
        hour, found = self.calendar.hour(period.since), list[Hour]()
        while hour < period.until:
            found.append(Hour(self.calendar.local(hour), aggregation.totals(hours.get(hour, {}), self._cloud)))
            hour += _HOUR
        return found

    def responses(self, scope: Scope) -> Sequence[Response]:
        """Return responses and times of each provider, by task and in the order of the routes."""
        return list(aggregation.responses(self._numbers(scope), self._all_settings.routes, self._cloud))

    def durations(self, scope: Scope) -> Mapping[int, int]:
        """Return the number of deposits by bucket of the time from photo to verdict (``histogram.py``)."""
        return aggregation.durations(self._numbers(scope))

    def models(self, scope: Scope) -> Sequence[ModelStatistics]:
        """Return the models by task, most predictions first."""
        return aggregation.models(self._numbers(scope))

    def quota(self) -> Sequence[QuotaForecast]:
        """Return the quota forecast of each provider whose calls are counted."""
        from triof.judging.quota import QuotaLedger
        from triof.statistics.forecast import forecast

        return [
            forecast(name, QuotaLedger(self._database, allowance, self._now), self._database, self._now())
            for name, allowance in cloud_providers.allowances(self._all_settings).items()
        ]

    def latest(self, scope: Scope, limit: int = 20) -> Sequence[Latest]:
        """Return the latest deposits, newest first."""
        with self._database.read() as connection:
            machines = self._chosen(connection, scope)
            return recent.latest(connection, scope, machines, limit, self.calendar)

    def recycled(self, scope: Scope) -> Recycled:
        """Return kilograms, metres of filament and CO2."""
        return recycled(self.totals(scope).shredded, self.settings)

    def boxes(self, machine: str) -> Sequence[BoxFill]:
        """Return how full each box of ``machine`` is, by number; all machines have the boxes of the settings."""
        numbers = self._all_settings.slot.boxes.model_dump()
        with self._database.read() as connection:
            emptied = boxes.last_emptied(connection, machine, numbers)
            begun = self.daily_totals.begun(connection, machine) or self.today
        end = self.calendar.period(self.today, self.today).until
        found = []
        for waste_type, number in sorted(numbers.items(), key=lambda each: each[1]):
            last = emptied.get(waste_type)
            scope = Scope(last.at if last else self.calendar.begin(begun), end, [machine])
            items = self.totals(scope).shredded.get(waste_type, 0)
            found.append(
                BoxFill(
                    machine,
                    waste_type,
                    number,
                    items,
                    items * getattr(self.settings.grams, waste_type),
                    getattr(self._all_settings.slot.capacity_grams, waste_type),
                    self.calendar.local(last.at) if last else None,
                    str(last.detail.get("who", "")) if last else "",
                )
            )
        return found

    def earlier(self, first: date, last: date, shift: timedelta, machines: Collection[str] | None) -> Scope:
        """Return the scope of local days, both included, ``shift`` earlier.

        If ``last`` is today, it ends at the present time of day, to the minute, for a comparison by the same hour.
        """
        since, until = self.calendar.period(first - shift, last - shift)
        if last >= self.today:
            now = self.calendar.local(self._now()).replace(second=0, microsecond=0, tzinfo=None)
            until = (now - shift).replace(tzinfo=self.calendar.zone).astimezone(UTC)
        return Scope(since, until, machines)

    def csv(self, scope: Scope) -> Iterator[str]:
        """Yield the lines of a CSV file, a row for each machine and day; columns: docs/reference/reports.md.

        It begins with a byte order mark, without which spreadsheets take UTF-8 for something else.
        """
        yield "\ufeff" + export.line(export.COLUMNS)
        for machine in self._plan(scope).machines:
            # Read at once, as a slow download would keep the database busy.
            yield from [export.line(row.values()) for row in self._rows(machine, scope)]

    def count_past_days(self) -> int:
        """Count some completed days ahead of requests; run by the scheduler."""
        return self.daily_totals.make(self.machines())

    def _rows(self, machine: str, scope: Scope) -> Iterator[Mapping[str, export.Cell]]:
        with self._database.read() as connection:
            begun = self.daily_totals.begun(connection, machine)
        happened = self.by_day(Scope(scope.since, scope.until, [machine])) if begun else []
        return export.rows(machine, (each for each in happened if begun and each.day >= begun), self.settings)

    @cached_property
    def _cloud(self) -> Collection[str]:
        return cloud_providers.known(self._all_settings)

    def _machines(self, connection: Connection) -> Sequence[str]:
        found: list[str] = []
        query = select(func.min(_EVENTS.c.machine_id))
        # One index lookup each; "distinct" would scan the index.
        after = connection.scalar(query)
        while after is not None:
            found.append(after)
            after = connection.scalar(query.where(_EVENTS.c.machine_id > after))
        return found

    def _chosen(self, connection: Connection, scope: Scope) -> Sequence[str]:
        return self._machines(connection) if scope.machines is None else sorted(set(scope.machines))

    def _clipped(self, scope: Scope) -> Period | None:
        """Return the scope's period up to the end of today."""
        until = min(scope.until, self.calendar.begin(self.today + timedelta(days=1)))
        return Period(scope.since, until) if scope.since < until else None

    def _plan(self, scope: Scope) -> _QueryPlan:
        with self._database.read() as connection:
            machines = self._chosen(connection, scope)
        period = self._clipped(scope)
        if not period:
            return _QueryPlan(machines, [], [])
        past = [day for day in self.calendar.whole_days(*period) if day < self.today]
        if not past:
            return _QueryPlan(machines, [], [period])
        counted = self.calendar.period(past[0], past[-1])
        around = (Period(period.since, counted.since), Period(counted.until, period.until))
        return _QueryPlan(machines, past, [each for each in around if each.since < each.until])

    def _numbers(self, scope: Scope) -> Numbers:
        plan = self._plan(scope)
        live = [numbers for period in plan.live for numbers in self._live_hours(plan.machines, period).values()]
        return counting.total([self._past_sum(plan), *live])

    def _past_sum(self, plan: _QueryPlan) -> Numbers:
        return self._past("sum", plan, lambda tallies: counting.total(numbers for _, _, numbers in tallies), {})

    def _past_days(self, plan: _QueryPlan) -> Mapping[date, Totals]:
        def by_day(tallies: Iterator[tuple[str, date, Numbers]]) -> Mapping[date, Totals]:
            sums: defaultdict[date, Sums] = defaultdict(Sums)
            for _, day, numbers in tallies:
                sums[day].add(numbers)
            return {day: aggregation.totals(sums[day], self._cloud) for day in plan.past}

        return self._past("days", plan, by_day, {})

    def _past(
        self,
        what: str,
        plan: _QueryPlan,
        make: Callable[[Iterator[tuple[str, date, Numbers]]], Answer],
        nothing: Answer,
    ) -> Answer:
        if not plan.past:
            return nothing
        first, last = plan.past[0], plan.past[-1]
        marks = self.daily_totals.finalize(plan.machines, first, last)

        def read() -> Answer:
            with self._database.read() as connection:
                return make(self.daily_totals.read(connection, plan.machines, first, last))

        return self._kept.get((what, tuple(plan.machines), first, last), marks, read)

    def _live_hours(self, machines: Sequence[str], period: Period) -> Mapping[datetime, Numbers]:
        hours: defaultdict[datetime, Sums] = defaultdict(Sums)
        with self._database.read() as connection:
            for machine in machines:
                for hour, numbers in self._live(connection, machine, period).items():
                    hours[hour].add(numbers)
        return hours

    def _live(self, connection: Connection, machine: str, period: Period) -> Mapping[datetime, Numbers]:
        hour = self.calendar.hour(min(self._now(), period.until))
        if period.since < hour < period.until:
            # Split, so that the hours before are not counted again with each new row, or minute of a comparison;
            # hourly periods fit into these parts.
            before, now = Period(period.since, hour), Period(hour, period.until)
            return {**self._live(connection, machine, before), **self._live(connection, machine, now)}
        # Rows are only added, so an equal number means equal rows.
        rows = counting.rows(connection, machine, period)
        drills = counting.drilled(connection, machine)
        return self._kept.get(
            ("live", machine, period),
            (rows, drills),
            lambda: counting.count(connection, machine, period, drills, self.calendar.hour)[0],
        )
