"""Counts each completed day once, and stores the numbers beside the journal.

A tally is written with the number of rows it was counted from, in one transaction, so a crash leaves none or a
complete one. Writing an event into a counted day (clock set back, drill ended after midnight) deletes its tally in the
same transaction (``Journal``). Rows added otherwise, when journals are merged, change the number of rows, which the
scheduled task compares.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from threading import Lock
from typing import NamedTuple, cast
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, String, Table, bindparam, func, select, union_all

from providers.event_log import get_logger
from triof.statistics import counting
from triof.statistics.calendar import Calendar, Period, days
from triof.statistics.counting import Numbers
from triof.storage.database import Database
from triof.storage.tables import DailyTotalRow, Event

log = get_logger(__name__)

_EVENTS, _TALLIES = cast(Table, Event.__table__), cast(Table, DailyTotalRow.__table__)
_DAYS_A_ROUND = 200
"""Days counted in one run of the task: about ten seconds with much data."""
_LATE_DAYS = 7
"""Days in which rows of other machines are likely to arrive late."""
_CHECKED_A_ROUND = 30
_TRIES = 3
_BEGINNING = date(1969, 12, 31)
"""Earlier days are taken for a wrong clock."""

_MACHINE = bindparam("machine", type_=String)
# Each is one index lookup; the first of all rows of a machine would be an index scan.
_FIRSTS = (
    select(func.min(_EVENTS.c.at).label("at")).where(_EVENTS.c.machine_id == _MACHINE, _EVENTS.c.kind == kind)
    for kind in counting.DEPOSITS
)
_FIRST = select(func.min(union_all(*_FIRSTS).subquery().c.at))


class CountedDays(NamedTuple):
    """The tallies of a machine and days. All values only grow, so equal values mean equal tallies."""

    days: int
    rows: int
    left_out: int


_NO_MARK = CountedDays(0, 0, 0)


class DailyTotals:
    """The numbers of completed days; safe for threads and processes."""

    def __init__(self, database: Database, calendar: Calendar, now: Callable[[], datetime]) -> None:
        self._database = database
        self._calendar = calendar
        self._now = now
        self._rules = f"{counting.RULES} {calendar.zone.key}"
        self._lock = Lock()
        self._checked: dict[str, int] = {}

    def begun(self, connection: Connection, machine: str) -> date | None:
        """Return the day of the machine's first row; None if it has none."""
        first = connection.scalar(_FIRST, {"machine": machine})
        return self._calendar.day(first) if first else None

    def finalize(self, machines: Sequence[str], first: date, last: date) -> Sequence[CountedDays]:
        """Count the uncounted days from ``first`` to ``last``, which must be over; return one mark a machine."""
        with self._database.read() as connection:
            marks = self._marks(connection, machines, first, last)
            missing = [
                machine
                for machine in machines
                if marks.get(machine, _NO_MARK).days < len(self._expected(connection, machine, first, last))
            ]
        for machine in missing:
            # Concurrent callers must not all count the same days.
            with self._lock:
                for day in self._missing(machine, first, last):
                    self._count(machine, day)
        if missing:
            with self._database.read() as connection:
                marks = self._marks(connection, machines, first, last)
        return [marks.get(machine, _NO_MARK) for machine in machines]

    def read(
        self, connection: Connection, machines: Collection[str], first: date, last: date
    ) -> Iterator[tuple[str, date, Numbers]]:
        """Yield the numbers of each machine and day, machine by machine, oldest first."""
        columns = (_TALLIES.c.machine_id, _TALLIES.c.since, _TALLIES.c.counts)
        query = select(*columns).where(*self._of(machines, first, last))
        for machine, since, numbers in connection.execute(query.order_by(_TALLIES.c.machine_id, _TALLIES.c.until)):
            yield machine, self._calendar.day(since), numbers

    def make(self, machines: Sequence[str]) -> int:
        """Count some days ahead of requests, and check some. Return the number of counted days."""
        yesterday = self._calendar.day(self._now()) - timedelta(days=1)
        for machine in machines:
            self._check(machine, yesterday)
        wanted = (
            (machine, day) for machine in machines for day in reversed(self._missing(machine, _BEGINNING, yesterday))
        )
        counted = 0
        for machine, day in islice(wanted, _DAYS_A_ROUND):
            with self._lock:
                self._count(machine, day)
            counted += 1
        if counted:
            log.info("tallies.counted", days=counted)
        return counted

    def _of(self, machines: Collection[str], first: date, last: date) -> tuple[ColumnElement[bool], ...]:
        period = self._calendar.period(first, last)
        return (
            _TALLIES.c.machine_id.in_(machines),
            _TALLIES.c.until > period.since,
            _TALLIES.c.until <= period.until,
            _TALLIES.c.counting == self._rules,
        )

    def _marks(
        self, connection: Connection, machines: Collection[str], first: date, last: date
    ) -> Mapping[str, CountedDays]:
        sums = (func.count(), func.sum(_TALLIES.c.rows), func.sum(_TALLIES.c.left_out))
        query = select(_TALLIES.c.machine_id, *sums).where(*self._of(machines, first, last))
        found = connection.execute(query.group_by(_TALLIES.c.machine_id))
        return {machine: CountedDays(*numbers) for machine, *numbers in found}

    def _expected(self, connection: Connection, machine: str, first: date, last: date) -> Sequence[date]:
        """Return the days from the machine's first row on."""
        begun = self.begun(connection, machine)
        return list(days(max(first, begun), last)) if begun else []

    def _missing(self, machine: str, first: date, last: date) -> list[date]:
        """Return the days without a tally, oldest first."""
        with self._database.read() as connection:
            query = select(_TALLIES.c.since).where(*self._of([machine], first, last))
            there = {self._calendar.day(since) for since in connection.scalars(query)}
            return [day for day in self._expected(connection, machine, first, last) if day not in there]

    def _count(self, machine: str, day: date) -> None:
        period = self._calendar.period(day, day)
        for _ in range(_TRIES):
            with self._database.read() as connection:
                rows = counting.rows(connection, machine, period)
                drills = counting.drilled(connection, machine)
                numbers, left_out = counting.count(connection, machine, period, drills, lambda _: day)
            # Counted outside the write lock; inside, only the number of rows is compared.
            # Alone, as a row of the day must not be written between the comparison and the total.
            with self._database.write(alone=True) as connection:
                overlapping = (_TALLIES.c.until > period.since, _TALLIES.c.since < period.until)
                connection.execute(_TALLIES.delete().where(_TALLIES.c.machine_id == machine, *overlapping))
                same = counting.drilled(connection, machine) == drills
                if same and counting.rows(connection, machine, period) == rows:
                    tally = {"id": uuid4(), "machine_id": machine, "at": self._now(), **period._asdict()}
                    counts = dict(numbers.get(day, {}))
                    facts = {"counting": self._rules, "rows": rows, "left_out": left_out, "counts": counts}
                    connection.execute(_TALLIES.insert(), {**tally, **facts})
                    return
        log.warning("tallies.not_settled", machine=machine, day=day)

    def _check(self, machine: str, yesterday: date) -> None:
        """Delete the tallies of days with more rows: checks all recent days, and some older ones in turn."""
        with self._database.read() as connection:
            columns = (_TALLIES.c.id, _TALLIES.c.since, _TALLIES.c.until, _TALLIES.c.rows)
            query = (
                select(*columns).where(*self._of([machine], _BEGINNING, yesterday)).order_by(_TALLIES.c.until.desc())
            )
            there = connection.execute(query).all()
            latest, others = there[:_LATE_DAYS], there[_LATE_DAYS:]
            start = self._checked.get(machine, 0) % max(1, len(others))
            self._checked[machine] = start + _CHECKED_A_ROUND
            stale = [
                tally.id
                for tally in (*latest, *others[start : start + _CHECKED_A_ROUND])
                if counting.rows(connection, machine, Period(tally.since, tally.until)) != tally.rows
            ]
        if stale:
            with self._database.write() as connection:
                connection.execute(_TALLIES.delete().where(_TALLIES.c.id.in_(stale)))
