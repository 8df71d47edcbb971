"""Counts calls as the vendor does, so that no call is made after the quota is used up.

Every call is a row that is written before the call, so that the count is never below the vendor's, even after a
crash. The vendor's own statement about its count takes precedence.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, NamedTuple, cast
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, Select, Table, bindparam, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from providers.base import Allowance, ProviderMisconfigured, QuotaExceeded, RateLimited, ServiceRetired
from providers.call_window import JITTER_SECONDS, SECOND, Call, CallWindow
from providers.event_log import get_logger
from triof.judging.cloud_providers import allowances
from triof.settings.tree import Settings
from triof.storage.database import Database
from triof.storage.database_errors import is_locked
from triof.storage.tables import EntryKind, LedgerRow, UtcDateTime

log = get_logger(__name__)

_LEDGER = cast(Table, LedgerRow.__table__)

WINDOW = timedelta(days=30)
"""The vendor's month is a rolling window."""
_SECOND = timedelta(seconds=SECOND + JITTER_SECONDS)
"""The vendor's second, widened by the uncertain arrival of calls."""
_UNCOUNTED_KINDS: tuple[EntryKind, ...] = ("refused", "spared")
_PATIENCE_SECONDS = 1.0
"""Seconds to wait for the database lock; less than the timeout of the cloud."""
_LOCKED_SECONDS = 1.0
WARNED_FROM = 0.8
"""Share of the quota at which a warning is logged, once per window."""


@dataclass(frozen=True)
class QuotaUsage:
    """Usage of one resource in the last 30 days. ``remaining`` is None if there is no limit."""

    allowance: Allowance
    used: int
    in_tier: int
    """Used calls in the tier of the settings, charged at its price."""
    refused: int
    """Calls that the vendor refused; not part of those used."""
    skipped: int
    """Calls that the cascade avoided."""
    remaining: int | None
    resets_at: datetime | None
    """When calls are possible again if none remain; else when the oldest call leaves the window."""
    all_free_at: datetime | None
    """When the latest call leaves the window."""
    exhausted: bool
    """Whether no call is possible now, by our count or the vendor's statement."""
    retired_until: datetime | None = None
    """Until when no call is made because the vendor reports the service as retired."""

    @property
    def euros(self) -> float:
        """Cost of the used calls in euros, at the price of the settings."""
        return self.in_tier * self.allowance.euros_per_1000 / 1000


class _QuotaStatus(NamedTuple):
    """The counts of a resource at one moment."""

    in_month: int
    """Calls in the last 30 days."""
    oldest_in_month: datetime | None
    latest: datetime | None
    in_second: int
    oldest_in_second: datetime | None
    exhausted_until: datetime | None
    """Until when the vendor's statement that the quota is used up holds."""
    retired_until: datetime | None
    """Until when its statement that the service is retired holds."""


class QuotaLedger:
    """The calls to one prediction resource, in ``database``, counted over all threads and processes.

    ``now`` gives aware datetimes.
    """

    def __init__(
        self, database: Database, allowance: Allowance, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.allowance = allowance
        self._database = database
        self._now = now
        # Built once, as building the statement takes as long as running it.
        self._standing = _standing_of(allowance)
        self._window = CallWindow()
        self._calls: dict[UUID, Call] = {}
        """Calls of this process that are not answered yet."""
        self._lock = Lock()

    def take(self) -> UUID:
        """Count a call before it is made.

        Raises QuotaExceeded and RateLimited if it must not be made (the latter also if the database is locked), and
        ProviderMisconfigured if it cannot be counted.
        """
        now = self._now()
        # Under the write lock, so that no other call is counted at the same time.
        with self._writing() as connection:
            call = self._write(connection, "call", now)
            standing = self._stands(connection, now)
            self._check(standing, now)
            warned = self._warn_once(connection, standing.in_month, now)
        with self._lock:
            self._calls[call] = self._window.begin(now.timestamp())
        if warned:
            resource, limit = self.allowance.resource, self.allowance.per_month
            log.warning("quota.warned", resource=resource, used=f"{standing.in_month} of {limit}")
        return call

    def heard(self, call: UUID, *, failed: bool) -> None:
        """Record that a call was answered or failed, which limits when it arrived at the vendor."""
        with self._lock:
            if begun := self._calls.pop(call, None):
                self._window.end(begun, self._now().timestamp(), failed=failed)

    def give_back(self, call: UUID) -> None:
        """Remove a call that did not reach the vendor."""
        with self._writing() as connection:
            connection.execute(_LEDGER.delete().where(_LEDGER.c.id == call))

    def refused(self, call: UUID) -> None:
        """Record that the vendor refused the call: it counts within its second, but not against the quota."""
        with self._writing() as connection:
            connection.execute(_LEDGER.update().where(_LEDGER.c.id == call).values(kind="refused"))

    def wait(self) -> float:
        """Return for how many seconds the rate limit allows no call. Raises SQLAlchemyError."""
        now = self._now()
        with self._database.read() as connection:
            return self._rate_wait(self._stands(connection, now), now)

    def skip(self) -> None:
        """Record that a question was answered without a call."""
        with self._writing() as connection:
            self._write(connection, "spared", self._now())

    def exhausted(self, resets_at: datetime) -> None:
        """Record that the vendor reports the quota as used up until ``resets_at``."""
        with self._writing() as connection:
            self._write(connection, "exhausted", self._later(connection), resets_at)
        log.error("quota.exhausted", resource=self.allowance.resource, resets_at=resets_at.isoformat())

    def retired(self, until: datetime) -> None:
        """Record that the vendor reports the service as retired; it is probed once after ``until``."""
        with self._writing() as connection:
            self._write(connection, "retired", self._later(connection), until)
        log.error("cloud.retired", resource=self.allowance.resource, asked_again_at=until.isoformat())

    def resume(self) -> None:
        """Allow calls again, discarding the vendor's statements about its quota and retirement."""
        with self._writing() as connection:
            self._write(connection, "resumed", self._later(connection))

    def usage(self) -> QuotaUsage:
        """Return the current usage. Raises SQLAlchemyError."""
        now = self._now()
        with self._database.read() as connection:
            standing = self._stands(connection, now)
            refused, skipped = (self._count(connection, kind, now - WINDOW) for kind in _UNCOUNTED_KINDS)
            in_tier = self._count(connection, "call", now - WINDOW, _LEDGER.c.tier == self.allowance.tier)
        limit, word = self.allowance.per_month, standing.exhausted_until
        oldest, latest = standing.oldest_in_month, standing.latest
        used_up = limit is not None and standing.in_month >= limit
        exhausted = used_up or word is not None
        # If both the vendor and our count refuse calls, the later end counts.
        freed = oldest + WINDOW if oldest and (used_up or not word) else None
        all_freed = latest + WINDOW if oldest and latest else None
        return QuotaUsage(
            self.allowance,
            standing.in_month,
            in_tier,
            refused,
            skipped,
            remaining=0 if exhausted else None if limit is None else limit - standing.in_month,
            resets_at=max(filter(None, (word, freed)), default=None),
            all_free_at=max(filter(None, (word, all_freed)), default=None),
            exhausted=exhausted,
            retired_until=standing.retired_until,
        )

    def _later(self, connection: Connection) -> datetime:
        """Return now, or just after the latest entry if the clock was set back since."""
        words = (_LEDGER.c.resource == self.allowance.resource, _LEDGER.c.kind.in_(("exhausted", "retired", "resumed")))
        last = connection.scalar(select(func.max(_LEDGER.c.at)).where(*words))
        return max(self._now(), last + timedelta(microseconds=1)) if last else self._now()

    def _check(self, standing: _QuotaStatus, now: datetime) -> None:
        month = self.allowance.per_month
        if standing.retired_until:
            raise ServiceRetired(
                f"The cloud said that its service is retired; it is asked again from {standing.retired_until:%Y-%m-%d}"
                " on, or after `triof quota --resume`."
            )
        if standing.exhausted_until:
            raise QuotaExceeded("The cloud said that the quota is used up.", standing.exhausted_until)
        # The new call is included in the count already.
        if wait := self._rate_wait(standing._replace(in_second=standing.in_second - 1), now):
            raise RateLimited(f"The tier allows {self.allowance.per_second} calls a second.", wait)
        if month is not None and standing.in_month > month and standing.oldest_in_month:
            resets_at = standing.oldest_in_month + WINDOW
            raise QuotaExceeded(f"All {month:,} calls of 30 days are used up, by our own count.", resets_at)

    def _rate_wait(self, standing: _QuotaStatus, now: datetime) -> float:
        """Return the seconds until the rate limit allows another call."""
        if self.allowance.per_second is None:
            return 0.0
        # Earlier calls of this process that may have arrived late.
        late = self._late(now.timestamp())
        if standing.in_second + len(late) < self.allowance.per_second:
            return 0.0
        oldest = standing.oldest_in_second
        leaving = [*late, *([(oldest + _SECOND).timestamp()] if oldest else [])]
        return max(0.0, min(leaving, default=now.timestamp()) - now.timestamp())

    def _late(self, now: float) -> list[float]:
        with self._lock:
            calls = self._window.counting(now)
            return [self._window.leaves_at(call) for call in calls if call.started <= now - _SECOND.total_seconds()]

    def _warn_once(self, connection: Connection, used: int, now: datetime) -> bool:
        limit = self.allowance.per_month
        if limit is None or used < WARNED_FROM * limit or self._count(connection, "warned", now - WINDOW):
            return False
        self._write(connection, "warned", now)
        return True

    def _stands(self, connection: Connection, now: datetime) -> _QuotaStatus:
        moments = {"now": now, "month": now - WINDOW, "second": now - _SECOND}
        return _QuotaStatus(*connection.execute(self._standing, moments).one())

    def _count(self, connection: Connection, kind: EntryKind, since: datetime, *where: ColumnElement[bool]) -> int:
        of = (_LEDGER.c.resource == self.allowance.resource, _LEDGER.c.kind == kind, _LEDGER.c.at > since, *where)
        return connection.scalar(select(func.count()).select_from(_LEDGER).where(*of)) or 0

    def _write(self, connection: Connection, kind: EntryKind, at: datetime, resets_at: datetime | None = None) -> UUID:
        entry = {
            "id": uuid4(),
            "machine_id": self._database.machine_id,
            "at": at,
            "resource": self.allowance.resource,
            "tier": self.allowance.tier,
            "kind": kind,
            "resets_at": resets_at,
        }
        connection.execute(_LEDGER.insert(), entry)
        return UUID(str(entry["id"]))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._database.write(_PATIENCE_SECONDS) as connection:
                if connection.dialect.name == "postgresql":
                    # On PostgreSQL the write lock does not exclude other processes.
                    connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(self.allowance.resource))))
                yield connection
        except SQLAlchemyError as error:
            # A call that is not counted must not be made; the router falls back.
            cause = str(getattr(error, "orig", None) or type(error).__name__)
            if is_locked(error):
                raise RateLimited(f"The call could not be counted in time ({cause}).", _LOCKED_SECONDS) from error
            raise ProviderMisconfigured(
                f"The call cannot be counted ({cause}): make room on the disk, or mend journal.url."
            ) from error


def ledgers(settings: Settings, database: Database) -> Mapping[str, QuotaLedger]:
    """Return the ledger of each provider of the routes whose calls are counted."""
    return {name: QuotaLedger(database, allowance) for name, allowance in allowances(settings).items()}


def _standing_of(allowance: Allowance) -> Select[Any]:
    """Build the statement for a :class:`_QuotaStatus`; its parameters are ``now``, ``month`` and ``second``."""

    def entries(what: ColumnElement[Any], kinds: tuple[EntryKind, ...], *where: ColumnElement[bool]) -> Any:
        of = (_LEDGER.c.resource == allowance.resource, _LEDGER.c.kind.in_(kinds))
        return select(what).select_from(_LEDGER).where(*of, *where).scalar_subquery()

    at, now = _LEDGER.c.at, bindparam("now", type_=UtcDateTime)
    month, second = (at > bindparam(name, type_=UtcDateTime) for name in ("month", "second"))
    resumed = entries(func.max(at), ("resumed",))
    holds = (_LEDGER.c.resets_at > now, or_(resumed.is_(None), at > resumed))
    return select(
        entries(func.count(), ("call",), month),
        entries(func.min(at), ("call",), month),
        entries(func.max(at), ("call",)),
        # Entries from the future come from a clock that was ahead.
        entries(func.count(), ("call", "refused"), second, at <= now),
        entries(func.min(at), ("call", "refused"), second, at <= now),
        # A statement made in another tier does not apply.
        entries(func.max(_LEDGER.c.resets_at), ("exhausted",), _LEDGER.c.tier == allowance.tier, *holds),
        entries(func.max(_LEDGER.c.resets_at), ("retired",), *holds),
    )
