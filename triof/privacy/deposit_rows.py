"""Makes the deposits of a period anonymous in a journal, or in a copy of one.

No row is removed, so that all counts of items and days stay as they are. What could lead to a person goes:

- the time of each row becomes the start of its day, so that no deposit belongs to a visit any more;
- the SHA-256 of the photo and the model's embedding of it are removed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import BindParameter, Connection, Row, Table, Uuid, bindparam, inspect, select, update

from triof.journal.journal import ENDINGS
from triof.journal.scope import Scope
from triof.statistics.calendar import Calendar
from triof.storage.tables import Event, PredictionRow

_EVENTS, _PREDICTIONS = cast(Table, Event.__table__), cast(Table, PredictionRow.__table__)
_BATCH = 100
_ID: BindParameter[UUID] = bindparam("row_id", type_=Uuid)


@dataclass
class AnonymousRows:
    """The rows that were changed, and the photos that they named."""

    deposits: int = 0
    events: int = 0
    predictions: int = 0
    photos: set[str] = field(default_factory=set)

    def add(self, other: "AnonymousRows") -> None:
        """Add the counts and photos of another journal or batch."""
        self.deposits += other.deposits
        self.events += other.events
        self.predictions += other.predictions
        self.photos |= other.photos


def of_period(connection: Connection, scope: Scope) -> Sequence[UUID]:
    """Return the deposits with a row in the period; such a deposit counts as a whole."""
    found: dict[UUID, None] = {}
    for table in (Event, PredictionRow):
        query = select(table.deposit_id).where(*scope.of(table), table.deposit_id.is_not(None)).order_by(table.at)
        found.update(dict.fromkeys(connection.scalars(query)))
    return list(found)


def under_way(connection: Connection, deposits: Collection[UUID]) -> set[UUID]:
    """Return those of ``deposits`` that have not ended."""
    ended: set[UUID | None] = set()
    for batch in in_batches(list(deposits)):
        query = select(Event.deposit_id).where(Event.deposit_id.in_(batch), Event.kind.in_(ENDINGS))
        ended |= set(connection.scalars(query))
    return set(deposits) - ended


def photos(connection: Connection, deposits: Collection[UUID]) -> set[str]:
    """Return the SHA-256 of the photos of ``deposits``."""
    found = set()
    for batch in in_batches(list(deposits)):
        found |= {name for row in _events(connection, batch) if (name := row.detail.get("photo"))}
        found |= {row.photo for row in _predictions(connection, batch) if row.photo}
    return found


def in_batches(deposits: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    """Return batches for :func:`anonymise`, short enough for other writers to wait."""
    return (deposits[start : start + _BATCH] for start in range(0, len(deposits), _BATCH))


def anonymise(connection: Connection, deposits: Sequence[UUID], calendar: Calendar) -> AnonymousRows:
    """Make a batch of ``deposits`` anonymous within the transaction; repeated, it changes nothing."""
    if connection.dialect.name == "sqlite":
        # Otherwise what is replaced stays readable in the file.
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
    events = list(_changed(_events(connection, deposits), calendar, _anonymous_event))
    predictions = list(_changed(_predictions(connection, deposits), calendar, _anonymous_prediction))
    if events:
        connection.execute(update(_EVENTS).where(_EVENTS.c.id == _ID), [values for _, values in events])
    if predictions:
        connection.execute(update(_PREDICTIONS).where(_PREDICTIONS.c.id == _ID), [values for _, values in predictions])
    return AnonymousRows(
        len({row.deposit_id for row, _ in (*events, *predictions)}),
        len(events),
        len(predictions),
        {name for row, _ in events if (name := row.detail.get("photo"))}
        | {row.photo for row, _ in predictions if row.photo},
    )


def is_anonymous(at: datetime, calendar: Calendar) -> bool:
    """Return whether ``at`` tells the day only."""
    return at == calendar.begin(calendar.day(at))


def _changed(rows: Sequence[Row[Any]], calendar: Calendar, anonymous: Any) -> Iterator[tuple[Row[Any], dict[str, Any]]]:
    """Yield each row that is not anonymous yet, with its new values."""
    for row in rows:
        values = {"at": calendar.begin(calendar.day(row.at)), **anonymous(row)}
        if any(getattr(row, name) != value for name, value in values.items()):
            yield row, {**values, "row_id": row.id}


def _anonymous_event(row: Row[Any]) -> Mapping[str, Any]:
    return {"detail": {**row.detail, "photo": ""} if "photo" in row.detail else row.detail}


def _anonymous_prediction(row: Row[Any]) -> Mapping[str, Any]:
    # A copy of an earlier version has no embeddings.
    return {"photo": "", **({"embedding": None} if "embedding" in row._mapping else {})}


def _events(connection: Connection, deposits: Sequence[UUID]) -> Sequence[Row[Any]]:
    row = _EVENTS.c
    columns: list[Any] = [row.id, row.deposit_id, row.at, row.detail]
    return connection.execute(select(*columns).where(row.deposit_id.in_(deposits))).all()


def _predictions(connection: Connection, deposits: Sequence[UUID]) -> Sequence[Row[Any]]:
    row = _PREDICTIONS.c
    columns: list[Any] = [row.id, row.deposit_id, row.at, row.photo]
    if "embedding" in {column["name"] for column in inspect(connection).get_columns(_PREDICTIONS.name)}:
        columns.append(row.embedding)
    return connection.execute(select(*columns).where(row.deposit_id.in_(deposits))).all()
