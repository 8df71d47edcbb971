"""The camera kind ``http``: the address of an IP camera that answers with a JPEG, or with a stream of them (MJPEG).

Neither messages nor logs hold more of the address than its host, as the rest may contain a password.
"""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from requests.auth import HTTPBasicAuth, HTTPDigestAuth
from urllib3.exceptions import HTTPError

from triof.machine.cameras.base import CameraLost
from triof.machine.cameras.frame import CameraFrame, from_jpeg
from triof.machine.cameras.frame_reader import ReaderTimes
from triof.machine.cameras.mjpeg import MAX_BYTES, PartReader, boundary_of
from triof.machine.cameras.watched import WatchedCamera
from triof.settings.sections.machine.camera import CameraSettings, HttpCameraSettings

_CHUNK = 65_536
_START = b"\xff\xd8"
_REFUSALS = {
    401: "refuses the login (401): check camera.http.user, .password and .login",
    403: "refuses access (403): give camera.http.user the right to see pictures",
    404: "has no such address (404): check the path of camera.http.url",
}


class HttpSource:
    """An IP camera that has answered once; the content type of that answer tells a stream from single pictures."""

    def __init__(self, settings: HttpCameraSettings, clock: Callable[[], float]) -> None:
        self._url, self._auth, self._host = _address(settings)
        self._timeout = settings.timeout_seconds
        self._clock = clock
        self._deadline = 0.0
        self._session = requests.Session()
        # Neither a proxy nor a login of the environment is meant for the camera.
        self._session.trust_env = False
        self._response: requests.Response | None = None
        self._parts: PartReader | None = None
        try:
            self._response = self._get()
            if boundary := boundary_of(self._response.headers.get("Content-Type", "")):
                self._parts = PartReader(boundary, self._some)
        except BaseException:
            self.close()
            raise
        self.is_live = self._parts is not None
        # The end of a part may show with the next one only.
        self.under_way = 1 if self.is_live else 0

    def next(self, wanted: Callable[[], bool]) -> CameraFrame | None:
        """Return the next picture of the stream, or ask for one. Raises CameraLost."""
        if self._parts:
            self._deadline = self._clock() + self._timeout
            image = self._parts.next()
            return from_jpeg(image) if wanted() else None
        response, self._response = self._response or self._get(), None
        with response:
            return from_jpeg(self._whole(response))

    def close(self) -> None:
        """Close the connection."""
        if self._response:
            self._response.close()
        self._session.close()

    def _get(self) -> requests.Response:
        self._deadline = self._clock() + self._timeout
        try:
            response = self._session.get(
                self._url, auth=self._auth, timeout=self._timeout, stream=True, allow_redirects=False
            )
        # "from None": the library's messages hold the whole address.
        except requests.Timeout:
            raise self._lost(f"has not answered within {self._timeout:g} s: check its power and its network") from None
        except requests.RequestException as error:
            raise self._lost(
                f"cannot be reached ({type(error).__name__}): check its power, network and address"
            ) from None
        if response.status_code == 200:
            return response
        response.close()
        raise self._lost(self._refusal(response))

    def _refusal(self, response: requests.Response) -> str:
        status = response.status_code
        if response.is_redirect:
            to = urlsplit(response.headers.get("Location", "")).hostname or self._host
            return f"sends elsewhere ({status}, to {to}): set camera.http.url to that address, or use its https"
        return _REFUSALS.get(status, f"answers with an error ({status}): restart it")

    def _whole(self, response: requests.Response) -> bytes:
        self._response = response
        try:
            body = bytearray()
            while some := self._some():
                body += some
                if len(body) > MAX_BYTES:
                    raise self._lost(f"sends more than {MAX_BYTES / 1e6:.0f} MB: lower its resolution")
        finally:
            self._response = None
        if not body.startswith(_START):
            kind = response.headers.get("Content-Type", "").partition(";")[0] or "something"
            raise self._lost(f"sends {kind} instead of a JPEG: check the path of camera.http.url")
        return bytes(body)

    def _some(self) -> bytes:
        """Return the next bytes. Raises CameraLost, also if the picture takes too long as a whole."""
        assert self._response
        try:
            some: bytes = self._response.raw.read1(_CHUNK)
        except (HTTPError, OSError) as error:
            raise self._lost(f"broke off ({type(error).__name__}): check its network") from None
        if self._clock() > self._deadline:
            raise self._lost(
                f"takes more than {self._timeout:g} s for a picture: lower its resolution, check its network"
            )
        return some

    def _lost(self, what: str) -> CameraLost:
        return CameraLost(f"The camera at {self._host} {what}.")


class HttpCamera(WatchedCamera):
    """An IP camera."""

    def __init__(
        self,
        settings: CameraSettings,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        patience = settings.http.timeout_seconds
        times = ReaderTimes(silent=patience + 3, take=patience + 0.5)
        super().__init__(settings, lambda: HttpSource(settings.http, time.monotonic), times, clock, pause)


def _address(settings: HttpCameraSettings) -> tuple[str, Any, str]:
    """Return the address without its login, the login, and the host to show. Raises CameraLost."""
    if not settings.url:
        raise CameraLost("The camera has no address: set camera.http.url.")
    parts = urlsplit(settings.url.get_secret_value())
    user = settings.user or (unquote(parts.username) if parts.username else None)
    password = settings.password.get_secret_value() if settings.password else unquote(parts.password or "")
    login = HTTPDigestAuth if settings.login == "digest" else HTTPBasicAuth
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host)), login(user, password) if user else None, host
