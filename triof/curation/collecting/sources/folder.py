"""A folder of photos on this machine; a person has chosen them, and knows whose they are."""

from collections.abc import Iterator
from pathlib import Path

from triof.common.image_files import pictures_in
from triof.curation.collecting.http_client import Web
from triof.curation.collecting.sources.base import FoundPhoto, SourceError


class Folder:
    """Every picture below the folder that the query names."""

    name = "folder"
    searches = False
    needs_contact = False

    def __init__(self, web: Web) -> None:
        pass

    def find(self, query: str) -> Iterator[FoundPhoto]:
        """In the order of the names. Raises SourceError."""
        folder = Path(query)
        if not folder.is_dir():
            raise SourceError(f"{query} is no folder: name the folder that holds the photos.")
        for path in pictures_in(folder):
            yield FoundPhoto(self.name, path=path, title=path.name)
