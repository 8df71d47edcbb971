"""The journal: an append-only record of events and predictions in SQL.

A deposit is a sequence of events with one id, from which its state follows. No event is ever changed, so a crash
leaves valid data. Every row carries a random id and the machine's id, so that a database can hold the
journals of many machines.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal, cast, get_args
from uuid import UUID, uuid4

from sqlalchemy import String, Table, bindparam, func, select
from sqlalchemy.orm import Session

from providers.base import Photo, Prediction, Task
from triof.judging.sorter import Judgement
from triof.storage.database import Database
from triof.storage.tables import DailyTotalRow, Event, PredictionRow, UtcDateTime

Kind = Literal[
    "machine.started",
    "machine.out_of_order",
    "machine.in_order",
    "deposit.opened",
    "deposit.judged",
    "deposit.confirmed",
    "deposit.shredded",
    "deposit.returned",
    "deposit.failed",
    "deposit.interrupted",
    "mode.changed",
    "breaker.opened",
    "breaker.closed",
    "drill.started",
    "drill.ended",
    "bundle.activated",
    "bundle.removed",
    "bundle.mended",
    "candidate.started",
    "candidate.ended",
    "candidate.failed",
    "alert.fired",
    "alert.cleared",
    "alert.acknowledged",
    "quota.resumed",
    "privacy.exported",
    "privacy.erasure_begun",
    "privacy.erased",
    "technician.acted",
    "box.emptied",
]
ENDINGS: tuple[Kind, ...] = ("deposit.shredded", "deposit.returned", "deposit.failed", "deposit.interrupted")
"""Final events; each deposit ends with exactly one of them."""


_BATCH = 100
"""Deposits per batch when all are read."""
_ORDER = {kind: position for position, kind in enumerate(get_args(Kind))}
"""The kinds of a deposit's events in causal order, as the clock may be set back between two of them."""


_TALLIES = cast(Table, DailyTotalRow.__table__)
_MOMENT = bindparam("moment", type_=UtcDateTime)
_UNCOUNT = _TALLIES.delete().where(
    _TALLIES.c.machine_id == bindparam("machine", type_=String), _TALLIES.c.until > _MOMENT, _TALLIES.c.since <= _MOMENT
)


Row = Event | PredictionRow


class Journal:
    """The events and predictions in ``database``. Thread-safe. ``now`` gives aware datetimes."""

    def __init__(self, database: Database, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.database = database
        self._now = now
        self._observers: list[Callable[[Event], None]] = []

    @property
    def machine_id(self) -> str:
        """The id of the machine, stored in each row."""
        return self.database.machine_id

    def observe(self, observer: Callable[[Event], None]) -> None:
        """Call ``observer``, which must not raise or block, with each event written from now on."""
        self._observers.append(observer)

    def record(
        self,
        kind: Kind,
        deposit_id: UUID | None = None,
        *,
        waste_type: str | None = None,
        reason: str | None = None,
        **detail: Any,
    ) -> None:
        """Write one event, durably."""
        self.write([happened := self.event(kind, deposit_id, waste_type=waste_type, reason=reason, **detail)])
        self.tell([happened])

    def event(
        self,
        kind: Kind,
        deposit_id: UUID | None = None,
        *,
        waste_type: str | None = None,
        reason: str | None = None,
        **detail: Any,
    ) -> Event:
        """Return a new event with the current time, without writing it."""
        return Event(
            id=uuid4(),
            machine_id=self.machine_id,
            deposit_id=deposit_id,
            kind=kind,
            at=self._now(),
            waste_type=waste_type,
            reason=reason,
            detail=detail,
        )

    def record_judgement(self, deposit_id: UUID, judgement: Judgement) -> None:
        """Write the verdict and its predictions in one transaction."""
        self.write(rows := self.judgement(deposit_id, judgement))
        self.tell(rows)

    def judgement(self, deposit_id: UUID, judgement: Judgement) -> Sequence[Row]:
        """Return the rows of the verdict and its predictions, without writing them."""
        waste_type = judgement.predictions.get("waste_type")
        verdict = judgement.verdict
        detail: dict[str, Any] = {
            "action": verdict.action,
            "label": verdict.label,
            "mode": judgement.mode,
            "photo": judgement.photo.sha256,
            "duration_ms": round(judgement.duration * 1000, 1),
            "brightness": round(judgement.statistics.brightness, 4),
            "sharpness": round(judgement.statistics.sharpness, 4),
            "unanswered": {
                task: [asdict(attempt) for attempt in error.attempts] for task, error in judgement.unanswered.items()
            },
        }
        if finding := judgement.finding:
            detail["slot"] = {
                "seen": finding.comparison.state,
                "matching": round(finding.comparison.matching, 3),
                "cut": finding.cut.rounded() if finding.cut else None,
            }
        told = [each.unfamiliarity for each in judgement.predictions.values() if each.unfamiliarity is not None]
        if told:
            detail["unfamiliarity"] = round(max(told), 3)
        label = waste_type.label if waste_type else None
        judged = self.event("deposit.judged", deposit_id, waste_type=label, reason=verdict.reason, **detail)
        return [judged, *self._predictions(deposit_id, judgement)]

    def record_alternative(self, deposit_id: UUID, photo: Photo, prediction: Prediction) -> None:
        """Write the prediction of another model, made after the verdict for comparison."""
        self.write([self._prediction(deposit_id, photo, prediction, accepted=False)])

    def write(self, rows: Sequence[Row], *, again: bool = False, patience: float | None = None) -> None:
        """Write all rows or none; with ``again``, rows whose ids exist are skipped. Raises SQLAlchemyError."""
        with (
            self.database.write(patience) as connection,
            Session(connection, expire_on_commit=False) as session,
            session.begin(),
        ):
            for row in rows:
                session.merge(row) if again else session.add(row)
            moments = {row.at for row in rows}
            for row in rows:
                if isinstance(row, Event) and row.kind == "drill.ended":
                    deposits = [UUID(deposit) for deposit in row.detail.get("deposits", ())]
                    moments |= set(session.scalars(select(Event.at).where(Event.deposit_id.in_(deposits))))
            for moment in moments:
                # The day was totalled already, as the clock was set back or a drill ended after midnight.
                session.execute(_UNCOUNT, {"machine": self.machine_id, "moment": moment})

    def tell(self, rows: Sequence[Row]) -> None:
        """Call the observers with the events among ``rows``, which are on the disk."""
        for event in (row for row in rows if isinstance(row, Event)):
            for observer in self._observers:
                observer(event)

    def events(self, deposit_id: UUID) -> Sequence[Event]:
        """Return all events of one deposit, the oldest first."""
        with self._session() as session:
            return sorted(session.scalars(select(Event).where(Event.deposit_id == deposit_id)), key=_order)

    def predictions(self, deposit_id: UUID) -> Sequence[PredictionRow]:
        """Return the predictions of one deposit."""
        with self._session() as session:
            return session.scalars(select(PredictionRow).where(PredictionRow.deposit_id == deposit_id)).all()

    def judged(self, since: datetime | None = None) -> Iterator[tuple[Sequence[Event], Sequence[PredictionRow]]]:
        """Yield the events, oldest first, and the predictions of each judged deposit of this machine, oldest first.

        Reads in batches, without blocking writers.
        """
        batch = self._judged_after(since, None)
        while batch:
            chosen = [happened.deposit_id for happened in batch]
            events: defaultdict[UUID | None, list[Event]] = defaultdict(list)
            predictions: defaultdict[UUID | None, list[PredictionRow]] = defaultdict(list)
            with self._session() as session:
                for happened in session.scalars(select(Event).where(Event.deposit_id.in_(chosen))):
                    events[happened.deposit_id].append(happened)
                for row in session.scalars(select(PredictionRow).where(PredictionRow.deposit_id.in_(chosen))):
                    predictions[row.deposit_id].append(row)
            for deposit_id in chosen:
                yield sorted(events[deposit_id], key=_order), predictions[deposit_id]
            batch = self._judged_after(since, batch[-1])

    def _judged_after(self, since: datetime | None, last: Event | None) -> Sequence[Event]:
        query = select(Event).where(Event.machine_id == self.machine_id, Event.kind == "deposit.judged")
        if since:
            query = query.where(Event.at >= since)
        if last:
            # The first condition is redundant, but lets the query start in the index where the last batch ended.
            query = query.where(Event.at >= last.at, (Event.at > last.at) | (Event.id > last.id))
        with self._session() as session:
            return session.scalars(query.order_by(Event.at, Event.id).limit(_BATCH)).all()

    def drilled(self) -> frozenset[UUID]:
        """Return the ids of this machine's deposits that drills made."""
        drills = select(Event.detail).where(Event.machine_id == self.machine_id, Event.kind == "drill.ended")
        with self._session() as session:
            details = session.scalars(drills).all()
        return frozenset(UUID(deposit) for detail in details for deposit in detail.get("deposits", ()))

    def answers(self, provider: str, task: Task, limit: int) -> Sequence[PredictionRow]:
        """Return the latest answers of one provider on this machine, the newest first."""
        asked = (PredictionRow.machine_id == self.machine_id, PredictionRow.task == task)
        query = select(PredictionRow).where(*asked, PredictionRow.provider == provider)
        with self._session() as session:
            return session.scalars(query.order_by(PredictionRow.at.desc()).limit(limit)).all()

    def unfinished(self) -> Sequence[Event]:
        """Return the latest event of each unfinished deposit of this machine."""
        with self._session() as session:
            opened, ended = (
                session.scalar(select(func.count()).where(Event.machine_id == self.machine_id, Event.kind.in_(kinds)))
                for kinds in (("deposit.opened",), ENDINGS)
            )
            # Among a million deposits the few unfinished ones are the latest; reading all would take minutes.
            missing, found = (opened or 0) - (ended or 0), list[Event]()
            last: Event | None = None
            # The latest batch is always read, as a salvaged journal may have an end without its beginning.
            while (last is None or len(found) < missing) and (batch := self._opened_before(session, last)):
                found += self._not_ended(session, batch)
                last = batch[-1]
        return found

    def was_interrupted(self) -> bool:
        """Return whether the latest deposit of this machine was interrupted."""
        with self._session() as session:
            latest = self._opened_before(session, None)[:1]
            kinds = select(Event.kind).where(Event.deposit_id.in_([event.deposit_id for event in latest]))
            return "deposit.interrupted" in session.scalars(kinds)

    def _opened_before(self, session: Session, last: Event | None) -> Sequence[Event]:
        query = select(Event).where(Event.machine_id == self.machine_id, Event.kind == "deposit.opened")
        if last:
            query = query.where(Event.at <= last.at, (Event.at < last.at) | (Event.id < last.id))
        return session.scalars(query.order_by(Event.at.desc(), Event.id.desc()).limit(_BATCH)).all()

    def _not_ended(self, session: Session, opened: Sequence[Event]) -> Sequence[Event]:
        deposits = [happened.deposit_id for happened in opened]
        latest: dict[UUID | None, Event] = {}
        for happened in sorted(session.scalars(select(Event).where(Event.deposit_id.in_(deposits))), key=_order):
            latest[happened.deposit_id] = happened
        return [happened for happened in latest.values() if happened.kind not in ENDINGS]

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with self.database.read() as connection, Session(connection) as session:
            yield session

    def _predictions(self, deposit_id: UUID, judgement: Judgement) -> Iterable[PredictionRow]:
        for accepted in judgement.predictions.values():
            for prediction in (accepted, *accepted.alternatives):
                yield self._prediction(deposit_id, judgement.photo, prediction, accepted=prediction is accepted)

    def _prediction(self, deposit_id: UUID, photo: Photo, prediction: Prediction, *, accepted: bool) -> PredictionRow:
        return PredictionRow(
            id=uuid4(),
            machine_id=self.machine_id,
            deposit_id=deposit_id,
            at=self._now(),
            task=prediction.task,
            label=prediction.label,
            probability=prediction.probability,
            scores=dict(prediction.scores),
            provider=prediction.provider,
            model_version=prediction.model_version,
            attempts=[asdict(attempt) for attempt in prediction.attempts],
            photo=photo.sha256,
            believed=accepted,
            embedding=[round(number, 3) for number in prediction.embedding] or None,
        )


def _order(happened: Event) -> int:
    return _ORDER[cast(Kind, happened.kind)]
