"""How a deposit flows in a browser: its touches, by keyboard alone, and through a server that is killed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.machines import BuildMachine
from tests.support.touchscreens import SCREENS, Screen
from tools.kill_drill import SCRIPT
from tools.running_kiosk import RunningKiosk
from triof.common.paths import DEMO_PICTURES
from triof.machine.cameras.folder import FolderCamera

pytestmark = pytest.mark.slow

UNSURE = {"bottle": 0.4, "cup": 0.35, "cutlery": 0.15, "other": 0.1}
HALF_CLEAN = {"clean": 0.6, "dirty": 0.4}

KILLED_AT: dict[str, Callable[[Screen], Screen]] = {
    "inserting": lambda shown: shown.press("/start").at("insert"),
    "choosing": lambda shown: shown.press("/start").at("insert").press("/waste/pick-type").at("pick_type"),
    "sorting": lambda shown: (
        shown.press("/start")
        .at("insert")
        .press("/waste/pick-type")
        .at("pick_type")
        .press("/confirmation")
        .at("sorting")
    ),
    "returned": lambda shown: (
        shown.press("/start").at("insert").press("/waste/pick-type").at("pick_type").press("/return").at("returned")
    ),
}


@pytest.mark.parametrize(
    ("waste_type", "cleanliness", "tiles", "touches"),
    [("bottle", "clean", [], 3), (UNSURE, "clean", [".tile--cup"], 4), ("bottle", HALF_CLEAN, [".pick--clean"], 3)],
    ids=["sure", "type asked", "cleanliness asked"],
)
def test_touches_from_the_first_to_the_thanks(
    build_machine: BuildMachine,
    browser: Any,
    serve: Any,
    waste_type: Any,
    cleanliness: Any,
    tiles: list[str],
    touches: int,
) -> None:
    machine = build_machine([waste_type], [cleanliness], camera=FolderCamera(DEMO_PICTURES))
    shown = Screen(browser, serve(machine), SCREENS["small"])
    shown.page.evaluate("sessionStorage.touches = 0")
    shown.context.add_init_script("addEventListener('pointerdown', () => sessionStorage.touches++, true)")
    shown.page.reload()
    shown.press("/start").at("insert").press("/waste/pick-type").at("pick_type")
    for tile in tiles:
        shown.page.click(tile)
    if shown.page.query_selector('button[form="confirm"]'):
        shown.press("/confirmation")
    shown.at("thanks")
    assert shown.page.evaluate("Number(sessionStorage.touches)") == touches


def test_by_keyboard_alone(build_machine: BuildMachine, browser: Any, serve: Any) -> None:
    machine = build_machine([UNSURE], [HALF_CLEAN], camera=FolderCamera(DEMO_PICTURES))
    shown = Screen(browser, serve(machine), SCREENS["small"])

    def reach(selector: str) -> None:
        """Move the focus to what the selector matches."""
        for _ in range(20):
            if shown.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                return
            shown.page.keyboard.press("Tab")
        pytest.fail(f"the focus does not reach {selector}")

    for page, selector in (("attract", 'form[action="/start"] button'), ("insert", "#photo button")):
        shown.at(page)
        reach(selector)
        shown.page.keyboard.press("Enter")
    shown.at("pick_type")
    reach("[name=waste_type]")
    shown.page.keyboard.press("ArrowRight")
    reach("button[form=confirm]")
    shown.page.keyboard.press("Enter")
    shown.at("thanks")
    reach('form[action="/done"] button')
    shown.page.keyboard.press("Enter")
    shown.at("attract")


@pytest.mark.parametrize("stage", KILLED_AT)
def test_a_page_outlives_a_server_that_is_killed(browser: Any, tmp_path: Path, stage: str) -> None:
    environ = {**SCRIPT, "TRIOF_LANGUAGE": "en", "TRIOF_FAKE__WASTE_TYPE": "bottle"}
    environ |= {"TRIOF_SLOT__SIMULATED_SECONDS__SHRED": "30", "TRIOF_DEPOSIT__RETURN_SECONDS": "3"}
    with RunningKiosk(tmp_path, environ) as kiosk:
        shown = Screen(browser, kiosk.url, SCREENS["landscape"])
        KILLED_AT[stage](shown)
        kiosk.kill()
        kiosk.wait()
        again = RunningKiosk(tmp_path, environ)
        again.port, again.url = kiosk.port, kiosk.url
        with again:
            if stage in ("inserting", "choosing"):
                shown.page.click("main form button >> nth=-1")
            elif stage == "returned":
                # Its ending was written: nothing was interrupted.
                shown.at("attract")
                return
            shown.at("interrupted").press("/take-out").at("returned")
            assert "Sorry, I was interrupted" in shown.page.inner_text("h1")
            shown.press("/done").at("attract")
