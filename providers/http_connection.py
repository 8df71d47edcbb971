"""An HTTP connection to the vendor with a deadline for the whole call."""

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from socket import SHUT_RDWR
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError

RequestSlot = Callable[[int], AbstractContextManager[None]]
"""Entered before a request of so many bytes is sent, left when it is answered."""


def no_wait(_size: int) -> AbstractContextManager[None]:
    """Return a slot that does not wait."""
    return nullcontext()


class HttpConnection(HTTPAdapter):
    """One thread's connection to the vendor: never retries, keeps the response, and can be aborted by another thread.

    A request is sent within ``slot()``, whose wait does not count against the timeout. A connection that was idle for
    ``idle_seconds`` is replaced, as a router may have dropped it silently.
    """

    def __init__(self, slot: RequestSlot = no_wait, idle_seconds: float = 60.0) -> None:
        self.response: requests.Response | None = None
        """The response with its ``body``, once it is complete."""
        self.body = b""
        self.hung_up = False
        self.connecting = False
        """Whether the call is still connecting, so that the request was not sent."""
        self._connection: HTTPConnection | None = None
        self._call = 0
        self.timeout = 0.0
        """Seconds for the call under way."""
        self._slot = slot
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._last_used = 0.0
        # Weak, as urllib3 pools and their connections refer to each other and would never be freed.
        self._pools = _pools(weakref.proxy(self))
        super().__init__(pool_maxsize=1, max_retries=0)

    @contextmanager
    def call(self, timeout: float) -> Iterator[None]:
        """Abort ``timeout`` seconds after the request is sent, as the SDK's timeout restarts with each byte."""
        with self._lock:
            self.response, self.body, self.hung_up, self.connecting = None, b"", False, False
            self._call += 1
            self.timeout = timeout
        yield
        # Truncated headers look like a complete response without a body.
        if self.hung_up:
            raise TimeoutError

    @contextmanager
    def _alarm(self) -> Iterator[None]:
        alarm = threading.Timer(self.timeout, self._hang_up, [self._call])
        alarm.daemon = True
        alarm.start()
        try:
            yield
        finally:
            alarm.cancel()

    def _hang_up(self, call: int) -> None:
        """Abort the call from another thread."""
        with self._lock:
            if call != self._call:
                return
            self.hung_up = True
            socket = getattr(self._connection, "sock", None)
            if socket:
                with suppress(OSError):
                    socket.shutdown(SHUT_RDWR)

    def forget(self) -> None:
        """Drop the references to a finished call, which the SDK keeps in a reference cycle."""
        if self.response is not None:
            vars(self.response).clear()
        self.response, self.body = None, b""

    def connect(self, connection: HTTPConnection, connect: Callable[[], None]) -> None:
        """Connect, and record the connection of the call; raises if the call was aborted meanwhile."""
        self._connection, self.connecting = connection, True
        connect()
        with self._lock:
            if self.hung_up:
                raise ConnectTimeoutError(connection, "hung up while connecting")
            self.connecting = False

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Use connections that report to this adapter."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Do the same for connections through an HTTP proxy, but not through SOCKS."""
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self._pools
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send on a recently used connection, and read the response completely."""
        size = len(request.body) if isinstance(request.body, str | bytes) else 0
        with self._slot(size), self._alarm():
            if time.monotonic() - self._last_used > self._idle_seconds:
                self.close()
            response = super().send(request, *args, **options)
            self.body, self.response = response.content, response
            self._last_used = time.monotonic()
        return response


def _pools(owner: HttpConnection) -> dict[str, Any]:
    class Plain(HTTPConnection):
        def connect(self) -> None:
            owner.connect(self, super().connect)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            owner.connect(self, super().connect)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
