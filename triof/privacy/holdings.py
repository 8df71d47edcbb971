"""Lists what is held of a period: how much of it, and from when to when."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select

from triof.journal.scope import Scope
from triof.predictions import erasure as api
from triof.privacy import deposit_rows, journal_copies, log_lines, slot_pictures, waiting_rows
from triof.privacy.journal_copies import CopyUnreadable
from triof.settings.tree import Settings
from triof.statistics.calendar import Calendar
from triof.storage.database import Database
from triof.storage.photo_store import PhotoStore, StoredPhoto
from triof.storage.tables import ApiKey, Event, PredictionRow, UploadRow, UserRow


class Holding(NamedTuple):
    """A kind of record, how many there are in the period, and the times of the first and the last one."""

    name: str
    number: int
    first: datetime | None = None
    last: datetime | None = None
    remark: str = ""


def stored_photos(settings: Settings, scope: Scope) -> Sequence[StoredPhoto]:
    """Return the photos of deposits that were stored in the period, the oldest first."""
    since, until = scope.since.timestamp(), scope.until.timestamp()
    return [photo for photo in PhotoStore.of(settings).all() if since <= photo.stored_at < until]


def look(settings: Settings, database: Database, scope: Scope) -> Iterator[Holding]:
    """Yield what is held of the period, also where there is nothing. Raises SQLAlchemyError, OSError."""
    photos = stored_photos(settings, scope)
    yield _spanning("photos", [datetime.fromtimestamp(photo.stored_at, UTC) for photo in photos])
    yield _spanning("other pictures of the slot", list(slot_pictures.in_period(settings.home, scope).values()))
    yield from _deposits(database, scope, Calendar(settings.reports.timezone))
    yield from _copies(settings, database, scope)
    lines = [line.at for path in log_lines.files(settings.home / "logs") for line in log_lines.in_period(path, scope)]
    yield _spanning("log lines", lines)
    yield Holding("rows in the outbox", waiting_rows.in_period(settings.home, scope))
    yield _spanning("photos that wait for the API", list(api.waiting_photos(settings.home, scope).values()))
    yield Holding("predictions of the API", api.stored_predictions(database, scope))
    yield from _staff(database, scope)


def _deposits(database: Database, scope: Scope, calendar: Calendar) -> Iterator[Holding]:
    with database.read() as connection:
        query = select(Event.deposit_id, Event.at).where(*scope.of(Event), Event.deposit_id.is_not(None))
        rows = connection.execute(query.order_by(Event.at)).all()
        embeddings = select(func.count()).where(*scope.of(PredictionRow), PredictionRow.embedding.is_not(None))
        held = connection.scalar(embeddings) or 0
    timed: dict[UUID | None, datetime] = {}
    for row in rows:
        if not deposit_rows.is_anonymous(row.at, calendar):
            timed.setdefault(row.deposit_id, row.at)
    yield _spanning("deposits with their times", list(timed.values()))
    yield Holding("deposits without times", len({row.deposit_id for row in rows} - set(timed)), remark="anonymous")
    yield Holding("embeddings of photos", held)


def _copies(settings: Settings, database: Database, scope: Scope) -> Iterator[Holding]:
    for path in journal_copies.all_of(settings, database.path) if database.path else ():
        try:
            yield Holding(f"deposits in {path.name}", journal_copies.deposits(path, scope))
        except CopyUnreadable as error:
            yield Holding(f"deposits in {path.name}", 0, remark=str(error))


def _staff(database: Database, scope: Scope) -> Iterator[Holding]:
    """Yield what is held of those who run the machine, which an erasure leaves."""
    with database.read() as connection:
        for name, table in (
            ("users of the dashboard", UserRow),
            ("API keys", ApiKey),
            ("photos uploaded for training", UploadRow),
        ):
            times = connection.scalars(select(table.at).where(*scope.of(table))).all()
            yield _spanning(name, times, "not erased")


def _spanning(name: str, times: Sequence[datetime], remark: str = "") -> Holding:
    return Holding(name, len(times), min(times, default=None), max(times, default=None), remark if times else "")
