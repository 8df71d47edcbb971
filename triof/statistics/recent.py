"""The latest deposits, for a live list."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Connection, Row, Table, select

from triof.journal.journal import ENDINGS
from triof.journal.scope import Scope
from triof.statistics import counting
from triof.statistics.calendar import Calendar
from triof.statistics.results import Latest
from triof.storage.tables import Event, PredictionRow

_Row = Row[*tuple[Any, ...]]
_EVENTS, _PREDICTIONS = cast(Table, Event.__table__).c, cast(Table, PredictionRow.__table__).c


def latest(
    connection: Connection, scope: Scope, machines: Sequence[str], limit: int, calendar: Calendar
) -> Sequence[Latest]:
    """Return the ``limit`` latest deposits of ``machines``, newest first."""
    # One machine at a time, as the index begins with the machine.
    judged = [row for machine in machines for row in _judged(connection, scope, machine, limit)]
    chosen = sorted(judged, key=lambda row: row.at, reverse=True)[:limit]
    deposits = [row.deposit_id for row in chosen]
    events: defaultdict[UUID, dict[str, _Row]] = defaultdict(dict)
    answers: defaultdict[UUID, dict[str, _Row]] = defaultdict(dict)
    columns = (_EVENTS.deposit_id, _EVENTS.kind, _EVENTS.waste_type, _EVENTS.reason)
    for row in connection.execute(select(*columns).where(_EVENTS.deposit_id.in_(deposits))):
        events[row.deposit_id][row.kind] = row
    told = (_PREDICTIONS.deposit_id, _PREDICTIONS.task, _PREDICTIONS.label, _PREDICTIONS.probability)
    accepted = (_PREDICTIONS.deposit_id.in_(deposits), _PREDICTIONS.believed)
    for answer in connection.execute(select(*told, _PREDICTIONS.provider).where(*accepted)):
        answers[answer.deposit_id][answer.task] = answer
    return [_latest(row, events[row.deposit_id], answers[row.deposit_id], calendar) for row in chosen]


def _judged(connection: Connection, scope: Scope, machine: str, limit: int) -> Sequence[_Row]:
    drills = counting.drilled(connection, machine)
    columns = (_EVENTS.at, _EVENTS.machine_id, _EVENTS.deposit_id, _EVENTS.reason, _EVENTS.detail)
    period = (_EVENTS.at >= scope.since, _EVENTS.at < scope.until)
    query = select(*columns).where(_EVENTS.machine_id == machine, _EVENTS.kind == "deposit.judged", *period)
    found = connection.execute(query.order_by(_EVENTS.at.desc()).limit(limit + len(drills)))
    return [row for row in found if row.deposit_id not in drills][:limit]


def _latest(judged: _Row, events: Mapping[str, _Row], answers: Mapping[str, _Row], calendar: Calendar) -> Latest:
    told, cleanliness = answers.get("waste_type"), answers.get("cleanliness")
    confirmed = events.get("deposit.confirmed")
    ending = next((events[kind] for kind in ENDINGS if kind in events), None)
    milliseconds = judged.detail.get("duration_ms")
    return Latest(
        deposit_id=judged.deposit_id,
        machine_id=judged.machine_id,
        at=calendar.local(judged.at),
        action=judged.detail.get("action", ""),
        reason=judged.reason or "",
        waste_type=told.label if told else None,
        probability=told.probability if told else None,
        cleanliness=cleanliness.label if cleanliness else None,
        provider=told.provider if told else None,
        chosen=confirmed.waste_type if confirmed else None,
        ending=ending.kind.removeprefix("deposit.") if ending else None,
        seconds=None if milliseconds is None else milliseconds / 1000,
        mode=judged.detail.get("mode", ""),
    )
