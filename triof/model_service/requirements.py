"""The distributions that a service needs, with the versions that are installed here."""

import shutil
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOTS = ("ai-edge-litert", "flask", "numpy", "pillow", "pydantic", "simplejpeg", "waitress")
"""What the service imports itself; the others are what these need."""


def needed(roots: Iterable[str] = ROOTS) -> list[metadata.Distribution]:
    """Return the distributions of ``roots`` and all that they need, by name."""
    found: dict[str, metadata.Distribution] = {}
    wanted = list(roots)
    while wanted:
        name = canonicalize_name(wanted.pop())
        if name not in found:
            found[name] = metadata.distribution(name)
            wanted += _requirements(found[name])
    return [found[name] for name in sorted(found)]


def _requirements(distribution: metadata.Distribution) -> Iterator[str]:
    for text in distribution.requires or ():
        requirement = Requirement(text)
        # The extras of a requirement are left out, as none of ROOTS asks for any.
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement.name


def pinned(distributions: Iterable[metadata.Distribution]) -> str:
    """Return the text of a requirements file."""
    version = ".".join(map(str, sys.version_info[:2]))
    lines = [f"# The versions with which this service was tried, on Python {version} of {sys.platform}."]
    return "\n".join([*lines, *(f"{each.name}=={each.version}" for each in distributions), ""])


def copy_installed(distributions: Iterable[metadata.Distribution], folder: Path) -> None:
    """Copy the installed files of the distributions into ``folder``, as pip would install them. Raises OSError."""
    for distribution in distributions:
        for file in distribution.files or ():
            # Scripts lie outside of the folder with the packages; compiled modules hold the paths of this computer.
            if file.parts[0] == ".." or "__pycache__" in file.parts:
                continue
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(str(distribution.locate_file(file)), target)
