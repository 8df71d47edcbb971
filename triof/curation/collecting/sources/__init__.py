"""Sources of photos, imported when used."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from triof.curation.collecting.sources.base import PhotoSource

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "openverse": "triof.curation.collecting.sources.openverse:Openverse",
        "wikimedia": "triof.curation.collecting.sources.wikimedia:Wikimedia",
        "folder": "triof.curation.collecting.sources.folder:Folder",
        "url-list": "triof.curation.collecting.sources.url_list:UrlList",
    }
)


def load(name: str) -> type[PhotoSource]:
    """Return the class of the source ``name``. Raises KeyError."""
    module, _, attribute = SOURCES[name].partition(":")
    source: type[PhotoSource] = getattr(import_module(module), attribute)
    return source
