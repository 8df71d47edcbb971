"""The checks of a page in a browser: axe-core, and the geometry of texts, controls and pictures.

Used by the tour (``make screens``) and by the browser tests. A finding is a sentence; a page without any returns [].
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_GEOMETRY = (Path(__file__).parent / "geometry.js").read_text(encoding="utf-8")
_AXE = """async (options) => (await axe.run(options)).violations
    .flatMap((found) => found.nodes.map((node) => [found.id, node.html]))"""
_UUID = r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
_PROGRAMMING = ("`", r"%\(\w+\)", r"\{\{|\}\}", r"^\s*None\s*$", r"\bNaN\b", r"\bundefined\b")
_MACHINE_WORDS = (*_PROGRAMMING, _UUID)


@dataclass(frozen=True)
class PageRules:
    """What is asked of a page; sizes in CSS pixels."""

    fits: bool
    """Whether the page must fit the screen, with nothing to scroll."""
    target: int
    """Least width and height of what is touched; links in a sentence are exempt."""
    text: float
    """Least size of a letter's font."""
    button: int = 0
    """Least width and height of the buttons that move on, where it is more than ``target``."""
    pictures: Mapping[str, int] = field(default_factory=dict)
    """CSS selectors of pictures, with their least width and height."""
    words: tuple[str, ...] = _MACHINE_WORDS
    """Regular expressions of what no person should read."""


KIOSK = PageRules(fits=True, target=64, text=15, button=96, pictures={".tile__picture": 48})
ZOOMED_KIOSK = PageRules(fits=False, target=44, text=9)
"""At 200 %, where pixels count double and a page may scroll."""
TECHNICIAN = PageRules(fits=False, target=44, text=13)
DASHBOARD = PageRules(fits=False, target=24, text=10)
API = PageRules(fits=False, target=24, text=10, words=_PROGRAMMING)
"""The page for developers, who are shown identifiers."""


def geometry(page: Any, rules: PageRules) -> list[str]:
    """Return what is cut, overlaps, is too small or begins a line as it should not, as the page is shown now."""
    return list(page.evaluate(_GEOMETRY, asdict(rules)))


def violations(page: Any, rules: tuple[str, ...] = ()) -> list[str]:
    """Return what axe-core finds; all of its rules, or only ``rules``."""
    from axe_playwright_python.base import AXE_SCRIPT

    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    return [f"axe {name}: {html[:160]}" for name, html in page.evaluate(_AXE, options)]
