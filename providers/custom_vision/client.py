"""Speaks to Azure Custom Vision's prediction API: the only place that imports the vendor's SDK.

Whatever the SDK raises or returns (``TypeError`` for an error without a body, None for an empty answer, ...) leaves
here as an answer that makes sense or as one of the errors in ``providers/base.py``. Nothing is retried, since a person
is waiting and the next provider has its answer ready.
"""

import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from socket import SHUT_RDWR
from ssl import SSLCertVerificationError
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from azure.cognitiveservices.vision.customvision.prediction import CustomVisionPredictionClient
from msrest.authentication import ApiKeyCredentials
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, SSLError

from providers.base import (
    PhotoRejected,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
)
from providers.options import is_loopback

_IDLE_SECONDS = 60.0
"""A connection unused for longer may have been forgotten by some router on the way, which answers nothing then."""
_UNKNOWN_WAIT = 3600.0
"""When the vendor does not say how long the quota is gone, it is asked again after so many seconds."""
_LONGEST_RATE_WAIT = 300.0
"""The rate is one of calls a second."""
_LONGEST_WAIT = 31 * 86_400.0
"""The quota's window is 30 days: whoever says more than this is wrong, and would be believed for years."""


@dataclass(frozen=True)
class Answer:
    """The vendor's answer: each tag with its probability (0 to 1), and which iteration gave them."""

    iteration: str
    probabilities: tuple[tuple[str, float], ...]


class Client:
    """One published model of one project. Safe to call from many threads, each with a connection of its own.

    Keep the threads: a new one opens a new connection.
    """

    def __init__(
        self,
        endpoint: str,
        key: str,
        project_id: str,
        published_name: str,
        *,
        store: bool,
        connect_seconds: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._endpoint = endpoint
        self._key = key
        self._connect_seconds = connect_seconds
        self._now = now
        self._lines = threading.local()
        self._opened: list[_Line] = []
        credentials = ApiKeyCredentials(in_headers={"Prediction-key": key})
        self._sdk = cast(Any, CustomVisionPredictionClient(endpoint, credentials))
        self._sdk.config.session_configuration_callback = self._mount
        # What is said in plain http to this machine must stay here: no proxy gets to see it.
        stays_here = endpoint.startswith("http:") and is_loopback(urlsplit(endpoint).hostname)
        self._trust_env = self._sdk.config.proxies.use_env_settings = not stays_here
        ask = self._sdk.classify_image if store else self._sdk.classify_image_with_no_store
        self._ask: Callable[..., Any] = partial(ask, project_id, published_name)

    def classify(self, jpeg: bytes, *, timeout: float) -> Answer:
        """Ask about a photo, for ``timeout`` seconds in all. Raises ProviderError and nothing else."""
        line = self._line()
        try:
            with line.call(timeout):
                # A redirection would carry the key to whoever sent it, which in a canteen is the Wi-Fi's login page.
                answer = self._ask(jpeg, timeout=self._patience(timeout), allow_redirects=False)
            return _sensible(answer)
        except ProviderError:
            raise
        except Exception as error:
            raise self._fault(error, line, timeout) from error

    def ping(self, *, timeout: float) -> None:
        """Reach the endpoint without asking anything, which costs no call. Raises ProviderUnavailable."""
        line = _Line()
        try:
            with requests.Session() as session, line.call(timeout):
                session.trust_env = self._trust_env
                session.mount(self._endpoint, line)
                session.head(self._endpoint, timeout=self._patience(timeout), allow_redirects=False)
        except Exception as error:
            raise self._fault(error, line, timeout) from error

    def close(self) -> None:
        """Close the connections of all threads; one in use ends with its call."""
        for line in self._opened:
            line.close()

    def _line(self) -> "_Line":
        if not hasattr(self._lines, "own"):
            self._lines.own = _Line()
            self._opened.append(self._lines.own)
        line: _Line = self._lines.own
        return line

    def _mount(self, session: requests.Session, _config: Any, _operation: Any, **options: Any) -> Any:
        """The SDK has a session for each thread; this gives it our line instead of its retrying one."""
        line = self._line()
        if session.get_adapter(self._endpoint) is not line:
            session.mount("https://", line)
            session.mount("http://", line)
        return options

    def _patience(self, timeout: float) -> tuple[float, float]:
        """For how long a connection and each byte may be waited for."""
        return min(self._connect_seconds, timeout), timeout

    def _fault(self, error: Exception, line: "_Line", timeout: float) -> ProviderError:
        if line.connecting:
            return _unreached(error)
        if line.response is not None and not line.hung_up:
            text = line.body[:4000].decode(errors="replace").replace(self._key, "…")
            return _refusal(line.response.status_code, line.response.headers, text, self._now())
        if line.hung_up or any(isinstance(cause, TimeoutError | requests.Timeout) for cause in _causes(error)):
            return ProviderUnavailable(f"The cloud gave no whole answer within {timeout:.1f} s.")
        return ProviderUnavailable("The connection to the cloud broke off.")


class _Line(HTTPAdapter):
    """One thread's connection to the vendor: never retries, remembers the response, and can be hung up from outside."""

    def __init__(self) -> None:
        self.response: requests.Response | None = None
        """What came, once it has come whole, with its ``body``."""
        self.body = b""
        self.hung_up = False
        self.connecting = False
        """Whether the call has not got further than that, so that the question never left."""
        self._connection: HTTPConnection | None = None
        self._call = 0
        self._lock = threading.Lock()
        self._last_used = 0.0
        # Weakly, as urllib3 keeps a pool's connections as long as they keep their pool, which would be for ever.
        self._pools = _pools(weakref.proxy(self))
        super().__init__(pool_maxsize=1, max_retries=0)

    @contextmanager
    def call(self, timeout: float) -> Iterator[None]:
        """Hang up after ``timeout`` seconds in all: the timeout of the SDK begins anew with each byte that arrives."""
        with self._lock:
            self.response, self.body, self.hung_up, self.connecting = None, b"", False, False
            self._call += 1
            alarm = threading.Timer(timeout, self._hang_up, [self._call])
        alarm.daemon = True
        alarm.start()
        try:
            yield
        finally:
            alarm.cancel()
        # Headers that break off look like those of a whole answer without a body.
        if self.hung_up:
            raise TimeoutError

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
        idle = time.monotonic() - self._last_used
        if idle > _IDLE_SECONDS:
            self.close()
        response = super().send(request, *args, **options)
        self.body, self.response = response.content, response
        self._last_used = time.monotonic()
        return response


def _pools(line: _Line) -> dict[str, Any]:
    class Plain(HTTPConnection):
        def connect(self) -> None:
            line.connect(self, super().connect)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            line.connect(self, super().connect)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _sensible(answer: Any) -> Answer:
    """The SDK returns None or an object full of None for answers that hold nothing."""
    found = [(each.tag_name, each.probability) for each in (getattr(answer, "predictions", None) or [])]
    if not found or not all(tag and probability is not None and 0 <= probability <= 1 for tag, probability in found):
        raise ProviderUnavailable("The cloud's answer makes no sense: it names no tags, or no probabilities for them.")
    return Answer(str(answer.iteration), tuple(found))


def _refusal(status: int, headers: Mapping[str, str], text: str, now: datetime) -> ProviderError:
    """What the vendor's answer means; the shapes of its bodies stand in docs/azure.md."""
    said = _message(text)
    if status in (403, 429) and "out of call volume quota" in text.lower():
        wait = timedelta(seconds=_wait(headers, text, now) or _UNKNOWN_WAIT)
        return QuotaExceeded("The cloud says that the quota is used up.", now + wait)
    match status:
        case 200 | 301 | 302 | 303 | 307 | 308:
            return ProviderUnavailable(
                "The cloud's answer makes no sense: something else answered in its place, such as a Wi-Fi's login page."
            )
        case 401:
            return ProviderMisconfigured(f"The cloud refuses the key: renew custom_vision.prediction_key{said}")
        case 403:
            return ProviderMisconfigured(f"The cloud forbids the call: check the key and its network rules{said}")
        case 404:
            return ProviderMisconfigured(
                f"The cloud knows no such model: check custom_vision.project_id and .published_name{said}"
            )
        case 413 | 415:
            return PhotoRejected(f"The cloud cannot read this photo{said}")
        case 429:
            seconds = min(_wait(headers, text, now) or 1.0, _LONGEST_RATE_WAIT)
            return RateLimited("The cloud is asked too fast.", seconds)
        case 400 if "BadRequestImage" in text:
            return PhotoRejected(f"The cloud cannot read this photo{said}")
        case 400 if "BadRequest" in text:
            return ProviderMisconfigured(f"The cloud does not take the question{said}")
    return ProviderUnavailable(f"The cloud answered with status {status}{said}")


def _message(text: str) -> str:
    """The vendor's own sentence, for the technician; nothing of pages that are not the vendor's."""
    found = re.search(r'"message"\s*:\s*"([^"]{1,200})', text)
    return f" ({found[1].strip()})" if found else "."


_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


def _wait(headers: Mapping[str, str], text: str, now: datetime) -> float:
    """How many seconds to wait, 0 if nobody says."""
    # Floats, as those that are absurd become infinite, where whole numbers and durations overflow.
    return min(_stated_wait(headers.get("Retry-After", ""), text, now), _LONGEST_WAIT)


def _stated_wait(header: str, text: str, now: datetime) -> float:
    """By the header (seconds or a date), "retry after 28 days" or "replenished in 22.14:18:12"."""
    if header.isdecimal():
        return float(header)
    with suppress(ValueError, OverflowError):
        date = parsedate_to_datetime(header)
        return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())
    if found := re.search(r"retry after (\d+) (second|minute|hour|day)", text, re.IGNORECASE):
        return float(found[1]) * _SECONDS[found[2].lower()]
    if found := re.search(r"replenished in (?:(\d+)\.)?(\d+):(\d+):(\d+)", text):
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return 0.0


_UNREACHED: tuple[tuple[type[BaseException], str], ...] = (
    (requests.exceptions.ProxyError, "the proxy does not let us through; check HTTPS_PROXY"),
    (NameResolutionError, "its name is not known here (no network, or DNS is down)"),
    (NewConnectionError, "the connection is refused or there is no network"),
    (ConnectTimeoutError, "nothing accepts the connection"),
    (
        SSLCertVerificationError,
        "its certificate is not to be trusted; check the clock, and a company's proxy needs REQUESTS_CA_BUNDLE",
    ),
    (SSLError, "it does not speak TLS; check custom_vision.prediction_endpoint and HTTPS_PROXY"),
)
"""Why there is no connection. urllib3 derives each of the name, the refusal and the timeout from the next one."""


def _unreached(error: BaseException) -> ProviderUnavailable:
    causes = list(_causes(error))
    sentences = (sentence for kind, sentence in _UNREACHED if any(isinstance(cause, kind) for cause in causes))
    sentence = next(sentences, "whoever accepts the connection says nothing")
    return ProviderUnavailable(f"The cloud cannot be reached: {sentence}.", sent=False)


def _causes(error: BaseException, depth: int = 8) -> Iterator[BaseException]:
    """The error and all that it wraps: msrest, requests and urllib3 each have their own way of telling."""
    yield error
    inner = (
        error.__cause__,
        error.__context__,
        *(getattr(error, name, None) for name in ("inner_exception", "reason")),
    )
    for cause in (*inner, *error.args):
        if isinstance(cause, BaseException) and depth:
            yield from _causes(cause, depth - 1)
