"""API keys: creation, checks, usage counts, rotation and revocation.

A key is shown once and only its digest is stored. Running servers read the table every two seconds, so that a revoked
key is rejected from then on.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import Row, Table, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from providers.event_log import get_logger
from triof.access.key_values import KEY_SCOPES, WINDOW_SECONDS, Key, KeyRefused, KeyScope, KeyUsage, usage_of
from triof.access.rate_limit import MovingWindow
from triof.common.errors import TriofError
from triof.storage.database import Database
from triof.storage.tables import ApiKey

log = get_logger(__name__)

PREFIX = "triof_"
"""Prefix by which secret scanners recognise a committed key."""
_SECRET_BYTES = 32
_LOOK_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 0.2
_USE_NOTED = timedelta(minutes=1)

_KEYS = cast(Table, ApiKey.__table__)


class KeyImpossible(TriofError):
    """A key cannot be created, rotated or revoked as requested."""


class Keys:
    """The keys of one machine. ``clock`` in monotonic seconds, ``now`` gives aware datetimes.

    ``note`` schedules database writes that a request must not wait for; None: in a thread of its own.
    """

    def __init__(
        self,
        database: Database,
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        note: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self._database = database
        self._per_minute = per_minute
        self._clock = clock
        self._now = now
        self._lock = Lock()
        self._known: Sequence[Row[Any]] = ()
        self._looked_at: float | None = None
        self._noted: dict[UUID, datetime] = {}
        # In memory: one process serves, and a limit that a restart resets does no harm.
        self._window = MovingWindow(WINDOW_SECONDS, clock)
        self._notes = ThreadPoolExecutor(1, "key-notes")
        self._note = note or self._notes.submit

    def create(
        self,
        name: str,
        scopes: Collection[KeyScope],
        *,
        expires_at: datetime | None = None,
        per_minute: int | None = None,
    ) -> str:
        """Create a key and return it; it cannot be shown again. Raises KeyImpossible, SQLAlchemyError."""
        secret = _new_secret()
        row = {
            "id": uuid4(),
            "machine_id": self._database.machine_id,
            "at": self._now(),
            "name": name,
            "digest": _digest(secret),
            "scopes": [scope for scope in KEY_SCOPES if scope in scopes],
            "expires_at": expires_at,
            "per_minute": per_minute,
        }
        try:
            with self._database.write() as connection:
                connection.execute(_KEYS.insert(), row)
        except IntegrityError:
            raise KeyImpossible(
                f"There is a key {name!r} already: choose another name, or replace its secret with"
                f" `triof keys rotate {name}`."
            ) from None
        return secret

    def all(self) -> Sequence[Row[Any]]:
        """Return the rows of :class:`ApiKey`, oldest first. Raises SQLAlchemyError."""
        with self._database.read() as connection:
            of = _KEYS.c.machine_id == self._database.machine_id
            return connection.execute(select(_KEYS).where(of).order_by(_KEYS.c.at)).all()

    def revoke(self, name: str) -> None:
        """Revoke a key for good. Raises KeyImpossible, SQLAlchemyError."""
        self._change(name, revoked_at=self._now())

    def rotate(self, name: str, grace: timedelta = timedelta()) -> str:
        """Give a key a new secret and return it; the former one stays valid for ``grace``.

        The key keeps its id, scopes and limit. Raises KeyImpossible, SQLAlchemyError.
        """
        secret = _new_secret()
        until = self._now() + grace if grace else None
        former = _KEYS.c.digest if grace else None
        self._change(name, digest=_digest(secret), former_digest=former, former_until=until)
        return secret

    def check(self, secret: str) -> Key:
        """Return the key of ``secret``. Raises KeyRefused."""
        digest, now = _digest(secret), self._now()
        # An unknown key reloads the table, at a limited rate, as it may be new.
        found = self._find(digest, now, _LOOK_SECONDS) or self._find(digest, now, _LOOK_AGAIN_SECONDS)
        if not found:
            raise KeyRefused(
                "key_unknown", "This key is not known here: it was mistyped, replaced, or is another machine's."
            )
        if found.revoked_at:
            raise KeyRefused("key_revoked", "This key was revoked: ask the operator of the machine for a new one.")
        if found.expires_at and found.expires_at <= now:
            raise KeyRefused("key_expired", f"This key expired on {found.expires_at:%Y-%m-%d}: ask for another one.")
        self._note_use(found, now)
        return Key(found.id, found.name, frozenset(found.scopes), found.per_minute)

    def count(self, key: Key, photos: int = 1) -> KeyUsage:
        """Count a request, or ``photos`` of them, against the limit of ``key``."""
        return usage_of(self._window, key, key.per_minute or self._per_minute, photos)

    def close(self) -> None:
        """Write pending usage times."""
        self._notes.shutdown()

    def _find(self, digest: str, now: datetime, seconds: float) -> Row[Any] | None:
        """Return the row of a digest, from a table read at most ``seconds`` ago."""
        found: Row[Any] | None = None
        # Compares with all rows, so that the time taken reveals nothing.
        for row in self._rows(seconds):
            is_former = hmac.compare_digest(row.former_digest or "", digest) and row.former_until > now
            if hmac.compare_digest(row.digest, digest) or is_former:
                found = row
        return found

    def _rows(self, seconds: float) -> Sequence[Row[Any]]:
        with self._lock:
            if self._looked_at is None or self._clock() - self._looked_at >= seconds:
                self._known = self.all()
                self._looked_at = self._clock()
            return self._known

    def _note_use(self, row: Row[Any], now: datetime) -> None:
        last = self._noted.get(row.id, row.last_used_at)
        # Absolute difference, as the clock may have been set back.
        if last and abs(now - last) < _USE_NOTED:
            return
        self._noted[row.id] = now
        # The executor of a closing server takes no more tasks.
        with suppress(RuntimeError):
            self._note(partial(self._write_use, row.id, now))

    def _write_use(self, id_: UUID, at: datetime) -> None:
        try:
            with self._database.write() as connection:
                connection.execute(update(_KEYS).where(_KEYS.c.id == id_).values(last_used_at=at))
        except SQLAlchemyError as error:
            log.warning("key.use_unnoted", cause=type(error).__name__)

    def _change(self, name: str, **values: Any) -> None:
        of = (_KEYS.c.machine_id == self._database.machine_id, _KEYS.c.name == name)
        with self._database.write() as connection:
            changed = connection.execute(update(_KEYS).where(*of, _KEYS.c.revoked_at.is_(None)).values(**values))
            if changed.rowcount:
                return
            there = connection.execute(select(_KEYS.c.id).where(*of)).first()
        what = f"The key {name!r} was taken back already" if there else f"There is no key {name!r}"
        raise KeyImpossible(f"{what}: `triof keys list` shows those there are.")


def _new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
