"""A local folder of photos, chosen by the user, who knows their licence."""

from collections.abc import Iterator
from pathlib import Path

from triof.common.image_files import pictures_in
from triof.curation.collecting.http_client import Web
from triof.curation.collecting.sources.base import FoundPhoto, SourceError


class Folder:
    """Finds every picture below the folder in the query."""

    name = "folder"
    searches = False
    needs_contact = False

    def __init__(self, web: Web) -> None:
        pass

    def find(self, query: str) -> Iterator[FoundPhoto]:
        """Yield the pictures sorted by name. Raises SourceError."""
        folder = Path(query)
        if not folder.is_dir():
            raise SourceError(f"{query} is no folder: name the folder that holds the photos.")
        for path in pictures_in(folder):
            yield FoundPhoto(self.name, path=path, title=path.name)
