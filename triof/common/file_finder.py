"""Finds files by paths from other systems: with backslashes, other case, or another Unicode form."""

import re
from pathlib import Path

from providers.text_files import plain

_SEPARATORS = re.compile(r"[/\\]")


def plain_path(path: str) -> str:
    """Normalise ``path`` for comparison, part by part."""
    return "/".join(map(plain, _SEPARATORS.split(path)))


class FileFinder:
    """Finds files by paths relative to ``folder``. Caches the folder listings."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[Path, dict[str, list[str]]] = {}

    def find(self, written: str) -> Path | None:
        """Return the file at the path, or else the only file whose normalised path is equal; None otherwise."""
        path = self._folder / written
        if _is_there(path):
            return path
        first, *parts = _SEPARATORS.split(written)
        found: Path | None = self._folder if first else Path("/")
        for part in (first, *parts):
            found = found and self._entry(found, part)
        return found

    def _entry(self, folder: Path, name: str) -> Path | None:
        if name in ("", ".", "..") or _is_there(folder / name):
            return folder / name
        if folder not in self._names:
            self._names[folder] = _names_in(folder)
        alike = self._names[folder].get(plain(name), [])
        return folder / alike[0] if len(alike) == 1 else None


def _names_in(folder: Path) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    try:
        for path in folder.iterdir():
            names.setdefault(plain(path.name), []).append(path.name)
    except OSError:
        return {}
    return names


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # the name is too long
        return False
