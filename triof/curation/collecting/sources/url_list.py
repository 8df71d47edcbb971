"""A text file with one address a line, optionally followed by a tab and the author, a tab and the licence."""

from collections.abc import Iterator
from pathlib import Path

from providers.text_files import decoded
from triof.curation.collecting.http_client import Web
from triof.curation.collecting.sources.base import UNKNOWN, FoundPhoto, SourceError, plain


class UrlList:
    """Yields every address of the file in the query, except lines that begin with #."""

    name = "url-list"
    searches = False
    needs_contact = False

    def __init__(self, web: Web) -> None:
        pass

    def find(self, query: str) -> Iterator[FoundPhoto]:
        """Yield the addresses in file order. Raises SourceError."""
        try:
            text = decoded(Path(query).read_bytes())
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{query} cannot be read ({error}): name a text file, one address a line.") from error
        for line in text.split("\n"):
            if line.strip() and not line.lstrip().startswith("#"):
                url, author, licence, *_ = (*line.strip().split("\t"), "", "")
                yield FoundPhoto(self.name, url=url.strip(), author=plain(author), licence=plain(licence) or UNKNOWN)
