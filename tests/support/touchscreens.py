"""The screens that the kiosk is sold with, and a server of the kiosk for a browser."""

from dataclasses import replace

from tests.support.browsing import Window
from tools.screens.checks import KIOSK, ZOOMED_KIOSK, geometry

SCREENS = {"landscape": (800, 480), "small": (1024, 600), "wide": (1920, 1080), "portrait": (1080, 1920)}
EXTREMES = ("landscape", "portrait")
"""The smallest lying screen and the standing one; `make screens` looks at all four."""


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
        self.page.evaluate("document.fonts.ready")
        rules = replace(KIOSK, fits=False, text=ZOOMED_KIOSK.text) if may_scroll else KIOSK
        found = [*geometry(self.page, rules), *self.complaints]
        assert not found, (self.page.url, found)
        return self

    def highest_control(self) -> float:
        """The top of the highest control, as a share of the screen."""
        tops = "[...document.querySelectorAll('button, a[href], .tile')].map(e => e.getBoundingClientRect().top)"
        return float(self.page.evaluate(f"Math.min(...{tops}) / innerHeight"))
