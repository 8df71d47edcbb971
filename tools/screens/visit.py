"""One person's visit to a page: leads a browser to a state of it, and away again."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

from tools.screens.checks import KIOSK, PageRules
from tools.screens.scripted import Script

_PATIENCE_MS = 120_000
"""Of a busy computer; a deposit times out within it as well."""
_IDLE, _ENDS = ("attract", "out_of_order"), ("/done", "/return")
"""Pages of a machine without a deposit; what ends one."""
_LOOK_MS = 100


class PageVisit:
    """A browser's page in ``language`` on a server whose machine follows ``script``."""

    def __init__(
        self, browser: Any, url: str, language: str, script: Script | None = None, *, scripts: bool = True
    ) -> None:
        self.url = url
        self.language = language
        self._script = script
        self._browser = browser
        self._scripts = scripts
        self._held = ExitStack()
        self.context = browser.new_context(
            viewport={"width": 800, "height": 480},
            reduced_motion="reduce",
            permissions=["camera"],
            java_script_enabled=scripts,
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(_PATIENCE_MS)
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    @property
    def script(self) -> Script:
        """What the machine does next."""
        assert self._script, "this server has no scripted machine"
        return self._script

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()
        self.context.close()

    def go(self, path: str = "/") -> Self:
        """Open a page in the language of the visit."""
        self.page.goto(f"{self.url}{path}{'&' if '?' in path else '?'}lang={self.language}")
        return self

    def at(self, *pages: str, state: str | None = None) -> Self:
        """Wait for one of the pages by its ``data-page``, and by its ``data-state``."""
        more = f'[data-state="{state}"]' if state else ""
        self.page.wait_for_selector(", ".join(f'body[data-page="{page}"]{more}' for page in pages))
        return self

    def press(self, action: str) -> Self:
        """Touch the button of the form that leads to ``action``."""
        own = 'button[form="confirm"]' if action == "/confirmation" else f'form[action="{action}"] button'
        self.page.locator(own).first.click()
        return self

    def hold(self, part: str) -> Self:
        """Hold the machine up at ``part`` until the visit ends."""
        self._held.enter_context(self.script.held(part))
        return self

    def another(self) -> "PageVisit":
        """Another person at the same server, until this visit ends."""
        other = PageVisit(self._browser, self.url, self.language, self._script, scripts=self._scripts)
        self._held.callback(other.context.close)
        self._held.callback(other._leave)
        return other

    def begin(self) -> None:
        """Let the machine be without a fault, and see a clean bottle."""
        if self._script:
            self._script.reset()

    def end(self, *, leaves: bool) -> None:
        """Free the machine; if it ``leaves``, also end the deposit, so that the next person meets an idle machine."""
        self.begin()
        self._held.close()
        if self._script and leaves:
            self._leave()

    def _leave(self) -> None:
        self.page.goto("about:blank")
        while True:
            shown = self.context.request.get(self.url).text()
            if any(f'data-page="{page}"' in shown for page in _IDLE):
                return
            end = next((path for path in _ENDS if f'action="{path}"' in shown), None)
            if not end:
                self.page.wait_for_timeout(_LOOK_MS)
                continue
            token = re.search(r'name="csrf_token" value="([^"]+)"', shown)
            assert token
            self.context.request.post(f"{self.url}{end}", form={"csrf_token": token[1]})


Reach = Callable[[PageVisit], object]


@dataclass(frozen=True)
class ScreenState:
    """One state of a page, and how a visit gets there."""

    name: str
    reach: Reach
    rules: PageRules = KIOSK
    scripts: bool = True
    """Whether JavaScript is on."""
    leaves: bool = True
    """Whether the deposit is ended, and not left to the scenes after it."""
    keeps_language: bool = True
    """Whether the page is in the visitor's language, which is lost with the cookie and on a start page left alone."""
    reduced: bool = False
    """Whether it belongs to the reduced tour."""
    whole: bool = False
    """Whether the picture shows the whole page, not only what fits the screen."""
