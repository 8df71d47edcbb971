"""Who is let in: by a key, or by a token of Entra ID where the resource knows it."""

from collections.abc import Collection
from email.message import Message

from testing.azure.replies import ACCESS_DENIED, KEYS_DISABLED, TOKEN_REFUSED
from testing.http_replies import Reply


def refused(headers: Message, header: str, key: str, tokens: Collection[str], *, keys_disabled: bool) -> Reply | None:
    """Why a request is not let in; ``header`` is that of the key."""
    if "Authorization" in headers:
        kind, _, token = headers["Authorization"].partition(" ")
        return None if kind == "Bearer" and token in tokens else TOKEN_REFUSED
    if headers.get(header) != key:
        return ACCESS_DENIED
    return KEYS_DISABLED if keys_disabled else None
