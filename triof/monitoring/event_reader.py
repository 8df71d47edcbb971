"""Reads new events from the journal, a bounded number of rows at a time."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import Connection, Row, Table, and_, not_, select

from providers.base import TASKS, Task
from triof.journal.journal import Kind
from triof.monitoring.signals import MonitoredDeposit, MonitoredPrediction
from triof.storage.database import Database
from triof.storage.tables import Event, PredictionRow

_EVENTS, _PREDICTIONS = cast(Table, Event.__table__), cast(Table, PredictionRow.__table__)
_KINDS: tuple[Kind, ...] = ("deposit.judged", "deposit.confirmed", "alert.acknowledged")
_ROWS = 500
_BATCH = 250
_LOCAL = "local_cnn"
SETTLING = timedelta(seconds=5)
"""Newer rows are left for the next run: another thread may still write one with an earlier time."""
_DRILL = timedelta(hours=1)
"""A drill that has not ended after this time counts as crashed."""
HISTORY = timedelta(days=120)
"""Age from which events of a newly monitored machine are read."""


class Confirmed(NamedTuple):
    """An employee chose the type."""

    at: datetime
    corrected: bool


class Accepted(NamedTuple):
    """A technician accepted a change."""

    at: datetime
    name: str


Happening = MonitoredDeposit | Confirmed | Accepted


@dataclass
class Bookmark:
    """Read positions by kind of event; and the monitored model versions."""

    read: dict[str, tuple[datetime, UUID]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    """By task and provider."""

    def as_json(self) -> dict[str, Any]:
        """To be written down."""
        read = {kind: [at.isoformat(), str(last)] for kind, (at, last) in self.read.items()}
        return {"read": read, "versions": self.versions}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> "Bookmark":
        """As it was written down."""
        read = {kind: (datetime.fromisoformat(at), UUID(last)) for kind, (at, last) in written["read"].items()}
        return cls(read, dict(written["versions"]))


def read_on(database: Database, machine: str, bookmark: Bookmark, now: datetime) -> tuple[list[Happening], bool]:
    """Return the events of ``machine`` after the bookmark, which is advanced; and whether these were all."""
    with database.read() as connection:
        until = _until(connection, machine, now)
        drilled = _drilled(connection, machine, now)
        first = (now - HISTORY, UUID(int=0))
        batches = {kind: _events(connection, machine, kind, bookmark.read.get(kind, first), until) for kind in _KINDS}
        cut_short = [batch[-1].at for batch in batches.values() if len(batch) == _ROWS]
        # All kinds stop where the first one is cut off, so that events stay in order.
        horizon = min(cut_short, default=until)
        rows = sorted(
            (row for batch in batches.values() for row in batch if row.at <= horizon), key=lambda row: (row.at, row.id)
        )
        judged = [row.deposit_id for row in rows if row.kind == "deposit.judged" and row.deposit_id not in drilled]
        answers = _answers(connection, judged)
    for row in rows:
        bookmark.read[row.kind] = (row.at, row.id)
    happened = [_told(row, answers, bookmark) for row in rows if row.deposit_id not in drilled]
    return happened, not cut_short


def _events(
    connection: Connection, machine: str, kind: Kind, last: tuple[datetime, UUID], until: datetime
) -> Sequence[Row[Any]]:
    at = _EVENTS.c.at
    where = [_EVENTS.c.machine_id == machine, _EVENTS.c.kind == kind, at < until]
    where += [at >= last[0], not_(and_(at == last[0], _EVENTS.c.id <= last[1]))]
    query = select(_EVENTS).where(*where).order_by(at, _EVENTS.c.id).limit(_ROWS)
    return connection.execute(query).all()


def _until(connection: Connection, machine: str, now: datetime) -> datetime:
    """Return the time up to which all rows are written, and known to be a drill's or not."""
    latest = {
        kind: connection.execute(
            select(_EVENTS.c.at)
            .where(_EVENTS.c.machine_id == machine, _EVENTS.c.kind == kind)
            .order_by(_EVENTS.c.at.desc())
            .limit(1)
        ).scalar()
        for kind in ("drill.started", "drill.ended")
    }
    started, ended = latest["drill.started"], latest["drill.ended"]
    under_way = started and started > now - _DRILL and not (ended and ended >= started)
    return min(started, now - SETTLING) if under_way and started else now - SETTLING


def _drilled(connection: Connection, machine: str, now: datetime) -> frozenset[UUID]:
    ended = select(_EVENTS.c.detail).where(
        _EVENTS.c.machine_id == machine, _EVENTS.c.kind == "drill.ended", _EVENTS.c.at >= now - HISTORY - _DRILL
    )
    details = connection.execute(ended).scalars()
    return frozenset(UUID(deposit) for detail in details for deposit in detail.get("deposits", ()))


def _answers(connection: Connection, deposits: Sequence[UUID]) -> Mapping[UUID, Sequence[Any]]:
    found: defaultdict[UUID, list[Any]] = defaultdict(list)
    row = _PREDICTIONS.c
    columns = (row.deposit_id, row.task, row.label, row.probability, row.provider, row.model_version, row.believed)
    for begin in range(0, len(deposits), _BATCH):
        chosen = deposits[begin : begin + _BATCH]
        for answer in connection.execute(select(*columns, row.embedding).where(row.deposit_id.in_(chosen))):
            found[answer.deposit_id].append(answer)
    return found


def _told(row: Row[Any], answers: Mapping[UUID, Sequence[Any]], bookmark: Bookmark) -> Happening:
    if row.kind == "deposit.confirmed":
        return Confirmed(row.at, row.reason == "corrected")
    if row.kind == "alert.acknowledged":
        return Accepted(row.at, str(row.detail.get("name", "")))
    detail, given = row.detail, answers.get(row.deposit_id, ())
    seen = {task: found for task in TASKS for found in _seen(task, given, bookmark.versions)}
    # Older versions of Triof wrote no photo statistics.
    return MonitoredDeposit(
        row.at, detail.get("brightness"), detail.get("sharpness"), str(detail.get("action", "")), seen
    )


def _seen(task: Task, given: Sequence[Any], versions: Mapping[str, str]) -> Iterator[MonitoredPrediction]:
    """Yield the local prediction, else the accepted one; of several models of a provider, the monitored one."""
    answers = [answer for answer in given if answer.task == task]
    own = [answer for answer in answers if answer.provider == _LOCAL] or [each for each in answers if each.believed]
    if not own:
        return
    answer = _watched(task, own, versions)
    others = [each for each in answers if each.provider != answer.provider]
    rival = _watched(task, others, versions) if others else None
    yield MonitoredPrediction(
        answer.label,
        answer.probability,
        tuple(answer.embedding or ()),
        answer.provider,
        answer.model_version,
        (rival.label, rival.provider, rival.model_version) if rival else None,
    )


def _watched(task: Task, answers: Sequence[Any], versions: Mapping[str, str]) -> Any:
    known = [each for each in answers if versions.get(f"{task}/{each.provider}") == each.model_version]
    return next(iter(known or sorted(answers, key=lambda each: not each.believed)))


def latest_first(connection: Connection, machine: str, kind: Kind, limit: int) -> Sequence[Row[Any]]:
    """Return the latest events of one kind, newest first."""
    where = (_EVENTS.c.machine_id == machine, _EVENTS.c.kind == kind)
    return connection.execute(select(_EVENTS).where(*where).order_by(_EVENTS.c.at.desc()).limit(limit)).all()


def utc_day(at: datetime) -> int:
    """Return the ordinal of the UTC day."""
    return at.astimezone(UTC).date().toordinal()
