"""The seam between collecting and wherever photos come from."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from triof.common.errors import TriofError
from triof.curation.collecting.http_client import Web

UNKNOWN = "unknown"
"""The licence of a photo of which nobody says one."""

_FREE = re.compile(r"(cc0|cc zero|cc by|cc by sa|public domain|pd|pdm|no restrictions|no known copyright)\b")
_FORBIDDING = re.compile(r"\b(nc|nd|sampling|noncommercial|noderivatives|noderivs|non commercial|no deriv\w*)\b")


class SourceError(TriofError):
    """A source cannot be searched; the message says why and what to do."""


@dataclass(frozen=True)
class FoundPhoto:
    """A photo that may be collected. It has either a ``url`` or a ``path``; sizes in pixels are 0 where not known."""

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
        """Where it is, as the ledger and the manifest call it."""
        return self.path.absolute().as_uri() if self.path else self.url


class PhotoSource(Protocol):
    """One place to look for photos."""

    name: str
    searches: bool
    """Whether an API answers words with photos, or a person has named every photo."""
    needs_contact: bool
    """Whether its rules ask every program for somebody to write to."""

    def __init__(self, web: Web) -> None: ...

    def find(self, query: str) -> Iterator[FoundPhoto]:
        """Everything it has for ``query``, best first. Raises SourceError, FetchError."""
        ...


def allows_commerce_and_change(licence: str, *, vouched_for: bool) -> bool:
    """Whether a licence lets us use and change a photo.

    Where a person has named the photo, what is unknown or of their own words is theirs to vouch for.
    """
    words = re.sub(r"[\s_-]+", " ", licence.lower()).strip()
    if _FORBIDDING.search(words):
        return False
    return vouched_for or bool(_FREE.match(words))


def understood(
    source: str, read: Callable[[dict[str, Any]], list[FoundPhoto]], answer: dict[str, Any]
) -> list[FoundPhoto]:
    """What ``read`` finds in an API's answer. Raises SourceError where it is not built as documented."""
    try:
        return read(answer)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise SourceError(f"{source} answers in a way that this Triof does not understand: update it.") from error


def plain(text: object, longest: int = 300) -> str:
    """What a stranger wrote, on one line and without control characters."""
    words = "".join(letter if letter.isprintable() else " " for letter in str(text or ""))
    return " ".join(words.split())[:longest]


def count(number: object) -> int:
    """A size that a stranger gave, 0 where it is none."""
    return number if isinstance(number, int) and number > 0 else 0
