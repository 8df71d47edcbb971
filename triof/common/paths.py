"""Paths of the files that ship with Triof, the font as a URL, and the name of one that it writes for two rooms.

In a checkout and an editable install they are at the top of the repository, in a wheel inside this package.
"""

import base64
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def _shipped(name: str) -> Path:
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


TEMPLATES = _shipped("templates")
STATIC = _shipped("static")
FONT = STATIC / "fonts" / "atkinson-hyperlegible-next.woff2"
CONFIG = _shipped("config")
DEMO_PICTURES = STATIC / "demo"
DEMO_EMPTY_SLOTS = STATIC / "demo_empty"
"""The empty tray in the view of each demo picture."""
TRANSLATIONS = _PACKAGE / "translations"
SETUP_PICTURE = "setup-picture.jpg"
"""In the home folder: the camera's picture at the first run."""
MIGRATIONS = _PACKAGE / "storage" / "migrations"


@cache
def font_url() -> str:
    """Return the pages' font as a ``data:`` URL, for files that load nothing."""
    return f"data:font/woff2;base64,{base64.b64encode(FONT.read_bytes()).decode()}"
