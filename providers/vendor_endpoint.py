"""The HTTP side of one API of a vendor: a connection for each thread, and the error of a call that failed."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import requests

from providers.base import ProviderError
from providers.http_connection import HttpConnection, RequestSlot, no_wait
from providers.network_errors import broken_off, unreached
from providers.options import is_loopback

Refusal = Callable[[int, Mapping[str, str], str, datetime], ProviderError]
"""Returns the error for a response: its status, its headers, the beginning of its body, and the time now."""


class VendorEndpoint:
    """An API at ``address``. Thread-safe; each thread has its own connection.

    Reuse threads, as each new one opens a connection. ``slot`` is entered around every request; ``secret`` is blotted
    out of responses.
    """

    def __init__(
        self,
        address: str,
        refusal: Refusal,
        *,
        connect_seconds: float,
        secret: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        slot: RequestSlot = no_wait,
    ) -> None:
        self.address = address
        self._refusal = refusal
        self._connect_seconds = connect_seconds
        self._secret = secret
        self._now = now
        self._slot = slot
        self._connections = threading.local()
        self._opened: list[HttpConnection] = []
        # Plain HTTP to loopback must not go through a proxy.
        self.trust_env = not (address.startswith("http:") and is_loopback(urlsplit(address).hostname))

    def connection(self) -> HttpConnection:
        """Return the connection of this thread."""
        if not hasattr(self._connections, "own"):
            self._connections.own = HttpConnection(self._slot)
            self._opened.append(self._connections.own)
        connection: HttpConnection = self._connections.own
        return connection

    def timeouts(self, timeout: float) -> tuple[float, float]:
        """Return the connect and the read timeout in seconds."""
        return min(self._connect_seconds, timeout), timeout

    def fetch(
        self, method: str, address: str, *, timeout: float, refusal: Refusal, must_be_ok: bool
    ) -> tuple[Mapping[str, str], bytes]:
        """Request an address without credentials; return headers and body. Raises only ProviderError.

        ``must_be_ok``: any status but 200 is an error.
        """
        # Without a slot: such requests do not count as calls of the API.
        connection = HttpConnection()
        try:
            with requests.Session() as session, connection.call(timeout):
                session.trust_env = self.trust_env
                session.mount(address, connection)
                answer = session.request(method, address, timeout=self.timeouts(timeout), allow_redirects=False)
                if must_be_ok and answer.status_code != requests.codes.ok:
                    raise requests.HTTPError(response=answer)
        except Exception as error:
            raise self.fault(error, connection, timeout, refusal) from error
        return answer.headers, connection.body

    def fault(
        self, error: Exception, connection: HttpConnection, timeout: float, refusal: Refusal | None = None
    ) -> ProviderError:
        """Return the error for a call that raised ``error``; ``refusal`` replaces that of the API."""
        if isinstance(error, ProviderError):
            return error
        if connection.connecting:
            return unreached(error)
        if connection.response is not None and not connection.hung_up:
            text = connection.body[:4000].decode(errors="replace")
            text = text.replace(self._secret, "…") if self._secret else text
            refused = refusal or self._refusal
            return refused(connection.response.status_code, connection.response.headers, text, self._now())
        return broken_off(error, connection.hung_up, timeout)

    def close(self) -> None:
        """Close the connections of all threads; one in use is closed after its call."""
        for connection in self._opened:
            connection.close()
