"""The interface of photo sources."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from triof.common.errors import TriofError
from triof.curation.collecting.http_client import Web

UNKNOWN = "unknown"
"""The licence of a photo without a stated licence."""

_FREE = re.compile(r"(cc0|cc zero|cc by|cc by sa|public domain|pd|pdm|no restrictions|no known copyright)\b")
_FORBIDDING = re.compile(r"\b(nc|nd|sampling|noncommercial|noderivatives|noderivs|non commercial|no deriv\w*)\b")


class SourceError(TriofError):
    """A source cannot be searched; the message says why and what to do."""


@dataclass(frozen=True)
class FoundPhoto:
    """A photo that may be collected. It has either a ``url`` or a ``path``; sizes in pixels are 0 if unknown."""

    source: str
    url: str = ""
    path: Path | None = None
    title: str = ""
    author: str = ""
    licence: str = UNKNOWN
    licence_url: str = ""
    page_url: str = ""
    width: int = 0
    height: int = 0

    @property
    def address(self) -> str:
        """Its address in the ledger and the manifest."""
        return self.path.absolute().as_uri() if self.path else self.url


class PhotoSource(Protocol):
    """A source of photos."""

    name: str
    searches: bool
    """Whether it is a search API, or a list of photos chosen by the user."""
    needs_contact: bool
    """Whether its rules require a contact address."""

    def __init__(self, web: Web) -> None: ...

    def find(self, query: str) -> Iterator[FoundPhoto]:
        """Yield the photos for ``query``, best first. Raises SourceError, FetchError."""
        ...


def allows_commerce_and_change(licence: str, *, vouched_for: bool) -> bool:
    """Return whether a licence allows commercial use and changes.

    For photos chosen by the user, unknown licences are the user's responsibility.
    """
    words = re.sub(r"[\s_-]+", " ", licence.lower()).strip()
    if _FORBIDDING.search(words):
        return False
    return vouched_for or bool(_FREE.match(words))


def understood(
    source: str, read: Callable[[dict[str, Any]], list[FoundPhoto]], answer: dict[str, Any]
) -> list[FoundPhoto]:
    """Return the result of ``read`` on an API's response. Raises SourceError for an unexpected structure."""
    try:
        return read(answer)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise SourceError(f"{source} answers in a way that this Triof does not understand: update it.") from error


def plain(text: object, longest: int = 300) -> str:
    """Return untrusted text on one line and without control characters."""
    words = "".join(letter if letter.isprintable() else " " for letter in str(text or ""))
    return " ".join(words.split())[:longest]


def count(number: object) -> int:
    """Return an untrusted size, 0 if it is invalid."""
    return number if isinstance(number, int) and number > 0 else 0
