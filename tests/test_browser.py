"""The touchscreen in a real browser: the whole deposit, with and without JavaScript, on every screen we sell."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.browsing import Window, served
from tests.conftest import BuildCloudMachine, BuildMachine, Machine
from tests.custom_vision_server import CustomVisionServer
from tests.test_fall_back import SESSION, check_journal
from triof.common.paths import DEMO_PICTURES
from triof.machine.cameras import BrowserCamera, FolderCamera

SCREENS = {"landscape": (800, 480), "small": (1024, 600), "portrait": (1080, 1920)}


@pytest.fixture
def serve() -> Iterator[Callable[[Machine], str]]:
    """Serves machines over real HTTP; gives their address."""
    with ExitStack() as servers:
        yield lambda machine: servers.enter_context(served(machine.client().application))


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


@pytest.mark.parametrize("scripts", [True, False], ids=["javascript", "no-javascript"])
@pytest.mark.parametrize("screen", SCREENS)
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
        assert shown.page.inner_text("figcaption") == turn.said
        shown.check()
        shown.keep(f"landscape-cloud-{number}")
        shown.press("/confirmation").at("thanks").press("/done").at("attract")
    check_journal(machine)


@pytest.mark.parametrize("screen", SCREENS)
def test_in_cloud_mode_a_fall_back_is_shown_as_a_fault(
    cloud: CustomVisionServer, cloud_machine: BuildCloudMachine, browser: Any, serve: Any, screen: str
) -> None:
    cloud.stop()
    machine = cloud_machine(mode="cloud", language="fr")
    shown = Screen(browser, serve(machine), SCREENS[screen])
    shown.press("/start").at("insert").press("/waste/pick-type").at("pick_type")
    shown.page.wait_for_selector("figcaption.judged-by--fault")
    shown.check()
    shown.keep(f"{screen}-cloud-fault")
    shown.press("/return").at("returned")
    shown.page.wait_for_selector("p.judged-by--fault")
    shown.check()
    shown.keep(f"{screen}-cloud-fault-returned")
