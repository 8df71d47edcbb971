"""Take the pictures in docs/screens/: the technician's page, and every out-of-order screen.

    python -m tools.take_screens

A real kiosk runs with hardware that fails with the code in a file, so that each code can be seen. Needs Chromium and
Playwright.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from tools.running_kiosk import QUICK, RunningKiosk
from triof.access.technician_pin import TechnicianPin
from triof.machine.hardware.simulated import SimulatedHardware
from triof.machine.slot import SlotError
from triof.settings.tree import Settings
from triof.web.fault_codes import FAULT_CODES

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "screens"
CHROMIUM = "/usr/bin/chromium"
PIN = "246810"
LYING, STANDING = (800, 480), (1080, 1920)
LONGEST_SIDE = 960
FEW_COLOURS, MANY_COLOURS = 32, 128
SETTINGS = {
    **QUICK,
    "TRIOF_MODE": "local",
    "TRIOF_SLOT__KIND": "tools.take_screens:FailingHardware",
    "TRIOF_SUPPORT__NAME": "Atelier Nord",
    "TRIOF_SUPPORT__PHONE": "+33 1 23 45 67 89",
    "TRIOF_MACHINE_ID": "canteen-1",
    "PYTHONPATH": str(ROOT),
}
_FAULT_FILE = "shown_fault"


class FailingHardware(SimulatedHardware):
    """Simulated hardware that does not answer, with the code in the home folder's file."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.home / "simulated_machine.json", settings.slot.simulated_seconds)
        self._fault = settings.home / _FAULT_FILE

    def slot_is_open(self) -> bool:
        """Return whether the slot is open. Raises SlotError with the code of the file, if there is one."""
        if self._fault.exists():
            error = SlotError("The picture of a code is taken.")
            error.code = self._fault.read_text()
            raise error
        return super().slot_is_open()


def keep(name: str, png: bytes, colours: int = FEW_COLOURS) -> None:
    """Write a screenshot small: at most 960 pixels long, with a palette."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    OUT.mkdir(exist_ok=True)
    picture.quantize(colours, dither=Image.Dither.NONE).save(OUT / f"{name}.png", optimize=True)


@contextmanager
def window(browser: Any, size: tuple[int, int]) -> Iterator[Any]:
    """A page on a screen of ``size`` pixels that shows no movement."""
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


def out_of_order(browser: Any, url: str, home: Path) -> None:
    """Take each code in French, and some in English and on a standing screen."""
    more = {"C1": [("en", LYING)], "S1": [("en", LYING), ("fr", STANDING), ("en", STANDING)]}
    for code in (code for code, row in FAULT_CODES.items() if row.stops and code != "M1"):
        (home / _FAULT_FILE).write_text(code)
        for language, size in [("fr", LYING), *more.get(code, [])]:
            with window(browser, size) as page:
                page.goto(f"{url}/?lang={language}")
                page.wait_for_selector(f'[data-state="{code}"]')
                keep(f"out-of-order-{code}-{language}{'-standing' if size == STANDING else ''}", page.screenshot())
    (home / _FAULT_FILE).unlink()


def technician(browser: Any, url: str, home: Path) -> None:
    """Take the technician's pages in both languages, and the touchscreen meanwhile."""
    for language in ("fr", "en"):
        with window(browser, LYING) as page:
            page.goto(f"{url}/technician/login?lang={language}")
            keep(f"technician-login-{language}", page.screenshot())
            page.fill("[name=pin]", PIN)
            page.click(".pin__enter")
            page.wait_for_selector("[data-maintenance]")
            keep(f"technician-state-{language}", page.screenshot())
            page.goto(f"{url}/technician/parts")
            page.click("[value=box_2]")
            page.wait_for_selector("main > .say--well")
            keep(f"technician-parts-{language}", page.screenshot())
            page.goto(f"{url}/technician/camera")
            page.click("form[action$='/test'] button")
            page.wait_for_selector("#test")
            page.wait_for_selector("[data-live-picture][src^='blob:']")
            keep(f"technician-camera-{language}", page.screenshot(full_page=True), MANY_COLOURS)
            page.goto(f"{url}/technician/records")
            keep(f"technician-records-{language}", page.screenshot())
            page.goto(f"{url}/?lang={language}")
            keep(f"out-of-order-M1-{language}", page.screenshot())
            page.goto(f"{url}/technician")
            page.click("header form button")
            page.wait_for_selector("[data-page=attract]")


def main() -> None:
    """Take all pictures."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        home = Path(folder)
        TechnicianPin(home).set(PIN)
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        with RunningKiosk(home, {**SETTINGS, "PATH": os.environ["PATH"]}) as kiosk:
            out_of_order(browser, kiosk.url, home)
            technician(browser, kiosk.url, home)
        browser.close()


if __name__ == "__main__":
    main()
