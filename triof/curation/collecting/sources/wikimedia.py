"""Wikimedia Commons: photos with author and licence in each file's metadata.

The reduced picture of 1280 pixels is downloaded, one of the sizes stored there; others are refused.
"""

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any

from triof.curation.collecting.fetch_errors import Busy, FetchRefused
from triof.curation.collecting.http_client import Web
from triof.curation.collecting.sources.base import UNKNOWN, FoundPhoto, SourceError, count, plain, understood

_API = "https://commons.wikimedia.org/w/api.php"
_FILES = 6
_WIDTH = 1280
_ASKED: Mapping[str, str | int] = {
    "action": "query",
    "format": "json",
    "formatversion": 2,
    "maxlag": 5,
    "generator": "search",
    "gsrnamespace": _FILES,
    "gsrlimit": 50,
    "prop": "imageinfo",
    "iiprop": "url|size|mime|extmetadata",
    "iiurlwidth": _WIDTH,
    "iiextmetadatafilter": "ObjectName|Artist|LicenseShortName|LicenseUrl",
}
_LAGGING = ("maxlag", "ratelimited")


class Wikimedia:
    """Searches for bitmaps; the caller checks the licence."""

    name = "wikimedia"
    searches = True
    needs_contact = True

    def __init__(self, web: Web) -> None:
        self._web = web

    def find(self, query: str) -> Iterator[FoundPhoto]:
        """Yield results batch by batch, best first. Raises SourceError, FetchError."""
        following: dict[str, str | int] = {}
        while True:
            answer = self._ask({**_ASKED, "gsrsearch": f"filetype:bitmap {query}", **following})
            yield from understood("Wikimedia", _candidates, answer)
            following = answer.get("continue") or {}
            if not following:
                return

    def _ask(self, asked: Mapping[str, str | int]) -> dict[str, Any]:
        try:
            answer = self._web.json(_API, asked)
        except FetchRefused as error:
            raise SourceError(f"Wikimedia refused the search ({error}): is --contact an address of yours?") from error
        if fault := answer.get("error"):
            if fault.get("code") in _LAGGING:
                raise Busy("Wikimedia is overloaded and asks to come back later.", "commons.wikimedia.org", None)
            raise SourceError(f"Wikimedia refused the search ({plain(fault.get('info'), 200)}): try other words.")
        return answer


def _candidates(answer: dict[str, Any]) -> list[FoundPhoto]:
    # A response may have a "continue" and no file.
    pages = sorted(answer.get("query", {}).get("pages", []), key=lambda page: page.get("index", 0))
    return [_candidate(page, info) for page in pages for info in page.get("imageinfo", [])[:1]]


def _candidate(page: Mapping[str, Any], info: Mapping[str, Any]) -> FoundPhoto:
    said = {name: _text(entry.get("value")) for name, entry in (info.get("extmetadata") or {}).items()}
    return FoundPhoto(
        source="wikimedia",
        url=str(info.get("thumburl") or info.get("url") or ""),
        title=said.get("ObjectName") or plain(page.get("title")).removeprefix("File:"),
        author=said.get("Artist", ""),
        licence=said.get("LicenseShortName") or UNKNOWN,
        licence_url=said.get("LicenseUrl", ""),
        page_url=plain(info.get("descriptionurl")),
        width=count(info.get("width")),
        height=count(info.get("height")),
    )


def _text(html: object) -> str:
    """Return the text of HTML metadata, which has links and tables."""
    return plain(unescape(re.sub(r"<[^>]*>", " ", str(html or ""))))
