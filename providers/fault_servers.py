"""Local servers that fail as the cloud does, for ``triof drill``; on loopback only."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

_QUOTA_GONE = (
    b'{"error":{"code":"403","message":"Out of call volume quota. Quota will be replenished in 22.14:18:12."}}'
)


@contextmanager
def dead() -> Iterator[str]:
    """Yield an address that refuses every connection and is reserved meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def slow() -> Iterator[str]:
    """Yield an address that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


@contextmanager
def quota_gone() -> Iterator[str]:
    """Yield an address that answers every request with the vendor's error for a used-up quota."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _QuotaGone) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class _QuotaGone(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(_QUOTA_GONE)))
        self.end_headers()
        self.wfile.write(_QUOTA_GONE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
        """Do not log requests."""
