"""The photo is shown while it is judged, and nothing waits for that: neither other people nor a stop nor a time-out."""

from collections.abc import Iterator
from io import BytesIO
from threading import Event, Semaphore
from typing import Any

import pytest

from tests.support.machines import BuildMachine, Machine, Visitor
from tests.support.touchscreens import EXTREMES, SCREENS, Screen
from triof.machine.cameras.browser import BrowserCamera

pytestmark = pytest.mark.slow


class SlowJudge:
    """Holds each judgement until it is let go; ``begun`` counts them."""

    def __init__(self, machine: Machine) -> None:
        self.begun, self.let_go = Semaphore(0), Event()
        machine.services.sorter.observe(lambda _: self._hold())

    def _hold(self) -> None:
        self.begun.release()
        assert self.let_go.wait(30)


@pytest.fixture
def slow(machine: Machine) -> Iterator[SlowJudge]:
    judge = SlowJudge(machine)
    yield judge
    judge.let_go.set()


def put_in(machine: Machine, slow: SlowJudge) -> Visitor:
    """A visitor whose item is being judged."""
    visitor = machine.visitor().touch("/start").touch("/waste/pick-type")
    assert slow.begun.acquire(timeout=10)
    return visitor.open("/")


def test_the_photo_is_shown_while_it_is_judged(machine: Machine, slow: SlowJudge) -> None:
    visitor = put_in(machine, slow)
    assert (visitor.at, visitor.shown) == ("/waste/judging", "judging")
    assert 'data-state="photo"' in visitor.page.text
    assert 'content="1;url=/waste/judging"' in visitor.page.text, "without JavaScript"
    photo = visitor.page.text.split('img src="')[1].split('"')[0]
    assert visitor.client.get(photo).mimetype == "image/jpeg"
    for path in ("/", "/start", "/waste/pick-type", "/confirmation"):
        assert visitor.open(path).shown == "judging"
    slow.let_go.set()
    assert visitor.wait_idle().open("/waste/judging").shown == "pick_type"


def test_nothing_waits_for_a_judgement(machine: Machine, slow: SlowJudge) -> None:
    put_in(machine, slow)
    machine.services.watch.look()
    assert "somebody is using" in machine.visitor().page.text
    assert [kind for kind, *_ in machine.happened()] == ["opened"]


def test_a_judgement_that_takes_too_long_is_not_waited_for(machine: Machine, slow: SlowJudge) -> None:
    visitor = put_in(machine, slow)
    machine.clock.pass_(4)
    machine.services.watch.look()
    assert visitor.open("/").shown == "judging"
    machine.clock.pass_(2)
    machine.services.watch.look()
    assert visitor.open("/").shown == "returned"
    assert "Looking at it took me too long" in visitor.page.text
    assert machine.hardware.slot_is_open()
    slow.let_go.set()
    visitor.wait_idle()
    assert machine.happened() == [("opened", None, None), ("returned", None, "not_judged")]
    assert visitor.press("/start").press("/waste/pick-type").shown == "pick_type"


def test_when_every_judgement_hangs_the_item_comes_back_at_once(machine: Machine, slow: SlowJudge) -> None:
    visitor = put_in(machine, slow)
    for hanging in range(3):
        machine.clock.pass_(6)
        machine.services.watch.look()
        visitor.open("/").touch("/start").touch("/waste/pick-type")
        assert hanging == 2 or slow.begun.acquire(timeout=10)
    assert visitor.open("/").shown == "returned"
    assert machine.happened()[-1] == ("returned", None, "not_judged")


def test_an_emergency_stop_while_judging_ends_the_deposit(machine: Machine, slow: SlowJudge) -> None:
    visitor = put_in(machine, slow)
    machine.hardware.press_stop()
    slow.let_go.set()
    assert visitor.wait_idle().open("/").shown == "returned"
    assert "Emergency stop" in visitor.page.text
    assert machine.happened()[-1] == ("failed", None, "EmergencyStopped")


def test_an_orderly_stop_waits_for_the_judgement(machine: Machine, slow: SlowJudge) -> None:
    put_in(machine, slow)
    slow.let_go.set()
    machine.services.deposits.close()
    assert [kind for kind, *_ in machine.happened()] == ["opened", "judged", "interrupted"]
    assert not machine.hardware.slot_is_open()


def test_the_touchscreens_photo_is_shown_before_the_slot_has_closed(build_machine: BuildMachine, jpeg: bytes) -> None:
    machine = build_machine(camera=BrowserCamera())
    closing, let_go = Event(), Event()

    def close() -> None:
        closing.set()
        assert let_go.wait(30)

    visitor = machine.visitor().touch("/start")
    machine.hardware.instead["close_slot"] = close
    visitor.touch("/waste/pick-type", image=(BytesIO(jpeg), "a.jpg"))
    assert closing.wait(10)
    assert 'data-state="photo"' in visitor.open("/").page.text
    machine.hardware.instead.clear()
    let_go.set()
    assert visitor.wait_idle().open("/").shown == "pick_type"


@pytest.mark.parametrize("screen", EXTREMES)
@pytest.mark.parametrize("scripts", [True, False], ids=["javascript", "no-javascript"])
def test_the_page_goes_on_by_itself(
    machine: Machine, slow: SlowJudge, browser: Any, serve: Any, screen: str, scripts: bool
) -> None:
    shown = Screen(browser, serve(machine), SCREENS[screen], java_script_enabled=scripts)
    shown.press("/start").at("insert").press("/waste/pick-type").at("judging")
    shown.page.wait_for_selector('body[data-state="photo"] img')
    if scripts:
        shown.check()
        shown.keep(f"{screen}-judging")
    slow.let_go.set()
    shown.at("pick_type")
