"""Counts the journal's rows; defines how each kind of row is counted.

Numbers are a flat mapping, so that those of hours, days and machines can be added. A name is the kind of count and its
keys, separated by bars: ``shredded|cup``, ``answered|waste_type|custom_vision``. Every row counts at its own time.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from sqlalchemy import Connection, Row, Select, String, Table, bindparam, func, select

from providers.base import TASKS
from triof.judging.router import SKIPPED
from triof.statistics.calendar import Period
from triof.statistics.histogram import bucket
from triof.storage.tables import Event, PredictionRow, UtcDateTime

_Row = Row[*tuple[Any, ...]]
RULES = "1"
"""Version of the counting below; increase it with every change, so that past days are counted again."""

Numbers = Mapping[str, float]
Slot = TypeVar("Slot")

DEPOSITS = tuple(
    f"deposit.{step}" for step in ("opened", "judged", "confirmed", "shredded", "returned", "failed", "interrupted")
)
"""The kinds of rows that are counted."""

_EVENTS, _PREDICTIONS = cast(Table, Event.__table__).c, cast(Table, PredictionRow.__table__).c
_SINCE, _UNTIL = (bindparam(name, type_=UtcDateTime) for name in ("since", "until"))
_MACHINE = bindparam("machine", type_=String)


def _events(*what: Any, kinds: Collection[str] = DEPOSITS) -> Select[Any]:
    period = (_EVENTS.at >= _SINCE, _EVENTS.at < _UNTIL)
    return select(*what).where(_EVENTS.machine_id == _MACHINE, _EVENTS.kind.in_(kinds), *period)


def _predictions(*what: Any) -> Select[Any]:
    period = (_PREDICTIONS.at >= _SINCE, _PREDICTIONS.at < _UNTIL)
    # Naming the tasks lets the index by task find the period.
    return select(*what).where(_PREDICTIONS.machine_id == _MACHINE, _PREDICTIONS.task.in_(TASKS), *period)


# Built once, as compiling the statement takes longer than running it.
_ROWS = select(
    _events(func.count(), kinds=(*DEPOSITS, "drill.ended")).scalar_subquery()
    + _predictions(func.count()).scalar_subquery()
)
_HAPPENED = _events(_EVENTS.at, _EVENTS.deposit_id, _EVENTS.kind, _EVENTS.waste_type, _EVENTS.reason, _EVENTS.detail)
_ANSWERED = _predictions(
    _PREDICTIONS.at,
    _PREDICTIONS.deposit_id,
    _PREDICTIONS.task,
    _PREDICTIONS.provider,
    _PREDICTIONS.model_version,
    _PREDICTIONS.probability,
    _PREDICTIONS.believed,
    _PREDICTIONS.attempts,
)
_COMPARED = _events(
    _EVENTS.at,
    _EVENTS.deposit_id,
    _EVENTS.waste_type,
    _PREDICTIONS.label,
    _PREDICTIONS.provider,
    _PREDICTIONS.model_version,
    _PREDICTIONS.believed,
    kinds=("deposit.confirmed",),
).where(_PREDICTIONS.deposit_id == _EVENTS.deposit_id, _PREDICTIONS.task == "waste_type")
_DRILLS = select(_EVENTS.detail).where(_EVENTS.machine_id == _MACHINE, _EVENTS.kind == "drill.ended")


def rows(connection: Connection, machine: str, period: Period) -> int:
    """Return the number of deposit rows in the period; reads only the indexes."""
    return connection.scalar(_ROWS, {"machine": machine, **period._asdict()}) or 0


def drilled(connection: Connection, machine: str) -> frozenset[UUID]:
    """Return the deposits made by drills on this machine."""
    details = connection.scalars(_DRILLS, {"machine": machine})
    return frozenset(UUID(deposit) for detail in details for deposit in detail.get("deposits", ()))


class Sums(defaultdict[str, float]):
    """A mutable sum of numbers."""

    def __init__(self) -> None:
        super().__init__(int)

    def one(self, *name: object) -> None:
        """Add one to the number with these name parts."""
        self["|".join(map(str, name))] += 1

    def add(self, numbers: Numbers) -> None:
        """Add all numbers."""
        for name, number in numbers.items():
            self[name] += number


def total(parts: Iterable[Numbers]) -> Numbers:
    """Return the sum of ``parts``."""
    sums = Sums()
    for part in parts:
        sums.add(part)
    return sums


def count(
    connection: Connection,
    machine: str,
    period: Period,
    drills: Collection[UUID],
    slot: Callable[[datetime], Slot],
) -> tuple[Mapping[Slot, Numbers], int]:
    """Count one machine and period by the ``slot`` of each row's time; also return the number of drill rows left
    out.
    """
    slots: defaultdict[Slot, Sums] = defaultdict(Sums)
    left_out = 0
    for statement, add in ((_HAPPENED, _add_event), (_ANSWERED, _add_prediction), (_COMPARED, _add_comparison)):
        for row in connection.execute(statement, {"machine": machine, **period._asdict()}):
            if row.deposit_id in drills:
                left_out += 1
            else:
                add(slots[slot(row.at)], row)
    return slots, left_out


def _add_event(sums: Sums, row: _Row) -> None:
    step = row.kind.removeprefix("deposit.")
    if step in ("opened", "confirmed", "interrupted"):
        sums.one(step)
    elif step == "shredded":
        sums.one(step, row.waste_type)
    elif step == "judged":
        sums.one(step)
        sums.one("action", row.detail.get("action"))
        sums.one("reason", row.reason)
        if row.waste_type:
            sums.one("seen", row.waste_type)
        sums.one("seconds", bucket(row.detail.get("duration_ms", 0) / 1000))
        for task, attempts in row.detail.get("unanswered", {}).items():
            _add_attempts(sums, task, attempts)
    else:
        sums.one(step, row.reason)


def _add_prediction(sums: Sums, row: _Row) -> None:
    model = f"{row.task}|{row.provider}|{row.model_version}"
    sums[f"probability|{model}"] += row.probability
    sums.one("believed" if row.believed else "beside", model)
    if row.believed:
        sums.one("chosen", row.task, row.provider)
        _add_attempts(sums, row.task, row.attempts)


def _add_comparison(sums: Sums, row: _Row) -> None:
    model = f"compared|waste_type|{row.provider}|{row.model_version}"
    for name in (model, "compared") if row.believed else (model,):
        sums.one(name)
        if row.label != row.waste_type:
            sums.one(name.replace("compared", "corrected", 1))


def _add_attempts(sums: Sums, task: str, attempts: Iterable[Mapping[str, Any]]) -> None:
    for attempt in attempts:
        provider, outcome = attempt["provider"], attempt["outcome"]
        if outcome == "answered":
            sums.one("answered", task, provider, bucket(attempt["duration"]))
        elif outcome == SKIPPED:
            sums.one("spared", task, provider)
        else:
            sums.one("failure", task, provider, outcome)
