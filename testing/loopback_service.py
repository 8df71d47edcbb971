"""The wire: what listens on loopback, and delivers answers well or badly; subclasses say what is answered."""

import socket
import ssl
import struct
import sys
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedReader
from typing import Any, Generic, Self, TypeVar

from testing.http_replies import Reply

F = TypeVar("F", bound=str)

DRIP_SECONDS = 0.1


MISSING_BYTES = 100


FOREVER_BYTES = 1_000_000


@dataclass(frozen=True)
class Request:
    """What came over the wire, read to the end."""

    method: str
    path: str
    headers: Message
    body: bytes
    too_fast: bool = False
    """Whether it was one too many when its head arrived."""


class Service(Generic[F]):
    """What listens on loopback and misbehaves; ``with`` starts and stops it. A subclass says what it answers.

    Set at any time: ``fault``, ``latency`` (seconds before a good answer). Read: ``endpoint``, ``received`` (requests
    whose head came whole), ``connections`` (accepted), ``ca_pem`` (with ``tls``).
    """

    def __init__(self, faults: Collection[F], canned: Mapping[Any, Reply], *, tls: bool = False) -> None:
        """``faults`` are the names that ``fault`` takes, ``canned`` those of them that are an answer of their own."""
        self._faults = faults
        self.latency = 0.0
        self.received = self.connections = 0
        self.ca_pem = b""
        self._fault: F | None = None
        self._lock = threading.Lock()
        self._switch = threading.Lock()
        self._started = False
        self.tls = self._certify() if tls else None
        self.canned: dict[F | None, Reply] = dict[F | None, Reply](canned.items())
        """What faults answer that are an answer of their own."""
        # Bound from now on, also while stopped: the address refuses, and nobody else can take it.
        self._listener = _Listener(self, port=0)
        self.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.server_port}"

    def _certify(self) -> ssl.SSLContext:
        import trustme

        authority = trustme.CA()
        self.ca_pem = authority.cert_pem.bytes()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        return context

    def start(self) -> None:
        """Listen, on the same port as ever."""
        with self._switch:
            if not self._started:
                self._listener.open()
                self._started = True

    def stop(self) -> None:
        """Refuse connections and drop those that are open, whatever their handlers are at."""
        with self._switch:
            if self._started:
                self._listener.drop()
                self._listener = _Listener(self, self._listener.server_port)
                self._started = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._listener.server_close()

    @property
    def fault(self) -> F | None:
        """How the service misbehaves; None when it does not."""
        return self._fault

    @fault.setter
    def fault(self, fault: F | None) -> None:
        self._fault = self.known(fault)

    def known(self, fault: F | None) -> F | None:
        """The fault, if there is one of this name: a typo would behave well, and prove nothing."""
        if fault is not None and fault not in self._faults:
            raise ValueError(f"no fault is called {fault!r}")
        return fault

    @property
    def open_connections(self) -> int:
        """How many connections are open."""
        return self._listener.count_open()

    def wait_closed(self, timeout: float) -> bool:
        """Wait until no connection is open; whether that came to pass within ``timeout`` seconds."""
        return self._listener.wait_closed(timeout)

    def connected(self) -> None:
        """A connection was accepted."""
        with self._lock:
            self.connections += 1

    def hangs(self) -> bool:
        """Whether what comes on a connection now is never read."""
        return self._fault == "hang_before_read"

    def arrived(self, method: str, path: str, headers: Message) -> bool:
        """The head of a request came whole; whether it came too soon after others."""
        with self._lock:
            self.received += 1
        return False

    def judge(self, request: Request) -> tuple[Reply, F | None]:
        """The answer, and the fault by which it is delivered."""
        raise NotImplementedError


class _Listener(ThreadingHTTPServer):
    """One time between start and stop, so that a handler of an earlier one can never come back to life."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, service: Service[Any], port: int) -> None:
        super().__init__(("127.0.0.1", port), _Conversation, bind_and_activate=False)
        self.service = service
        self.stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Condition(threading.Lock())
        self.server_bind()

    def server_bind(self) -> None:
        """Bind, without the look-up of the host's name that HTTPServer does: it can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def open(self) -> None:
        self.server_activate()
        # The interval is how long drop() may have to wait.
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def drop(self) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._open:
                self._cut(connection)

    @staticmethod
    def _cut(connection: socket.socket) -> None:
        # Shut down, not closed: only that wakes a handler that is reading; it closes the socket then. Past TLS, which
        # would want to say good-bye.
        with suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; the TLS handshake is left to the first read, so that a slow client keeps no other one waiting."""
        connection, address = super().get_request()
        if self.service.tls:
            connection = self.service.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        self.service.connected()
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close without the base class's FIN, so that a reset is a reset."""
        self.close_request(request)
        with self._lock:
            self._open.discard(request)
            self._lock.notify_all()

    def count_open(self) -> int:
        with self._lock:
            return len(self._open)

    def wait_closed(self, timeout: float) -> bool:
        with self._lock:
            return self._lock.wait_for(lambda: not self._open, timeout)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are this server's daily bread; anything else is a bug of it and is printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Conversation(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener
    rfile: BufferedReader

    def handle(self) -> None:
        if self.server.service.hangs():
            self.server.stopped.wait()
        else:
            super().handle()

    def handle_one_request(self) -> None:
        """Read a request to its end, and answer it."""
        self.close_connection = True
        # On a kept connection the fault may have been set since: look once something has come.
        if not self.rfile.peek(1):
            return
        if self.server.service.hangs():
            self.server.stopped.wait()
            return
        self.raw_requestline = self.rfile.readline(65_537)
        if self.parse_request():
            self._converse(self.server.service.arrived(self.command, self.path, self.headers))

    def _converse(self, too_fast: bool) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            # The end of such a body is unknown, so there is no next request on this connection.
            self.close_connection = True
            length = "0"
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return
        reply, fault = self.server.service.judge(Request(self.command, self.path, self.headers, body, too_fast))
        self._wait(reply, fault)
        if self.server.stopped.is_set():
            self.close_connection = True
        else:
            self._deliver(reply, fault)

    def _wait(self, reply: Reply, fault: str | None) -> None:
        if fault == "silent":
            self.server.stopped.wait()
        elif fault is None and reply.status == HTTPStatus.OK:
            self.server.stopped.wait(self.server.service.latency)

    def _deliver(self, reply: Reply, fault: str | None) -> None:
        if fault in ("half_open", "reset", "dropped"):
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif fault == "drip":
            self._drip(reply.head(FOREVER_BYTES), b" ")
        elif fault == "drip_headers":
            self._drip(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"a")
        elif fault == "truncated":
            self.close_connection = True
            self.wfile.write(reply.head(len(reply.body) + MISSING_BYTES) + reply.body)
        elif fault == "cut":
            half = reply.body[: len(reply.body) // 2]
            self.wfile.write(reply.head(len(half)) + half)
        else:
            # One write: two would cost 40 ms of Nagle and delayed acknowledgement on some systems.
            self.wfile.write(reply.head(len(reply.body)) + reply.body)

    def _drip(self, start: bytes, drop: bytes) -> None:
        self.close_connection = True
        self.wfile.write(start)
        while not self.server.stopped.wait(DRIP_SECONDS):
            self.wfile.write(drop)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Say nothing: the tests look at the counters."""
