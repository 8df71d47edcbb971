"""Uses a kiosk over HTTP as a browser without JavaScript would; for drills."""

import re
import time
from html import unescape

import requests

_SECONDS = 30.0
_LOOK_SECONDS = 0.1


class Visitor:
    """Opens pages and presses their buttons. Raises requests.RequestException if the kiosk does not answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        # The kiosk's own pages must not be fetched through a proxy.
        self._session.trust_env = False
        self.page: requests.Response = self.open("/")

    def open(self, path: str) -> requests.Response:
        """Open a page."""
        self.page = self._session.get(self._url + path, timeout=_SECONDS)
        return self.page

    def press(self, path: str, image: bytes | None = None, **form: str) -> requests.Response:
        """Press the button that leads to ``path``, optionally with a photo, and wait until that is judged.

        Raises LookupError if the page has no button.
        """
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.page.text)
        if not token:
            raise LookupError(f"{self.page.url} has no button")
        files = {"image": ("photo.jpg", image, "image/jpeg")} if image else None
        data = {**form, "csrf_token": token[1]}
        self.page = self._session.post(self._url + path, data=data, files=files, timeout=_SECONDS)
        while self.shown == "judging":
            time.sleep(_LOOK_SECONDS)
            self.open("/")
        return self.page

    @property
    def shown(self) -> str:
        """The name of the page, as stated in it."""
        return self._found(r'data-page="(\w+)"')

    @property
    def ticked(self) -> str:
        """The type of the preselected tile."""
        return self._found(r'value="(\w+)"[^>]* checked')

    @property
    def deposit_id(self) -> str:
        """The id of the deposit whose photo is shown, without dashes."""
        return self._found(r"/waste/photo/([0-9a-f-]+)").replace("-", "")

    @property
    def headline(self) -> str:
        """The heading of the page."""
        return self._text(r"<h1[^>]*>(.*?)</h1>")

    @property
    def notice(self) -> str:
        """The secondary text of the page: a fall-back in mode cloud, or the fault of the photo."""
        return self._text(r'<\w+ class="(?:judged-by|alert)"(?![^>]*hidden)[^>]*>(.*?)</(?:figcaption|p)>')

    def _found(self, pattern: str) -> str:
        found = re.search(pattern, self.page.text)
        return found[1] if found else ""

    def _text(self, pattern: str) -> str:
        found = re.search(pattern, self.page.text, re.DOTALL)
        inner = next((group for group in found.groups() if group), "") if found else ""
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", inner)).split())
