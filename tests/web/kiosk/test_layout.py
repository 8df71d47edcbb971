"""The touchscreen's layout in a real browser: on every screen, enlarged, within reach, by day and by night."""

from typing import Any

import pytest

from tests.support.machines import BuildMachine
from tests.support.touchscreens import EXTREMES, SCREENS, Screen
from triof.common.paths import DEMO_PICTURES
from triof.machine.cameras.folder import FolderCamera

UNSURE = {"bottle": 0.4, "cup": 0.35, "cutlery": 0.15, "other": 0.1}


def walk(shown: Screen) -> Any:
    """Every page of an unsure deposit, of one that is asked once more and of one that is returned, by its name."""
    yield "attract"
    shown.page.click(".camera-notice")
    yield shown.at("privacy") and "privacy"
    shown.page.click("main a")
    shown.at("attract").press("/start").at("insert")
    yield "insert"
    shown.press("/waste/pick-type").at("pick_type")
    yield "unsure"
    shown.page.click(".tile--cup")
    shown.press("/confirmation").at("thanks")
    yield "thanks"
    shown.press("/start").at("insert").press("/waste/pick-type").at("pick_type")
    yield "sure"
    shown.page.click(".tile--cup")
    shown.press("/confirmation")
    shown.page.wait_for_selector('body[data-state="doubt"]')
    yield "doubt"
    shown.press("/return").at("returned")
    yield "returned"


def screen(build_machine: BuildMachine, browser: Any, serve: Any, size: tuple[int, int], **changes: Any) -> Screen:
    context = changes.pop("context", {})
    machine = build_machine(waste_type=[UNSURE, "bottle"], camera=FolderCamera(DEMO_PICTURES), **changes)
    return Screen(browser, f"{serve(machine)}/?lang=fr", size, reduced_motion="reduce", **context)


@pytest.mark.parametrize("name", EXTREMES)
def test_nothing_is_cut_and_the_photo_fills_its_frame(
    build_machine: BuildMachine, browser: Any, serve: Any, name: str
) -> None:
    shown = screen(build_machine, browser, serve, SCREENS[name])
    for page in walk(shown):
        shown.keep(f"{name}-{page}")
        shown.check()
        if photo := shown.page.query_selector(".photo img"):
            natural, drawn = (
                photo.evaluate(f"e => {size}")
                for size in ("e.naturalWidth / e.naturalHeight", "e.clientWidth / e.clientHeight")
            )
            assert drawn == pytest.approx(natural, rel=0.05), page


@pytest.mark.parametrize("name", EXTREMES)
def test_enlarged_to_200_percent_nothing_is_cut(
    build_machine: BuildMachine, browser: Any, serve: Any, name: str
) -> None:
    width, height = SCREENS[name]
    enlarged = {"context": {"device_scale_factor": 2}}
    shown = screen(build_machine, browser, serve, (width // 2, height // 2), **enlarged)
    for page in walk(shown):
        shown.keep(f"{name}-enlarged-{page}", full_page=True)
        shown.check(may_scroll=True)


def test_within_low_reach_all_that_is_touched_lies_in_the_lower_half(
    build_machine: BuildMachine, browser: Any, serve: Any
) -> None:
    shown = screen(build_machine, browser, serve, SCREENS["portrait"], touchscreen={"reach": "low"})
    for page in walk(shown):
        shown.keep(f"low-{page}")
        assert shown.check().highest_control() >= 0.5, page
