"""Azure Custom Vision's prediction service on loopback: strict about what it is asked, and broken on demand.

:class:`Service` is the wire, which ``training_server.py`` shares; :class:`CustomVisionServer` answers predictions.
A request meets the key (401), the path, the project and the published name (404), the quota (403), the rate (429), the
image (400) and only then ``fault`` or the good answer. ``calls`` counts what the vendor would count.
"""

import json
import math
import re
import secrets
import socket
import ssl
import struct
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedReader, BytesIO
from types import MappingProxyType
from typing import Any, Literal, Self, get_args
from urllib.parse import unquote, urlsplit

from PIL import Image, UnidentifiedImageError

Fault = Literal[
    "silent",  # reads the request and never answers
    "hang_before_read",  # accepts the connection and never reads
    "drip",  # the body, a byte every DRIP_SECONDS for ever
    "drip_headers",  # the same within the headers
    "half_open",  # RST after reading the request, as a middlebox that forgot the connection
    "reset",  # the same
    "truncated",  # less than Content-Length says, then closed
    "cut",  # half of the body, with the length of that half
    "dropped",  # RST, and nothing was done, as on a connection that was closed while it was idle
    "empty_503",
    "empty_401",
    "empty_429",
    "html_502",
    "html_200",  # a captive portal
    "bad_json",
    "json_list",
    "empty_200",
    "empty_object",
    "null_predictions",
    "unknown_tag",  # the tag "verre" wins
    "rate_limited",
    "quota_403",
    "quota_429_days",
    "forbidden",
    "redirect",  # to a port where nobody listens
    "nan",  # the best tag's probability
    "multilabel",  # probabilities whose sum is not 1
    "too_few_tags",  # the first two only
    "server_error",
    "bad_image",
    "retired",
    "expired_link",  # as the storage answers for an address whose day is over
]
DRIP_SECONDS = 0.1
MISSING_BYTES = 100
FOREVER_BYTES = 1_000_000
MOST_IMAGE_BYTES = 4 * 1024 * 1024
LONGEST_SIDE = 10_240
MOST_ASPECT = 25
REFUSED = frozenset({400, 401, 403, 404, 410, 429})
CLASSIFY = re.compile(r"/customvision/v3\.1/prediction/([^/]+)/classify/iterations/([^/]+)/image(/nostore)?")
TAG_SCORES = MappingProxyType({"bouteille": 0.95, "gobelet": 0.03, "couvert": 0.015, "Negative": 0.005})


@dataclass(frozen=True)
class Request:
    """What came over the wire, read to the end."""

    method: str
    path: str
    headers: Message
    body: bytes
    too_fast: bool = False
    """Whether it was one too many when its head arrived."""


@dataclass(frozen=True)
class Received:
    """An image that came with a right key to a right address, whatever became of it."""

    image: bytes
    stored: bool
    headers: Mapping[str, str]
    path: str


@dataclass(frozen=True)
class Reply:
    """What goes back over the wire."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def head(self, announced_bytes: int) -> bytes:
        """Status line and headers, which promise so many bytes of body."""
        headers = {"Content-Type": "application/json; charset=utf-8", "Content-Length": announced_bytes, **self.headers}
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", *(f"{k}: {v}" for k, v in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def of_gateway(status: int, message: str, **headers: str) -> Reply:
    """An error as the gateway in front of the service words it, which the SDK cannot read."""
    body = json.dumps({"error": {"code": str(status), "message": message}}).encode()
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def of_service(status: int, code: str, message: str) -> Reply:
    """An error as the service itself words it (``CustomVisionError`` of the swagger)."""
    return Reply(status, json.dumps({"code": code, "message": message}).encode())


def page(status: int, title: str) -> Reply:
    """What a proxy or a captive portal shows to people."""
    body = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Reply(status, body.encode(), {"Content-Type": "text/html"})


ACCESS_DENIED = of_gateway(
    401,
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource.",
)
NO_RESOURCE = of_gateway(404, "Resource not found")
NO_PROJECT = of_service(404, "NotFoundProject", "Invalid project")
NO_ITERATION = of_service(404, "NotFoundIteration", "Invalid iteration")
QUOTA_USED = of_gateway(
    403, "Out of call volume quota. Quota will be replenished in 22.14:18:12.", Retry_After="1952292"
)
TOO_FAST = of_gateway(
    429,
    "Requests to the Classify Image Operation under Custom Vision Prediction API (v3.1) have exceeded rate limit of "
    "your current CustomVision.Prediction F0 pricing tier. Please retry after 1 second. Please contact Azure support "
    "service if you would like to further increase the default rate limit.",
    Retry_After="1",
)
NO_STREAM = of_service(400, "BadRequestImageStream", "The request has no part imageData in multipart/form-data.")
BAD_FORMAT = of_service(400, "BadRequestImageFormat", "The image is not a JPEG, PNG, BMP or GIF.")
BAD_SIZE = of_service(400, "BadRequestImageSizeBytes", "The image has more than 4 MB.")
BAD_DIMENSIONS = of_service(400, "BadRequestImageDimensions", "A side is above 10240 pixels or the aspect above 25:1.")
DAYS = {"statusCode": 429, "message": "Out of call volume quota. Please retry after 28 days."}

CANNED: Mapping[Fault | None, Reply] = MappingProxyType(
    {
        "empty_503": Reply(503),
        "empty_401": Reply(401),
        "empty_429": Reply(429, headers={"Retry-After": "1"}),
        "html_502": page(502, "502 Bad Gateway"),
        "html_200": page(200, "Bienvenue sur le Wi-Fi"),
        "bad_json": Reply(200, b'{"id": "'),
        "json_list": Reply(200, b"[]"),
        "empty_200": Reply(200),
        "empty_object": Reply(200, b"{}"),
        "rate_limited": TOO_FAST,
        "quota_403": QUOTA_USED,
        "quota_429_days": Reply(429, json.dumps(DAYS).encode()),
        "forbidden": of_gateway(403, "Access denied due to Virtual Network/Firewall rules."),
        "redirect": Reply(307, headers={"Location": "http://127.0.0.1:1/portal"}),
        "server_error": of_service(500, "ErrorPredictionServiceUnavailable", "The prediction service is unavailable."),
        "bad_image": BAD_FORMAT,
        "retired": of_gateway(410, "This service has been retired."),
        "expired_link": Reply(
            403,
            b"<Error><Code>AuthenticationFailed</Code><Message>Signature not valid in the specified time frame"
            b"</Message></Error>",
            {"Content-Type": "application/xml"},
        ),
        "dropped": Reply(503),
    }
)


def altered(scores: Mapping[str, float], fault: Fault | None) -> dict[str, float]:
    """The scores as the fault bends them; other faults leave them as they are."""
    if fault == "unknown_tag":
        return {"verre": 0.9} | {tag: score / 10 for tag, score in scores.items()}
    if fault == "nan":
        return {**scores, max(scores, key=scores.__getitem__): math.nan}
    if fault == "multilabel":
        return dict(zip(scores, (0.9, 0.8, 0.7, 0.1), strict=False))
    return dict(list(scores.items())[: 2 if fault == "too_few_tags" else None])


def prediction(
    project_id: str, iteration_id: str, scores: Mapping[str, float], ids: Mapping[str, str], fault: Fault | None
) -> Reply:
    """An answer with the tags sorted by probability, as the fault bends it; ``ids`` are those of the tags, if any."""
    ranked = sorted(altered(scores, fault).items(), key=lambda item: item[1], reverse=True)
    tags = [
        {
            "probability": probability,
            "tagId": ids.get(tag) or str(uuid.uuid5(uuid.UUID(project_id), tag)),
            "tagName": tag,
            "tagType": "Negative" if tag == "Negative" else "Regular",
        }
        for tag, probability in ranked
    ]
    answer = {
        "id": str(uuid.uuid4()),
        "project": project_id,
        "iteration": iteration_id,
        "created": timestamp(datetime.now(UTC)),
        "predictions": None if fault == "null_predictions" else tags,
    }
    return Reply(200, json.dumps(answer).encode())


def timestamp(time_: datetime) -> str:
    """As the service writes it."""
    return time_.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def known(fault: Fault | None) -> Fault | None:
    """The fault, if there is one of this name: a typo would behave well, and prove nothing."""
    if fault is not None and fault not in get_args(Fault):
        raise ValueError(f"no fault is called {fault!r}")
    return fault


def image_of(request: Request) -> bytes | None:
    """The part ``imageData``, or None when the body is no whole multipart/form-data with such a part."""
    boundary = request.headers.get_boundary()
    if request.headers.get_content_type() != "multipart/form-data" or not boundary:
        return None
    _, *parts = (b"\r\n" + request.body).split(b"\r\n--" + boundary.encode())
    if not parts or not parts[-1].startswith(b"--"):
        return None
    for part in parts[:-1]:
        head, blank, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if blank and BytesParser().parsebytes(head).get_param("name", header="Content-Disposition") == "imageData":
            return content
    return None


def complaint(image: bytes | None) -> Reply | None:
    """Why the service does not take the image."""
    if not image:
        return NO_STREAM
    if len(image) > MOST_IMAGE_BYTES:
        return BAD_SIZE
    try:
        with Image.open(BytesIO(image), formats=["JPEG", "PNG", "BMP", "GIF"]) as picture:
            shorter, longer = sorted(picture.size)
    except Image.DecompressionBombError:
        return BAD_DIMENSIONS
    except (UnidentifiedImageError, OSError):
        return BAD_FORMAT
    return BAD_DIMENSIONS if longer > LONGEST_SIDE or longer > MOST_ASPECT * shorter else None


class Service:
    """What listens on loopback and misbehaves; ``with`` starts and stops it. A subclass says what it answers.

    Set at any time: ``fault``, ``latency`` (seconds before a good answer). Read: ``endpoint``, ``received`` (requests
    whose head came whole), ``connections`` (accepted), ``ca_pem`` (with ``tls``).
    """

    def __init__(self, *, tls: bool = False) -> None:
        self.latency = 0.0
        self.received = self.connections = 0
        self.ca_pem = b""
        self._fault: Fault | None = None
        self._lock = threading.Lock()
        self._switch = threading.Lock()
        self._started = False
        self.tls = self._certify() if tls else None
        self.canned: dict[Fault | None, Reply] = dict(CANNED)
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
    def fault(self) -> Fault | None:
        """How the service misbehaves; None when it does not."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._fault = known(fault)

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

    def judge(self, request: Request) -> tuple[Reply, Fault | None]:
        """The answer, and the fault by which it is delivered."""
        raise NotImplementedError


class CustomVisionServer(Service):
    """The service with one project and one published iteration.

    Set at any time, besides what every service has: ``scores`` (probability by tag), ``quota`` (calls, None for no
    limit), ``rate_per_second``. Read: ``key``, ``project_id``, ``published_name``, ``calls`` (counted against the
    quota), ``images`` (the last 32).
    """

    def __init__(self, *, tls: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(tls=tls)
        self.key = f"k3y-{secrets.token_hex(14)}"
        self.project_id = str(uuid.uuid4())
        self.iteration_id = str(uuid.uuid4())
        self.published_name = "triof"
        self.scores: Mapping[str, float] = dict(TAG_SCORES)
        self.quota: int | None = None
        self.rate_per_second: int | None = None
        self.calls = 0
        self.clock = clock
        self._images: deque[Received] = deque(maxlen=32)
        self._let_in: deque[float] = deque()

    @property
    def images(self) -> list[Received]:
        """The last images received, oldest first."""
        with self._lock:
            return list(self._images)

    def judge(self, request: Request) -> tuple[Reply, Fault | None]:
        """The answer, and the fault by which it is delivered: a refused request meets no fault."""
        refusal = self._misaddressed(request)
        if refusal:
            return refusal, None
        fault = self._fault
        image = image_of(request)
        problem = complaint(image)
        reply = self.canned.get(fault) or self._prediction(fault)
        with self._lock:
            self._remember(request, image)
            refusal = self._too_much() or problem
            if refusal is None and reply.status not in REFUSED and fault != "dropped":
                self.calls += 1
        return (refusal, None) if refusal else (reply, fault)

    def _misaddressed(self, request: Request) -> Reply | None:
        if request.headers.get("Prediction-key") != self.key:
            return ACCESS_DENIED
        address = CLASSIFY.fullmatch(unquote(urlsplit(request.path).path))
        if request.method != "POST" or not address:
            return NO_RESOURCE
        if address[1].lower() != self.project_id:
            return NO_PROJECT
        return NO_ITERATION if address[2] != self.published_name else None

    def _remember(self, request: Request, image: bytes | None) -> None:
        if image is not None:
            stored = not urlsplit(request.path).path.endswith("/nostore")
            self._images.append(Received(image, stored, dict(request.headers.items()), request.path))

    def _too_much(self) -> Reply | None:
        """The gateway's refusal; a request it lets in counts for the rate, even when its image is refused later."""
        if self.quota is not None and self.calls >= self.quota:
            return QUOTA_USED
        now = self.clock()
        while self._let_in and self._let_in[0] <= now - 1:
            self._let_in.popleft()
        if self.rate_per_second is not None and len(self._let_in) >= self.rate_per_second:
            return TOO_FAST
        self._let_in.append(now)
        return None

    def _prediction(self, fault: Fault | None) -> Reply:
        return prediction(self.project_id, self.iteration_id, self.scores, {}, fault)


class _Listener(ThreadingHTTPServer):
    """One time between start and stop, so that a handler of an earlier one can never come back to life."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, service: Service, port: int) -> None:
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

    def _wait(self, reply: Reply, fault: Fault | None) -> None:
        if fault == "silent":
            self.server.stopped.wait()
        elif fault is None and reply.status == HTTPStatus.OK:
            self.server.stopped.wait(self.server.service.latency)

    def _deliver(self, reply: Reply, fault: Fault | None) -> None:
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
