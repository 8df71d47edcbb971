"""The HTTP client of the curation, which respects rate limits and robots.txt.

One request at a time, a second or more between two to the same host, or as long as ``Retry-After`` says. Addresses are
untrusted: only http and https are used, private networks are excluded, no body is read beyond its limits.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from providers.retries import RetryingCaller
from triof import __version__
from triof.curation.collecting.fetch_errors import (
    Busy,
    FetchError,
    FetchRefused,
    Gone,
    KeptOut,
    NotWanted,
    TooLarge,
    Unreachable,
)
from triof.curation.collecting.public_network import PUBLIC_POOLS, is_private, kept_out

SECONDS_BETWEEN = 1.0
LONGEST_WAIT = 120.0
"""Longest Retry-After in seconds; hosts that ask for more are skipped in this run."""
_CONNECT_SECONDS, _READ_SECONDS, _WHOLE_SECONDS = 10.0, 20.0, 90.0
_REDIRECTS = 5
_JSON_BYTES = 10_000_000
_ROBOTS_BYTES = 500_000
_AGENT = "triof"


class Web:
    """Downloads one address after the other. ``contact`` is sent to hosts in the User-Agent."""

    def __init__(
        self,
        *,
        contact: str | None = None,
        allow_private: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        on_wait: Callable[[str, float], None] = lambda host, seconds: None,
    ) -> None:
        self._clock, self._sleep, self._on_wait = clock, sleep, on_wait
        self._free_at: dict[str, float] = {}
        self._robots: dict[str, RobotFileParser] = {}
        self._allow_private = allow_private
        self._session = _session(allow_private)
        whom = f" ({contact})" if contact else ""
        self._session.headers["User-Agent"] = f"{_AGENT}/{__version__}{whom} {requests.utils.default_user_agent()}"
        # Compressed bodies may be decompression bombs; photos are compressed already.
        self._session.headers["Accept-Encoding"] = "identity"
        self._retrying = RetryingCaller(attempts=4, timeout=None, wait_initial=1.0, wait_max=20.0)

    def photo(self, url: str, *, max_bytes: int, invited: bool) -> bytes:
        """Download ``url``. Unless the URL comes from an API (``invited``), the host's robots.txt is obeyed.

        Raises FetchError.
        """
        return self._fetch(url, max_bytes, check=_check_photo, obey_robots=not invited)

    def json(self, url: str, params: Mapping[str, str | int]) -> dict[str, Any]:
        """Return the JSON object of an API. Raises FetchError."""
        address = requests.Request("GET", url, params=params).prepare().url or url
        body = self._fetch(address, _JSON_BYTES, check=_check_api, obey_robots=False)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Unreachable(f"{urlsplit(url).hostname} answered something that is not JSON.") from error
        if not isinstance(answer, dict):
            raise Unreachable(f"{urlsplit(url).hostname} answered JSON that is no object.")
        return answer

    def _fetch(self, url: str, max_bytes: int, *, check: "_Check", obey_robots: bool) -> bytes:
        for _ in range(_REDIRECTS + 1):
            self._check_address(url)
            if obey_robots and not self._robots_of(url).can_fetch(_AGENT, url):
                raise KeptOut(f"The robots.txt of {_host(url)} asks programs to keep out.")
            answer = self._retrying(self._worth_retrying, self._once, url, max_bytes, check)
            if isinstance(answer, bytes):
                return answer
            url = answer
        raise FetchRefused(f"{_host(url)} redirects in a circle.")

    def _once(self, url: str, max_bytes: int, check: "_Check") -> bytes | str:
        """Send one request; return the body, or the redirect target."""
        with self._turn(_host(url)) as latest, self._answer(url) as response:
            if response.is_redirect:
                return urljoin(url, response.headers["Location"])
            _check_status(response, _host(url))
            check(response, _host(url))
            return self._body(response, _host(url), max_bytes, latest)

    @contextmanager
    def _answer(self, url: str) -> Iterator[requests.Response]:
        timeouts = (_CONNECT_SECONDS, _READ_SECONDS)
        try:
            with self._session.get(url, stream=True, allow_redirects=False, timeout=timeouts) as response:
                yield response
        except ValueError as error:  # the parent of InvalidURL, InvalidSchema, UnicodeError, ...
            raise KeptOut(f"{url!r}, or where it leads to, is no address that can be fetched.") from error
        except (requests.RequestException, HTTPError) as error:
            raise Unreachable(f"{_host(url)} cannot be reached ({_cause(error)}).") from error

    def _body(self, response: requests.Response, host: str, max_bytes: int, latest: float) -> bytes:
        length = response.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > max_bytes:
            raise _too_large(host, max_bytes)
        raw, body = cast(BaseHTTPResponse, response.raw), bytearray()
        # read1 returns available bytes; read would block for a whole buffer, also on a host that sends slowly.
        while chunk := raw.read1(65_536, decode_content=True):
            body += chunk
            if len(body) > max_bytes:
                raise _too_large(host, max_bytes)
            if self._clock() > latest:
                raise Unreachable(f"{host} takes more than {_WHOLE_SECONDS:.0f} s to send one file.")
        return bytes(body)

    @contextmanager
    def _turn(self, host: str) -> Iterator[float]:
        """Wait until the host may be requested again; yield the deadline of its response.

        The pause counts from the end of the last response.
        """
        wait = self._free_at.get(host, 0.0) - self._clock()
        if wait > LONGEST_WAIT:
            raise _come_back(host, wait)
        if wait > 0:
            self._on_wait(host, wait)
            self._sleep(wait)
        try:
            yield self._clock() + _WHOLE_SECONDS
        except Busy as busy:
            self._free_at[host] = self._clock() + max(busy.retry_after or 0.0, SECONDS_BETWEEN)
            raise
        finally:
            self._free_at[host] = max(self._free_at.get(host, 0.0), self._clock() + SECONDS_BETWEEN)

    @staticmethod
    def _worth_retrying(error: Exception) -> bool | float:
        if isinstance(error, Busy) and error.retry_after is not None:
            # The wait happens before the next request to the host, for any address.
            return 0.0 if error.retry_after <= LONGEST_WAIT else False
        return isinstance(error, Busy | Unreachable)

    def _check_address(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise KeptOut(f"{url!r} is no address.") from error
        if parts.scheme not in ("http", "https") or not host:
            raise KeptOut(f"{url!r} is no address on the web: only http and https are fetched.")
        # Behind a proxy the connection does not show its target, so names are checked too.
        if not self._allow_private and is_private(host):
            raise kept_out(host)

    def _robots_of(self, url: str) -> RobotFileParser:
        parts = urlsplit(url)
        root = f"{parts.scheme}://{parts.netloc}"
        if root not in self._robots:
            robots = RobotFileParser()
            try:
                text = self._fetch(f"{root}/robots.txt", _ROBOTS_BYTES, check=_check_nothing, obey_robots=False)
                robots.parse(text.decode("utf-8", "replace").splitlines())
            except (Unreachable, Busy):
                raise
            except ValueError as error:
                raise KeptOut(f"The robots.txt of {_host(url)} cannot be understood.") from error
            except FetchError:
                robots.parse([])  # no rules
            self._robots[root] = robots
        return self._robots[root]


_Check = Callable[[requests.Response, str], None]


def _check_nothing(response: requests.Response, host: str) -> None:
    pass


def _check_photo(response: requests.Response, host: str) -> None:
    kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if kind.startswith(("text/", "video/", "audio/")) or kind in ("image/svg+xml", "application/pdf"):
        raise NotWanted(f"{host} sent {kind} instead of a photo.")


def _check_api(response: requests.Response, host: str) -> None:
    # MediaWiki reports lagging databases with status 200.
    if "Retry-After" in response.headers:
        raise _come_back(host, _retry_after(response))


def _check_status(response: requests.Response, host: str) -> None:
    status = response.status_code
    if status == 200:
        return
    if status == 429 or (status == 503 and "Retry-After" in response.headers):
        raise _come_back(host, _retry_after(response))
    if status in (404, 410):
        raise Gone(f"{host} has nothing there any more (HTTP {status}).")
    if status >= 500 or status == 408:
        raise Unreachable(f"{host} has a fault of its own (HTTP {status}).")
    raise FetchRefused(f"{host} does not let us in (HTTP {status}).")


def _retry_after(response: requests.Response) -> float | None:
    """Return the seconds until the host may be requested again, None if it does not say."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
        now = parsedate_to_datetime(response.headers["Date"]) if "Date" in response.headers else datetime.now(UTC)
        return max(0.0, (then - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _come_back(host: str, seconds: float | None) -> Busy:
    when = "later" if seconds is None else f"in {seconds / 60:.0f} minutes" if seconds > 90 else f"in {seconds:.0f} s"
    return Busy(f"{host} asks to come back {when}.", host, seconds)


def _too_large(host: str, max_bytes: int) -> TooLarge:
    return TooLarge(f"{host} sends more than {max_bytes / 1e6:.0f} MB.")


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _cause(error: BaseException) -> str:
    """Return the innermost cause in short: requests and urllib3 wrap it several times."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return " ".join((str(error) or type(error).__name__).split())[:120]


class _FetchSession(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None: requests would read the whole body of a redirect, however long, even without following it."""
        return None


def _session(allow_private: bool) -> requests.Session:
    session = _FetchSession()
    # Uses proxies of the environment, but no passwords of ~/.netrc.
    session.auth = lambda request: request
    if not allow_private:
        for scheme in ("http://", "https://"):
            session.mount(scheme, _PublicOnly())
    return session


class _PublicOnly(HTTPAdapter):
    """Restricts direct connections to public networks; a proxy may be in a private one."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = PUBLIC_POOLS
