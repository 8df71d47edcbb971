"""The screens that the kiosk is sold with, and a server of the kiosk for a browser."""

from pathlib import Path
from typing import Any

from tests.support.browsing import Window

SCREENS = {"landscape": (800, 480), "small": (1024, 600), "wide": (1920, 1080), "portrait": (1080, 1920)}

_MEASURE = Path(__file__).with_name("layout.js").read_text(encoding="utf-8")


class Screen(Window):
    """A page that must stay without errors, scroll bars and small targets."""

    def at(self, name: str) -> "Screen":
        """Wait for a page by its own word and look at it."""
        self.page.wait_for_selector(f'body[data-page="{name}"]')
        self.page.wait_for_load_state("load")
        return self

    def press(self, action: str) -> "Screen":
        """Touch the button whose form leads to ``action``."""
        own = 'button[form="confirm"]' if action == "/confirmation" else f'form[action="{action}"] button'
        self.page.click(own)
        return self

    def check(self, *, may_scroll: bool = False) -> "Screen":
        """Nothing is cut, overlaps, is too small to touch, or must be scrolled to; the browser complains of nothing."""
        measured = self.measured()
        found = {name: measured[name] for name in ("cut", "overlaps", "small")}
        assert found == {"cut": [], "overlaps": [], "small": []}, (self.page.url, found)
        assert measured["wide"] <= 0.5
        assert measured["high"] <= 0.5 or may_scroll
        assert measured["button"] >= 95.5
        assert measured["tile"] >= 47.5
        assert not self.complaints
        return self

    def measured(self) -> dict[str, Any]:
        """What the browser laid out, in CSS pixels; ``highest``: top of the highest control, as a share of the page."""
        self.page.evaluate("document.fonts.ready")
        found: dict[str, Any] = self.page.evaluate(_MEASURE)
        return found
