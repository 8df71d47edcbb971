"""The tables of the journal's database; a change of one needs a migration (CONTRIBUTING.md)."""

from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import (
    JSON,
    Boolean,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
    Uuid,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

EntryKind = Literal["call", "refused", "spared", "exhausted", "retired", "resumed", "warned"]


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, in UTC whatever the database makes of time zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC, without the zone."""
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware again."""
        return value.replace(tzinfo=UTC) if value else None


class Base(DeclarativeBase):
    """What stands on every row, so that the journals of many machines can meet in one database."""

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    machine_id: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Event(Base):
    """One thing that happened: ``kind``, when, and to which deposit.

    ``waste_type`` is what the event is about: predicted (judged), believed (confirmed) or shredded. ``reason`` says
    why: a verdict's or a return's reason, the jammed part, the stage that was interrupted.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("events_by_deposit", "deposit_id"),
        Index("events_by_kind", "machine_id", "kind", "at"),
    )

    deposit_id: Mapped[UUID | None] = mapped_column(Uuid)
    kind: Mapped[str] = mapped_column(String(32))
    waste_type: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(32))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class PredictionRow(Base):
    """One provider's answer about one deposit's photo."""

    __tablename__ = "predictions"
    __table_args__ = (
        Index("predictions_by_deposit", "deposit_id"),
        Index("predictions_by_task", "machine_id", "task", "at"),
    )

    deposit_id: Mapped[UUID] = mapped_column(Uuid)
    task: Mapped[str] = mapped_column(String(16))
    label: Mapped[str] = mapped_column(String(16))
    probability: Mapped[float] = mapped_column(Float)
    scores: Mapped[dict[str, float]] = mapped_column(JSON)
    provider: Mapped[str] = mapped_column(String(128))
    model_version: Mapped[str] = mapped_column(String(128))
    attempts: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    photo: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the image bytes, in hexadecimal; the photo itself is in the photo store as long as it is kept."""
    believed: Mapped[bool] = mapped_column(Boolean)
    """Whether the verdict rests on it; the others were given beside it, to compare."""
    embedding: Mapped[list[float] | None] = mapped_column(JSON(none_as_null=True))
    """What the model saw besides its labels, where it tells."""


class LedgerRow(Base):
    """One line of the ledger of a vendor's resource.

    A call made, refused or spared, the vendor's word that nothing is left or that the service is retired, ours that it
    is asked again, a warning given.
    """

    __tablename__ = "ledger"
    __table_args__ = (Index("ledger_by_resource", "resource", "kind", "at"),)

    resource: Mapped[str] = mapped_column(String(255))
    tier: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(16))
    resets_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Until when the vendor is not asked, as it says that nothing is left or that the service is retired."""


class UploadRow(Base):
    """One photo sent to a project in the cloud, written before it is sent."""

    __tablename__ = "uploads"
    __table_args__ = (
        Index("uploads_by_photo", "project_id", "photo", unique=True),
        Index("uploads_by_outcome", "project_id", "outcome"),
    )

    project_id: Mapped[str] = mapped_column(String(36))
    photo: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the file's bytes, in hexadecimal."""
    path: Mapped[str] = mapped_column(Text)
    tag_id: Mapped[str] = mapped_column(String(36))
    batch: Mapped[UUID] = mapped_column(Uuid)
    """The request that it went with."""
    outcome: Mapped[str] = mapped_column(String(16))
    """``sending`` until the cloud has told what became of it; then ``sent``, ``there`` (before us) or ``refused``."""
    reason: Mapped[str] = mapped_column(Text)
    image_id: Mapped[str] = mapped_column(String(36))
    """The cloud's own; empty where nobody has heard it."""
    since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """A time of the cloud's clock before the request left, to look for it from there on; None: not known."""


class ApiKey(Base):
    """A key of the API, of which only a digest is kept; ``at`` is when it was made."""

    __tablename__ = "api_keys"
    __table_args__ = (Index("api_keys_by_name", "machine_id", "name", unique=True),)

    name: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the key, which is random and long, so that nothing slower is needed."""
    former_digest: Mapped[str | None] = mapped_column(String(64))
    """Of the secret that this key had before it was rotated, which is taken until ``former_until``."""
    former_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    per_minute: Mapped[int | None] = mapped_column(Integer)
    """Requests; None: what the settings say."""
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UserRow(Base):
    """Somebody who may look at the dashboard."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str] = mapped_column(Text)
    session: Mapped[str] = mapped_column(String(32))
    """Stands in the cookie; another one ends every login."""


class JobRow(Base):
    """A prediction that was asked for by the API; its photo is in the home folder until it is answered."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("jobs_by_idempotency_key", "key_id", "idempotency_key", unique=True),
        Index("jobs_by_status", "machine_id", "status", "at"),
    )

    key_id: Mapped[UUID] = mapped_column(Uuid)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    fingerprint: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the request, so that one idempotency key stands for one request."""
    status: Mapped[str] = mapped_column(String(16))
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class DailyTotalRow(Base):
    """What happened on one machine on one day that is over, counted once, so that years are read in an instant.

    ``at`` is when it was counted.
    """

    __tablename__ = "tallies"
    __table_args__ = (Index("tallies_by_end", "machine_id", "until", unique=True),)

    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    """When the day ended where the machine stands; not included."""
    counting: Mapped[str] = mapped_column(String(80))
    """By which rules, and in which time zone; by others it has to be counted again."""
    rows: Mapped[int] = mapped_column(Integer)
    """Of events and predictions in the day. They only become more: this tells whether all were there to be counted."""
    left_out: Mapped[int] = mapped_column(Integer)
    """Those of them that a drill made; they only become more as well."""
    counts: Mapped[dict[str, float]] = mapped_column(JSON)
