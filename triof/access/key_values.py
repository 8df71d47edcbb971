"""What an API key is and may do, without the database that keeps the keys of a machine."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, get_args
from uuid import UUID

from triof.access.rate_limit import MovingWindow
from triof.common.errors import TriofError

KeyScope = Literal["predict", "read", "admin"]
KEY_SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)
WINDOW_SECONDS = 60
"""Window of the rate limit."""


class KeyRefused(TriofError):
    """The key is invalid; ``code`` says why."""

    def __init__(self, code: Literal["key_unknown", "key_expired", "key_revoked"], message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Key:
    """A valid API key; ``per_minute`` is None if the settings' limit applies."""

    id: UUID
    name: str
    scopes: frozenset[KeyScope]
    per_minute: int | None

    def may(self, scope: KeyScope) -> bool:
        """Return whether the key has ``scope``; admin includes every scope."""
        return scope in self.scopes or "admin" in self.scopes


class KeyUsage(NamedTuple):
    """Usage of a key's limit; after ``seconds`` there is room for one more, or for the rejected request."""

    allowed: bool
    limit: int
    remaining: int
    seconds: int


class KeyRing(Protocol):
    """Knows the keys of a server."""

    def check(self, secret: str) -> Key:
        """Return the key of ``secret``. Raises KeyRefused."""

    def count(self, key: Key, photos: int = 1) -> KeyUsage:
        """Count a request, or ``photos`` of them, against the limit of ``key``."""


def usage_of(window: MovingWindow, key: Key, limit: int, photos: int) -> KeyUsage:
    """Count ``photos`` uses of ``key`` in ``window``, which allows ``limit``."""
    use = window.use(key.id, limit, photos)
    return KeyUsage(use.allowed, limit, use.remaining, max(1, math.ceil(use.seconds)))
