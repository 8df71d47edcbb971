"""Openverse: search over about 800 million openly licensed pictures of Flickr, museums and others.

Without a key the limits are 20 results a page, 240 a query, and about one request a second and 200 a day
(https://docs.openverse.org/api/reference/authentication_and_throttling.html).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from triof.curation.collecting.fetch_errors import FetchRefused
from triof.curation.collecting.http_client import Web
from triof.curation.collecting.sources.base import FoundPhoto, SourceError, count, plain, understood

_API = "https://api.openverse.org/v1/images/"
_PAGE_SIZE = 20


class Openverse:
    """Searches for licences that allow commercial use and modification."""

    name = "openverse"
    searches = True
    needs_contact = False

    def __init__(self, web: Web) -> None:
        self._web = web

    def find(self, query: str) -> Iterator[FoundPhoto]:
        """Yield results page by page, best first. Raises SourceError, FetchError."""
        page, pages = 1, 1
        while page <= pages:
            answer = self._ask(query, page)
            yield from understood("Openverse", _candidates, answer)
            # Pages beyond the stated number are refused.
            pages = count(answer.get("page_count"))
            page += 1

    def _ask(self, query: str, page: int) -> dict[str, Any]:
        asked = {"q": query, "license_type": "commercial,modification", "mature": "false"}
        try:
            return self._web.json(_API, {**asked, "page": page, "page_size": _PAGE_SIZE})
        except FetchRefused as error:
            raise SourceError(f"Openverse refused the search for {query!r} ({error}): try other words.") from error


def _candidates(answer: dict[str, Any]) -> list[FoundPhoto]:
    return [_candidate(result) for result in answer["results"] if result.get("url") and not result.get("mature")]


def _candidate(result: Mapping[str, Any]) -> FoundPhoto:
    return FoundPhoto(
        source=f"openverse:{plain(result.get('source') or result.get('provider'), 40)}".rstrip(":"),
        url=str(result["url"]),
        title=plain(result.get("title")),
        author=plain(result.get("creator")),
        licence=_licence(result),
        licence_url=plain(result.get("license_url")),
        page_url=plain(result.get("foreign_landing_url")),
        width=count(result.get("width")),
        height=count(result.get("height")),
    )


def _licence(result: Mapping[str, Any]) -> str:
    """Return ``by-sa`` and ``2.0`` in the usual form: CC BY-SA 2.0."""
    code, version = plain(result.get("license"), 30).lower(), plain(result.get("license_version"), 10)
    name = {"cc0": "CC0", "pdm": "Public domain mark"}.get(code, f"CC {code.upper()}" if code else "unknown")
    return f"{name} {version}".strip()
