"""A host of photos on loopback that keeps a history and behaves as badly as it is told to."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True)
class Answer:
    """One scripted answer; ``drip`` sends the body byte by byte, ``hold`` waits for the test first.

    The body is sent ``times`` over.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1
    hold: threading.Event | None = None
    drip: Callable[[], None] | None = None


class PhotoHost:
    """Serves ``answers``, one list a path; the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.history: list[str] = []
        self.sent = 0
        self.passwords: set[str] = set()
        self.asked = threading.Condition()
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host._answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self, path: str, *answers: Answer | bytes) -> str:
        """Script the answers of a path; returns its address."""
        self.answers[path] = [answer if isinstance(answer, Answer) else Answer(answer) for answer in answers]
        return self.url + path

    def times(self, path: str) -> int:
        """How often a path was asked for."""
        return self.history.count(path)

    def wait_for(self, path: str) -> None:
        """Block until somebody asks for a path."""
        with self.asked:
            assert self.asked.wait_for(lambda: path in self.history, timeout=10), f"nobody asks for {path}"

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        with self.asked:
            self.history.append(handler.path)
            self.passwords |= set(handler.headers.get_all("Authorization", []))
            script = self.answers.get(handler.path, [Answer(status=404)])
            answer = script.pop(0) if len(script) > 1 else script[0]
            self.asked.notify_all()
        if answer.hold:
            answer.hold.wait(10)
        try:
            handler.send_response(answer.status)
            for name, value in answer.headers.items():
                handler.send_header(name, value)
            if answer.times == 1 and "Content-Length" not in answer.headers:
                handler.send_header("Content-Length", str(len(answer.body)))
            handler.end_headers()
            self._send(handler, answer)
        except OSError:
            pass  # the other side has had enough

    def _send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        if answer.drip is None:
            for _ in range(answer.times):
                handler.wfile.write(answer.body)
                self.sent += len(answer.body)
            return
        for byte in answer.body:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            answer.drip()
