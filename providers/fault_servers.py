"""Local servers that fail as the cloud does, for ``triof drill``; on loopback only."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

_AZURE, _AWS = "azure", "aws"


class _CannedAnswer(NamedTuple):
    status: int
    body: bytes


_QUOTA_GONE = {
    _AZURE: _CannedAnswer(
        403, b'{"error":{"code":"403","message":"Out of call volume quota. Quota will be replenished in 22.14:18:12."}}'
    ),
    _AWS: _CannedAnswer(400, b'{"__type":"LimitExceededException","Message":"A service limit is exceeded."}'),
}
_RETIRED = dict.fromkeys(
    (_AZURE, _AWS), _CannedAnswer(410, b'{"error":{"code":"410","message":"This service has been retired."}}')
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
    with _answering(_QUOTA_GONE) as address:
        yield address


@contextmanager
def retired() -> Iterator[str]:
    """Yield an address that answers every request with 410, "gone"."""
    with _answering(_RETIRED) as address:
        yield address


@contextmanager
def _answering(answers: Mapping[str, _CannedAnswer]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = answers[_AWS if "X-Amz-Target" in self.headers else _AZURE]
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
            """Do not log requests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
