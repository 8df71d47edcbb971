"""The API keys of a model's web service: a text file with a key in each line."""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from uuid import NAMESPACE_OID, uuid5

from triof.access.key_values import WINDOW_SECONDS, Key, KeyRefused, KeyUsage, usage_of
from triof.access.rate_limit import MovingWindow
from triof.common.errors import TriofError

_LEAST_CHARACTERS = 16
_MAKE_ONE = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


class KeysMissing(TriofError):
    """There is no usable key."""


class KeyFile:
    """The keys of a service; each may send ``per_minute`` photos a minute. ``clock`` in monotonic seconds."""

    def __init__(self, secrets: Iterable[str], per_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._digests = {_digest(secret): number for number, secret in enumerate(secrets, 1)}
        self._per_minute = per_minute
        self._window = MovingWindow(WINDOW_SECONDS, clock)

    def check(self, secret: str) -> Key:
        """Return the key of ``secret``. Raises KeyRefused."""
        digest = _digest(secret)
        # Compares with all keys, so that the time taken reveals nothing.
        found = [number for known, number in self._digests.items() if hmac.compare_digest(known, digest)]
        if not found:
            raise KeyRefused("key_unknown", "This key is not in the service's key file: it was mistyped or replaced.")
        return Key(uuid5(NAMESPACE_OID, digest), f"key {found[0]}", frozenset({"predict"}), None)

    def count(self, key: Key, photos: int = 1) -> KeyUsage:
        """Count ``photos`` against the limit of ``key``."""
        return usage_of(self._window, key, self._per_minute, photos)


def read(path: Path) -> list[str]:
    """Return the keys in the file. Raises KeysMissing."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise KeysMissing(f"The key file {path} cannot be read ({error}): make one by {_MAKE_ONE} > {path}") from error
    keys = [line.strip() for line in lines if line.strip()]
    if not keys:
        raise KeysMissing(f"There is no key in {path}: make one by {_MAKE_ONE} > {path}")
    if short := [number for number, key in enumerate(keys, 1) if len(key) < _LEAST_CHARACTERS]:
        raise KeysMissing(
            f"Key {short[0]} in {path} has fewer than {_LEAST_CHARACTERS} characters: make one by {_MAKE_ONE}"
        )
    return keys


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
