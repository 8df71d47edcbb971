"""One connection to the vendor that ends when it is told to."""

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

_IDLE_SECONDS = 60.0
"""A connection unused for longer may have been forgotten by some router on the way, which answers nothing then."""

RequestSlot = Callable[[int], AbstractContextManager[None]]
"""Entered when a request of so many bytes is about to leave, left when its answer has come."""


def no_wait(_size: int) -> AbstractContextManager[None]:
    """The turn of whoever need not wait."""
    return nullcontext()


class HttpConnection(HTTPAdapter):
    """One thread's connection to the vendor: never retries, remembers the response, and can be hung up from outside.

    A request is sent within ``slot()``, which may wait; that wait is not part of the call.
    """

    def __init__(self, slot: RequestSlot = no_wait) -> None:
        self.response: requests.Response | None = None
        """What came, once it has come whole, with its ``body``."""
        self.body = b""
        self.hung_up = False
        self.connecting = False
        """Whether the call has not got further than that, so that the question never left."""
        self._connection: HTTPConnection | None = None
        self._call = 0
        self._timeout = 0.0
        self._slot = slot
        self._lock = threading.Lock()
        self._last_used = 0.0
        # Weakly, as urllib3 keeps a pool's connections as long as they keep their pool, which would be for ever.
        self._pools = _pools(weakref.proxy(self))
        super().__init__(pool_maxsize=1, max_retries=0)

    @contextmanager
    def call(self, timeout: float) -> Iterator[None]:
        """Hang up ``timeout`` seconds after the request leaves: the SDK's timeout begins anew with each byte."""
        with self._lock:
            self.response, self.body, self.hung_up, self.connecting = None, b"", False, False
            self._call += 1
            self._timeout = timeout
        yield
        # Headers that break off look like those of a whole answer without a body.
        if self.hung_up:
            raise TimeoutError

    @contextmanager
    def _alarm(self) -> Iterator[None]:
        alarm = threading.Timer(self._timeout, self._hang_up, [self._call])
        alarm.daemon = True
        alarm.start()
        try:
            yield
        finally:
            alarm.cancel()

    def _hang_up(self, call: int) -> None:
        """End the call from another thread, whatever it waits for."""
        with self._lock:
            if call != self._call:
                return
            self.hung_up = True
            socket = getattr(self._connection, "sock", None)
            if socket:
                with suppress(OSError):
                    socket.shutdown(SHUT_RDWR)

    def forget(self) -> None:
        """Let go of a call that has succeeded: the SDK ties all that went and came into a lasting cycle."""
        if self.response is not None:
            vars(self.response).clear()
        self.response, self.body = None, b""

    def connect(self, connection: HTTPConnection, connect: Callable[[], None]) -> None:
        """Connect, and note the connection that the call uses; raises if the call was hung up meanwhile."""
        self._connection, self.connecting = connection, True
        connect()
        with self._lock:
            if self.hung_up:
                raise ConnectTimeoutError(connection, "hung up while connecting")
            self.connecting = False

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Let every new connection report to this line."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The same for connections through a proxy; those of SOCKS are of another kind."""
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self._pools
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send on a connection that is not too old, and read the answer to its end."""
        size = len(request.body) if isinstance(request.body, str | bytes) else 0
        with self._slot(size), self._alarm():
            idle = time.monotonic() - self._last_used
            if idle > _IDLE_SECONDS:
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
