"""The photos that a cloud project has, so that none is sent twice after a crash.

In the machine's database: a row is written before a photo is sent and updated with the cloud's response.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, cast
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Table, bindparam, delete, select, update

from triof.storage.database import Database
from triof.storage.tables import UploadRow

Outcome = Literal["sent", "there", "refused"]
_UPLOADS = cast(Table, UploadRow.__table__)


@dataclass(frozen=True)
class Sending:
    """A photo being sent: the SHA-256 of its file, its path and its tag."""

    photo: str
    path: str
    tag_id: str


@dataclass
class UncertainRequest:
    """A request that an earlier run left unfinished; ``since`` by the cloud's clock, if known."""

    since: datetime | None
    photos: list[Sending] = field(default_factory=list)


@dataclass(frozen=True)
class UploadStatus:
    """The state of a photo; ``outcome`` is ``sending`` while it is unknown."""

    outcome: str
    reason: str
    tag_id: str
    image_id: str
    """The cloud's id; empty if the response with it was lost."""
    batch: UUID
    since: datetime | None


class UploadLedger:
    """The photos of one project; thread-safe. Each method raises SQLAlchemyError."""

    def __init__(
        self, database: Database, project_id: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._project_id = project_id
        self._now = now

    def known(self, photos: Iterable[str]) -> Mapping[str, UploadStatus]:
        """Return the state of these photos, by their SHA-256."""
        columns = (_UPLOADS.c.photo, *(_UPLOADS.c[name] for name in UploadStatus.__dataclass_fields__))
        with self._database.read() as connection:
            rows = connection.execute(select(*columns).where(*self._are(photos)))
            return {photo: UploadStatus(*rest) for photo, *rest in rows}

    def in_doubt(self) -> Mapping[UUID, UncertainRequest]:
        """Return the requests of this machine that an earlier run left unfinished."""
        here = _UPLOADS.c.machine_id == self._database.machine_id
        which = (_UPLOADS.c.project_id == self._project_id, _UPLOADS.c.outcome == "sending", here)
        columns = (_UPLOADS.c.batch, _UPLOADS.c.since, *(_UPLOADS.c[name] for name in Sending.__dataclass_fields__))
        batches: dict[UUID, UncertainRequest] = {}
        with self._database.read() as connection:
            for batch, since, *rest in connection.execute(select(*columns).where(*which).order_by(_UPLOADS.c.at)):
                batches.setdefault(batch, UncertainRequest(since)).photos.append(Sending(*rest))
        return batches

    def begin(self, batch: UUID, photos: Sequence[Sending], since: datetime | None) -> None:
        """Record that these photos are sent now, after ``since`` by the cloud's clock; on the disk on return."""
        common = {
            "machine_id": self._database.machine_id,
            "at": self._now(),
            "project_id": self._project_id,
            "batch": batch,
            "outcome": "sending",
            "reason": "",
            "image_id": "",
            "since": since,
        }
        rows = [{**common, "id": uuid4(), **vars(photo)} for photo in photos]
        with self._database.write() as connection:
            connection.execute(_UPLOADS.insert(), rows)

    def finalize(self, outcomes: Mapping[str, tuple[Outcome, str, str]]) -> None:
        """Record the cloud's response: outcome, reason and the cloud's id by SHA-256."""
        if not outcomes:
            return
        rows = [
            {"of": photo, "outcome": outcome, "reason": reason, "image_id": image_id}
            for photo, (outcome, reason, image_id) in outcomes.items()
        ]
        one = (_UPLOADS.c.project_id == self._project_id, _UPLOADS.c.photo == bindparam("of"))
        with self._database.write() as connection:
            connection.execute(update(_UPLOADS).where(*one), rows)

    def retagged(self, images: Mapping[str, str], tag_id: str) -> None:
        """Record a new tag: the cloud's id by SHA-256."""
        with self._database.write() as connection:
            for photo, image_id in images.items():
                changed = update(_UPLOADS).where(*self._are([photo]))
                connection.execute(changed.values(tag_id=tag_id, image_id=image_id))

    def forget(self, photos: Iterable[str]) -> None:
        """Remove photos that did not arrive, so that they are sent again."""
        with self._database.write() as connection:
            connection.execute(delete(_UPLOADS).where(*self._are(photos)))

    def _are(self, photos: Iterable[str]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return _UPLOADS.c.project_id == self._project_id, _UPLOADS.c.photo.in_(list(photos))
