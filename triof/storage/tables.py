"""The tables of the journal's database; a change of one needs a migration (CONTRIBUTING.md)."""

from datetime import UTC, datetime
from math import isfinite
from typing import Any, Literal, cast
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
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeEngine

EntryKind = Literal["call", "refused", "spared", "exhausted", "retired", "resumed", "warned"]


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored in UTC independently of the database's time zone support."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to a naive datetime in UTC."""
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to an aware datetime."""
        return value.replace(tzinfo=UTC) if value else None


class ShortText(TypeDecorator[str]):
    """A text of at most ``length`` characters: SQLite would store longer ones, and PostgreSQL no NUL character."""

    impl = String
    cache_ok = True

    def coerce_compared_value(self, op: OperatorType | None, value: Any) -> TypeEngine[Any]:
        """Return the type of a value that is compared: no longer one is stored, but any may be looked for."""
        return LongText()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text. Raises ValueError."""
        longest = cast(String, self.impl_instance).length
        if value is not None and longest is not None and len(value) > longest:
            raise ValueError(f"the text has {len(value)} characters, and its column holds {longest}")
        return without_nul(value)


class LongText(TypeDecorator[str]):
    """A text of any length."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text. Raises ValueError."""
        return without_nul(value)


class FiniteFloat(TypeDecorator[float]):
    """A number: NaN and infinity compare in other ways in each database."""

    impl = Float
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Return the number. Raises ValueError."""
        if value is not None and not isfinite(value):
            raise ValueError(f"{value} is no number")
        return value


def without_nul(value: str | None) -> str | None:
    """Return the text. Raises ValueError if it contains the character NUL, which PostgreSQL does not store."""
    if value and "\0" in value:
        raise ValueError("the text contains the character NUL")
    return value


class Base(DeclarativeBase):
    """Columns of every row, which let a database hold the journals of many machines."""

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    machine_id: Mapped[str] = mapped_column(ShortText(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Event(Base):
    """An event: its ``kind``, its time, and its deposit, if any.

    ``waste_type`` is the type that was predicted (judged), accepted (confirmed) or shredded. ``reason`` is the
    reason of a verdict or a return, the jammed part, or the interrupted stage.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("events_by_deposit", "deposit_id"),
        Index("events_by_kind", "machine_id", "kind", "at"),
    )

    deposit_id: Mapped[UUID | None] = mapped_column(Uuid)
    kind: Mapped[str] = mapped_column(ShortText(32))
    waste_type: Mapped[str | None] = mapped_column(ShortText(16))
    reason: Mapped[str | None] = mapped_column(ShortText(32))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class PredictionRow(Base):
    """One provider's answer for one deposit's photo."""

    __tablename__ = "predictions"
    __table_args__ = (
        Index("predictions_by_deposit", "deposit_id"),
        Index("predictions_by_task", "machine_id", "task", "at"),
    )

    deposit_id: Mapped[UUID] = mapped_column(Uuid)
    task: Mapped[str] = mapped_column(ShortText(16))
    label: Mapped[str] = mapped_column(ShortText(16))
    probability: Mapped[float] = mapped_column(FiniteFloat)
    scores: Mapped[dict[str, float]] = mapped_column(JSON)
    provider: Mapped[str] = mapped_column(ShortText(128))
    model_version: Mapped[str] = mapped_column(ShortText(128))
    attempts: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    photo: Mapped[str] = mapped_column(ShortText(64))
    """SHA-256 of the image bytes, in hexadecimal; the photo store may have the photo."""
    believed: Mapped[bool] = mapped_column(Boolean)
    """Whether the verdict is based on it; other predictions are for comparison."""
    embedding: Mapped[list[float] | None] = mapped_column(JSON(none_as_null=True))
    """The model's embedding of the photo, if it has one."""


class LedgerRow(Base):
    """An entry in the ledger of a vendor's resource.

    A call that was made, refused or skipped, the vendor's statement that the quota is used up or the service retired,
    our decision to call it again, or a warning.
    """

    __tablename__ = "ledger"
    __table_args__ = (Index("ledger_by_resource", "resource", "kind", "at"),)

    resource: Mapped[str] = mapped_column(ShortText(255))
    tier: Mapped[str] = mapped_column(ShortText(16))
    kind: Mapped[str] = mapped_column(ShortText(16))
    resets_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Until when the vendor is not called, as the quota is used up or the service retired."""


class UploadRow(Base):
    """One photo sent to a project in the cloud, written before it is sent."""

    __tablename__ = "uploads"
    __table_args__ = (
        Index("uploads_by_photo", "project_id", "photo", unique=True),
        Index("uploads_by_outcome", "project_id", "outcome"),
    )

    project_id: Mapped[str] = mapped_column(ShortText(36))
    photo: Mapped[str] = mapped_column(ShortText(64))
    """SHA-256 of the file's bytes, in hexadecimal."""
    path: Mapped[str] = mapped_column(LongText)
    tag_id: Mapped[str] = mapped_column(ShortText(36))
    batch: Mapped[UUID] = mapped_column(Uuid)
    """The id of the request that sent it."""
    outcome: Mapped[str] = mapped_column(ShortText(16))
    """``sending`` until the outcome is known; then ``sent``, ``there`` (it existed before) or ``refused``."""
    reason: Mapped[str] = mapped_column(LongText)
    image_id: Mapped[str] = mapped_column(ShortText(36))
    """The cloud's id of the photo; empty if unknown."""
    since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """A time before the request, by the cloud's clock, from which to search for the photo; None: unknown."""


class ApiKey(Base):
    """A key of the API, stored as a digest; ``at`` is its creation time."""

    __tablename__ = "api_keys"
    __table_args__ = (Index("api_keys_by_name", "machine_id", "name", unique=True),)

    name: Mapped[str] = mapped_column(ShortText(64))
    digest: Mapped[str] = mapped_column(ShortText(64), unique=True)
    """SHA-256 of the key; as the key is long and random, no slower hash is needed."""
    former_digest: Mapped[str | None] = mapped_column(ShortText(64))
    """Digest of the secret before the last rotation, accepted until ``former_until``."""
    former_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    per_minute: Mapped[int | None] = mapped_column(Integer)
    """Requests per minute; None: the limit of the settings."""
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UserRow(Base):
    """A user of the dashboard."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(ShortText(64), unique=True)
    role: Mapped[str] = mapped_column(ShortText(16))
    password_hash: Mapped[str] = mapped_column(LongText)
    session: Mapped[str] = mapped_column(ShortText(32))
    """Part of the login cookie; changing it ends every login."""


class JobRow(Base):
    """A prediction requested through the API; its photo is in the home folder until it is answered."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("jobs_by_idempotency_key", "key_id", "idempotency_key", unique=True),
        Index("jobs_by_status", "machine_id", "status", "at"),
    )

    key_id: Mapped[UUID] = mapped_column(Uuid)
    idempotency_key: Mapped[str | None] = mapped_column(ShortText(255))
    fingerprint: Mapped[str] = mapped_column(ShortText(64))
    """SHA-256 of the request, as an idempotency key belongs to one request."""
    status: Mapped[str] = mapped_column(ShortText(16))
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class DailyTotalRow(Base):
    """Totals of one machine for one past day, stored so that reports over years are fast.

    ``at`` is the time of counting.
    """

    __tablename__ = "tallies"
    __table_args__ = (Index("tallies_by_end", "machine_id", "until", unique=True),)

    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    """The end of the day in the machine's time zone, excluded."""
    counting: Mapped[str] = mapped_column(ShortText(80))
    """Version of the rules and time zone of the count; if they change, the day is counted again."""
    rows: Mapped[int] = mapped_column(Integer)
    """Numbers of events and predictions in the day; they only grow, so a difference means a new count is needed."""
    left_out: Mapped[int] = mapped_column(Integer)
    """Numbers of those that drills made; they only grow as well."""
    counts: Mapped[dict[str, float]] = mapped_column(JSON)
