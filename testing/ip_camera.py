"""An IP camera on loopback that keeps a history and behaves as badly as it is told to."""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Literal, Self

import simplejpeg

from testing.scripted_pictures import Bytes8, Sensor, scene

Behaviour = Literal[
    "well",
    "garbage",
    "page",
    "half",
    "drips",
    "stalls",
    "breaks_off",
    "login",
    "digest",
    "missing",
    "redirect",
    "error",
]
_NONCE = "5f3a"


class IpCamera:
    """Serves ``/snapshot.jpg``, ``/video`` (parts with their length) and ``/bare`` (parts without)."""

    def __init__(self, picture: Bytes8 | None = None) -> None:
        self.sensor = Sensor(scene() if picture is None else picture)
        self.behaviour: Behaviour = "well"
        self.history: list[str] = []
        self.logins: list[str] = []
        self.seconds = 0.005
        self._gone = Event()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def url(self, path: str = "/snapshot.jpg", login: str = "") -> str:
        """The address of a path, with ``user:password`` if told so."""
        return f"http://{login + '@' if login else ''}127.0.0.1:{self.port}{path}"

    def plug(self) -> None:
        """Switch the camera on, at the port that it had."""
        camera, self._gone = self, Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with suppress(OSError):  # the other side has had enough
                    camera._answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def unplug(self) -> None:
        """Switch the camera off: streams end, and nothing listens any more."""
        self._gone.set()
        if server := self._server:
            self._server = None
            server.shutdown()
            server.server_close()

    def jpeg(self) -> bytes:
        """The next frame."""
        image: bytes = simplejpeg.encode_jpeg(self.sensor.frame(), quality=95, colorspace="RGB")
        return image[: len(image) // 2] if self.behaviour == "half" else image

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.history.append(handler.path)
        self.logins += handler.headers.get_all("Authorization", [])
        refusal = {"missing": 404, "error": 500}.get(self.behaviour)
        if self.behaviour == "stalls":
            self._gone.wait(10)
        elif refusal:
            handler.send_error(refusal)
        elif self.behaviour == "redirect":
            _head(handler, 302, {"Location": "http://elsewhere.example/secret-path", "Content-Length": "0"})
        elif challenge := self._challenge(handler):
            _head(handler, 401, {"WWW-Authenticate": challenge, "Content-Length": "0"})
        elif handler.path.startswith("/snapshot.jpg"):
            self._snapshot(handler)
        else:
            self._stream(handler, with_length=handler.path.startswith("/video"))

    def _challenge(self, handler: BaseHTTPRequestHandler) -> str:
        told = handler.headers.get("Authorization", "")
        if self.behaviour == "login" and told != "Basic bWFyaWU6czNjcmV0":  # marie:s3cret
            return 'Basic realm="camera"'
        if self.behaviour == "digest" and not _knows(told, handler.path):
            return f'Digest realm="camera", nonce="{_NONCE}"'
        return ""

    def _snapshot(self, handler: BaseHTTPRequestHandler) -> None:
        kind, body = "image/jpeg", self.jpeg()
        if self.behaviour == "page":
            kind, body = "text/html", b"<html>Log in"
        elif self.behaviour == "garbage":
            body = b"\xff\xd8" + bytes(range(256)) * 20
        _head(handler, 200, {"Content-Type": kind, "Content-Length": str(len(body))})
        self._send(handler, body)

    def _stream(self, handler: BaseHTTPRequestHandler, *, with_length: bool) -> None:
        _head(handler, 200, {"Content-Type": 'multipart/x-mixed-replace; boundary="--part"'})
        gone = self._gone
        while not gone.wait(self.seconds):
            body = bytes(range(256)) * 300 if self.behaviour == "garbage" else self.jpeg()
            length = f"Content-Length: {len(body)}\r\n" if with_length else ""
            handler.wfile.write(f"\r\n--part\r\nContent-Type: image/jpeg\r\n{length}\r\n".encode())
            if not self._send(handler, body):
                return

    def _send(self, handler: BaseHTTPRequestHandler, body: bytes) -> bool:
        """Send a picture; False if it broke off."""
        if self.behaviour == "breaks_off":
            handler.wfile.write(body[: len(body) // 2])
            return False
        for piece in _pieces(body) if self.behaviour == "drips" else [body]:
            handler.wfile.write(piece)
            if self.behaviour == "drips" and self._gone.wait(0.02):
                return False
        return True


def _head(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


def _pieces(body: bytes) -> Iterator[bytes]:
    yield from (body[at : at + 1] for at in range(len(body)))


def _knows(told: str, path: str) -> bool:
    """Whether a digest login is that of marie with the password s3cret (RFC 7616, without qop)."""
    digest: Callable[[str], str] = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
    found = dict(re.findall(r'(\w+)="?([^",]+)', told))
    expected = digest(f"{digest('marie:camera:s3cret')}:{_NONCE}:{digest(f'GET:{path}')}")
    return found.get("response") == expected
