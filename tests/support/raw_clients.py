"""Clients that speak HTTP byte by byte, and a server in a thread whose time is the test's."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.clock import Clock
from triof.settings.sections.server import ServerSettings
from triof.web.server import Server

HUGE = 12_000_000
PATIENCE = 20
"""Seconds after which a test has failed; none waits so long when all is well."""
GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
BEGUN = (b"GET / HT", b"GET / HTTP/1.1\r\nX-Slow: 1", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab")


class App:
    """Answers at once; at ``/slow`` when told to, at ``/huge`` at length."""

    def __init__(self) -> None:
        self.asked, self.go = threading.Event(), threading.Event()
        self.answered = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        if environ["PATH_INFO"].endswith("/slow"):
            self.asked.set()
            assert self.go.wait(PATIENCE)
        body = b" " * HUGE if environ["PATH_INFO"] == "/huge" else b"done"
        start_response("200 OK", [("Content-Length", str(len(body)))])
        self.answered += 1
        return [body]


class Served:
    """A server in a thread, and its clients."""

    def __init__(self, app: App, **settings: Any) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.clock = Clock()
        self.server = Server(app, ServerSettings(port=self.port, threads=2, **settings), 1_000_000, self.clock)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        self.clients: list[socket.socket] = []

    def client(self, said: bytes = b"", host: str = "127.0.0.1") -> socket.socket:
        client = socket.create_connection((host, self.port), PATIENCE)
        self.clients.append(client)
        client.sendall(said)
        return client

    def round(self) -> None:
        """Let everything that was sent before arrive, and everything be closed whose time is up."""
        for _ in range(3):
            client = self.client(GET % b"livez")
            assert answer(client)
            client.close()

    def takes_no_more(self) -> bool:
        try:
            self.client().close()
        except (ConnectionRefusedError, ConnectionResetError):
            return True
        return False

    def ended(self) -> bool:
        self.thread.join(PATIENCE)
        return not self.thread.is_alive()


Serve = Callable[..., Served]
"""Begins to serve, with the settings given."""


@contextmanager
def serving(app: App) -> Iterator[Serve]:
    """Servers of ``app``, which have ended in order when the context is left."""
    all_served: list[Served] = []

    def start(**settings: Any) -> Served:
        all_served.append(Served(app, **settings))
        return all_served[-1]

    yield start
    app.go.set()
    for served in all_served:
        for client in served.clients:
            client.close()
        served.server.stop()
        assert served.ended()


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.005)
    return holds()


def answer(client: socket.socket) -> bytes:
    """All of it, which may come in pieces; empty where none comes."""
    got = b""
    while not got.endswith(b"done"):
        if not (chunk := client.recv(1000)):
            return b""
        got += chunk
    return got
