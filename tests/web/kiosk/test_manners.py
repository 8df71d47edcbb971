"""How the touchscreen behaves under fingers, keyboards and ears: in a real browser."""

from typing import Any

import pytest

from tests.support.machines import BuildMachine, Machine
from tests.support.touchscreens import SCREENS, Screen
from triof.common.paths import DEMO_PICTURES
from triof.machine.cameras.folder import FolderCamera

LIVE = "document.querySelectorAll('[role=alert], [role=status], [role=log], [aria-live]').length"

# A voice that notes what it is asked: Chromium has none here.
VOICE = """
    window.spoken = [];
    window.stopped = 0;
    Object.defineProperty(window, "speechSynthesis", { value: {
        speak: (words) => spoken.push([words.lang, words.text]), cancel: () => stopped++ } });
"""


@pytest.fixture
def machine(build_machine: BuildMachine) -> Machine:
    """A machine that sees bottles, in French."""
    return build_machine(camera=FolderCamera(DEMO_PICTURES))


def test_each_step_begins_at_its_heading_and_has_one_live_region(machine: Machine, browser: Any, serve: Any) -> None:
    shown = Screen(browser, serve(machine), SCREENS["landscape"])
    steps = (("/start", "insert"), ("/waste/pick-type", "pick_type"), ("/confirmation", "thanks"), ("/done", "attract"))
    for action, page in steps:
        shown.press(action).at(page)
        shown.page.wait_for_selector("h1:focus")
        assert shown.page.evaluate(LIVE) == 1, page
    shown.page.keyboard.press("Tab")
    assert shown.page.evaluate("document.activeElement.textContent").strip() == "Touch to start"


def test_a_page_that_changes_in_place_begins_at_its_heading_too(machine: Machine, browser: Any, serve: Any) -> None:
    shown = Screen(browser, serve(machine), SCREENS["landscape"])
    machine.services.deposits.hold("marie")
    shown.page.reload()
    shown.at("out_of_order")
    shown.page.wait_for_selector("h1:focus:text('Under maintenance')")
    machine.hardware.press_stop()
    machine.services.deposits.maintenance.end()
    shown.page.wait_for_selector("h1:focus:text('Emergency stop')")


def test_a_finger_opens_no_menu_drags_nothing_selects_nothing_and_does_not_enlarge(
    machine: Machine, browser: Any, serve: Any
) -> None:
    shown = Screen(browser, serve(machine), SCREENS["landscape"], has_touch=True)
    shown.press("/start").at("insert").press("/waste/pick-type").at("pick_type")
    for kind in ("contextmenu", "dragstart"):
        happens = f"e => e.dispatchEvent(new Event('{kind}', {{ bubbles: true, cancelable: true }}))"
        assert shown.page.eval_on_selector(".photo img", happens) is False, kind
    shown.page.dblclick("h1")
    assert shown.page.evaluate("getSelection().toString()") == ""
    assert shown.page.evaluate("getComputedStyle(document.body).touchAction") == "pan-x pan-y"
    session = shown.context.new_cdp_session(shown.page)
    session.send("Input.synthesizePinchGesture", {"x": 300, "y": 200, "scaleFactor": 2.0, "gestureSourceType": "touch"})
    assert shown.page.evaluate("visualViewport.scale") == 1


def test_the_steps_are_read_aloud_where_the_settings_say_so(
    build_machine: BuildMachine, browser: Any, serve: Any
) -> None:
    machine = build_machine(camera=FolderCamera(DEMO_PICTURES), touchscreen={"speech": True})
    shown = Screen(browser, f"{serve(machine)}/?lang=fr", SCREENS["landscape"])
    shown.context.add_init_script(VOICE)
    shown.page.reload()
    assert shown.page.evaluate("spoken") == []
    shown.press("/start").at("insert").press("/waste/pick-type").at("pick_type").press("/return").at("returned")
    assert shown.page.evaluate("spoken") == [["fr", "Le voici"], ["fr", "Vous avez voulu le reprendre."]]
    before = shown.page.evaluate("stopped")
    shown.page.mouse.click(5, 5)
    assert shown.page.evaluate("stopped") > before


def test_by_default_nothing_is_read_aloud(machine: Machine) -> None:
    assert "speech.js" not in machine.visitor().page.text
