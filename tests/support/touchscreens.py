"""The screens that the kiosk is sold with, and a server of the kiosk for a browser."""

import pytest

from tests.support.browsing import Window

SCREENS = {"landscape": (800, 480), "small": (1024, 600), "portrait": (1080, 1920)}


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

    def check(self) -> None:
        """Nothing to scroll, nothing too small to touch, no complaint of the browser."""
        measured = self.page.evaluate(
            """() => ({
                wide: document.scrollingElement.scrollWidth - innerWidth,
                high: document.scrollingElement.scrollHeight - innerHeight,
                small: [...document.querySelectorAll('main button, main .tile')]
                    .map(e => e.getBoundingClientRect())
                    .filter(r => r.width && Math.min(r.width, r.height) < 64).length,
            })"""
        )
        assert measured == {"wide": pytest.approx(0, abs=0.5), "high": pytest.approx(0, abs=0.5), "small": 0} or (
            measured["wide"] <= 0 and measured["high"] <= 0 and not measured["small"]
        )
        assert not self.complaints
