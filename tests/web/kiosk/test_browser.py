"""The touchscreen in a real browser: the whole deposit, with and without JavaScript, on every screen we sell."""

from typing import Any

import pytest

from testing.azure.custom_vision_server import CustomVisionServer
from tests.support.cloud_failures import SESSION, check_journal
from tests.support.machines import BuildCloudMachine, BuildMachine
from tests.support.touchscreens import EXTREMES, SCREENS, Screen
from triof.common.paths import DEMO_PICTURES
from triof.machine.cameras.browser import BrowserCamera
from triof.machine.cameras.folder import FolderCamera

UNSURE = {"bottle": 0.4, "cup": 0.35, "cutlery": 0.15, "other": 0.1}


@pytest.mark.parametrize("scripts", [True, False], ids=["javascript", "no-javascript"])
@pytest.mark.parametrize("screen", EXTREMES)
def test_a_whole_deposit(build_machine: BuildMachine, browser: Any, serve: Any, screen: str, scripts: bool) -> None:
    url = serve(build_machine(camera=FolderCamera(DEMO_PICTURES)))
    shown = Screen(browser, url, SCREENS[screen], java_script_enabled=scripts)
    for action, page in (("/start", "insert"), ("/waste/pick-type", "pick_type"), ("/confirmation", "thanks")):
        if scripts:
            shown.check()
        shown.press(action).at(page)
        if scripts:
            shown.keep(f"{screen}-{page}")
    shown.press("/done").at("attract")
    shown.keep(f"{screen}-attract")


def test_another_type_is_asked_once_more_and_dirt_comes_back(
    build_machine: BuildMachine, browser: Any, serve: Any
) -> None:
    machine = build_machine(cleanliness=["clean", "dirty"], camera=FolderCamera(DEMO_PICTURES))
    shown = Screen(browser, serve(machine), SCREENS["landscape"])
    shown.press("/start").at("insert").press("/waste/pick-type").at("pick_type")
    shown.page.click(".tile--cup")
    shown.press("/confirmation")
    shown.page.wait_for_selector('body[data-state="doubt"]')
    shown.check()
    shown.keep("landscape-doubt")
    shown.page.click(".pick--cup button, button.pick--cup, .button--pick--cup >> nth=0")
    shown.at("thanks").press("/start").at("insert").press("/waste/pick-type").at("returned")
    shown.check()
    shown.keep("landscape-returned")


@pytest.mark.parametrize("scripts", [True, False], ids=["javascript", "no-javascript"])
def test_without_a_choice_the_page_asks_for_one(
    build_machine: BuildMachine, browser: Any, serve: Any, scripts: bool
) -> None:
    machine = build_machine([UNSURE] * 2, camera=FolderCamera(DEMO_PICTURES))
    shown = Screen(browser, f"{serve(machine)}/?lang=fr", SCREENS["landscape"], java_script_enabled=scripts)
    shown.press("/start").at("insert").press("/waste/pick-type").at("pick_type")
    request = shown.page.locator("[data-please-choose]")
    assert not request.is_visible()
    shown.press("/confirmation")
    request.wait_for(state="visible")
    assert request.inner_text() == "Choisissez d’abord ce que c’est."
    if scripts:
        shown.check()
        shown.keep("landscape-please-choose")
    shown.page.click(".tile--other")
    if scripts:
        assert not request.is_visible()
    shown.press("/confirmation").at("returned")
    assert machine.happened()[-1] == ("returned", "other", "other")


@pytest.mark.parametrize("screen", EXTREMES)
def test_only_cleanliness_is_asked_of_a_type_that_is_sure(
    build_machine: BuildMachine, browser: Any, serve: Any, screen: str
) -> None:
    machine = build_machine(cleanliness=[{"clean": 0.6, "dirty": 0.4}] * 2, camera=FolderCamera(DEMO_PICTURES))
    shown = Screen(browser, serve(machine), SCREENS[screen])
    shown.press("/start").at("insert").press("/waste/pick-type").at("pick_type")
    shown.check()
    shown.keep(f"{screen}-cleanliness")
    shown.page.click(".button.pick--clean")
    shown.at("thanks").press("/start").at("insert").press("/waste/pick-type").at("pick_type")
    shown.page.click(".button.pick--dirty")
    shown.at("returned").check()


def test_the_touchscreens_own_camera(build_machine: BuildMachine, browser: Any, serve: Any) -> None:
    machine = build_machine(camera=BrowserCamera())
    shown = Screen(browser, serve(machine), SCREENS["small"], permissions=["camera"])
    shown.press("/start").at("insert")
    shown.page.wait_for_selector("video.live:not([hidden])")
    shown.keep("small-camera")
    shown.press("/waste/pick-type").at("pick_type")
    assert machine.events("deposit.judged")[0].detail["photo"]


def test_a_file_is_chosen_where_there_is_no_camera(build_machine: BuildMachine, browser: Any, serve: Any) -> None:
    shown = Screen(browser, serve(build_machine(camera=BrowserCamera())), SCREENS["small"], java_script_enabled=False)
    shown.press("/start").at("insert")
    shown.page.set_input_files('input[name="image"]', next(DEMO_PICTURES.glob("*.jpg")))
    shown.press("/waste/pick-type").at("pick_type")


def test_five_deposits_while_the_cloud_comes_and_goes(
    cloud: CustomVisionServer, cloud_machine: BuildCloudMachine, browser: Any, serve: Any
) -> None:
    machine = cloud_machine()
    shown = Screen(browser, serve(machine), SCREENS["landscape"])
    for number, turn in enumerate(SESSION):
        turn.happens(cloud)
        shown.press("/start").at("insert").press("/waste/pick-type").at("pick_type")
        assert shown.page.locator("figcaption").count() == 0
        shown.check()
        shown.keep(f"landscape-cloud-{number}")
        shown.press("/confirmation").at("thanks").press("/done").at("attract")
    check_journal(machine)


@pytest.mark.parametrize("screen", EXTREMES)
def test_in_cloud_mode_a_fall_back_is_shown_as_a_fault(
    cloud: CustomVisionServer, cloud_machine: BuildCloudMachine, browser: Any, serve: Any, screen: str
) -> None:
    cloud.stop()
    machine = cloud_machine(mode="cloud", language="fr")
    shown = Screen(browser, serve(machine), SCREENS[screen])
    shown.press("/start").at("insert").press("/waste/pick-type").at("pick_type")
    shown.page.wait_for_selector("figcaption.judged-by")
    shown.check()
    shown.keep(f"{screen}-cloud-fault")
    shown.press("/return").at("returned")
    shown.page.wait_for_selector("p.judged-by")
    shown.check()
    shown.keep(f"{screen}-cloud-fault-returned")
