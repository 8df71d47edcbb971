"""Authentication of API requests: the key, its rate limit and its scopes."""

from flask import g, request

from triof.access.key_values import Key, KeyRefused, KeyRing
from triof.web.api.problems import Refusal
from triof.web.api.routes import ROUTES

_CHALLENGE = 'Bearer realm="triof"'
_SCOPES = {f"api.{route.name}": route.scopes for route in ROUTES}


class ApiAuth:
    """Checks the API key of each request."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    @property
    def key(self) -> Key:
        """The key of the current request."""
        key: Key = g.api_key
        return key

    def admit(self) -> None:
        """Check the key and its limit before the request is handled. Raises Refusal."""
        scopes = _SCOPES.get(request.endpoint or "")
        # A browser's preflight request (OPTIONS) carries no key.
        if not scopes or request.method == "OPTIONS":
            return
        g.api_key = self._whose()
        self.count(1)
        if not any(map(self.key.may, scopes)):
            has = ", ".join(sorted(self.key.scopes))
            raise Refusal(
                "scope_missing",
                f"This needs a key with the scope {' or '.join(scopes)}; this one has {has}.",
                WWW_Authenticate=f'{_CHALLENGE}, error="insufficient_scope", scope="{scopes[0]}"',
            )

    def count(self, photos: int) -> None:
        """Count ``photos`` against the key's limit. Raises Refusal."""
        g.api_usage = usage = self._keys.count(self.key, photos)
        if not usage.allowed:
            raise Refusal(
                "rate_limited",
                f"This key may send {usage.limit} photos and questions a minute: wait {usage.seconds} s.",
                Retry_After=str(usage.seconds),
            )

    def _whose(self) -> Key:
        # werkzeug's request.authorization raises on invalid base64 after Basic.
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            detail = "Send your key in the header Authorization: Bearer KEY."
            raise Refusal("key_missing", detail, WWW_Authenticate=_CHALLENGE)
        try:
            return self._keys.check(secret.strip())
        except KeyRefused as error:
            challenge = f'{_CHALLENGE}, error="invalid_token"'
            raise Refusal(error.code, str(error), WWW_Authenticate=challenge) from error
