"""The slot of a returned item: it closes when the countdown is over, and never on what is seen in it."""

from typing import Any

import pytest

from tests.support.machines import BuildMachine, Machine, Visitor
from tests.support.touchscreens import EXTREMES, SCREENS, Screen
from triof.deposits.maintenance import MaintenanceRefused

pytestmark = pytest.mark.slow


def returned(machine: Machine) -> Visitor:
    """A visitor who got their item back."""
    return machine.visitor().press("/start").press("/waste/pick-type").press("/return")


def later(machine: Machine, seconds: float) -> None:
    machine.clock.pass_(seconds)
    machine.services.watch.look()


def state(visitor: Visitor) -> str:
    return visitor.open("/").page.text.partition('data-state="')[2].partition('"')[0]


def test_the_closing_is_announced_and_can_be_put_off(machine: Machine) -> None:
    visitor = returned(machine)
    assert 'data-seconds="20"' in visitor.page.text
    assert 'content="5;url=/confirmation"' in visitor.page.text, "without JavaScript"
    later(machine, 15)
    assert 'data-seconds="5"' in visitor.open("/").page.text
    assert 'data-seconds="20"' in visitor.press("/stay").page.text
    later(machine, 15)
    assert machine.hardware.slot_is_open()
    later(machine, 6)
    assert not machine.hardware.slot_is_open()
    assert visitor.open("/").shown == "attract"


@pytest.mark.parametrize("stage", ["inserting", "choosing", "returned"])
def test_a_slot_never_closes_on_what_the_sensor_sees(machine: Machine, stage: str) -> None:
    machine.hardware.put_item(True)
    visitor = machine.visitor().press("/start")
    if stage != "inserting":
        visitor.press("/waste/pick-type")
    if stage == "returned":
        visitor.press("/return")
    for _ in range(50):
        later(machine, 30)
    assert machine.hardware.slot_is_open()
    assert state(visitor) == "held"
    assert "Take your item" in visitor.page.text
    assert "data-countdown" not in visitor.page.text

    machine.hardware.put_item(False)
    later(machine, 3)
    assert state(visitor) != "held"
    assert 'data-seconds="20"' in visitor.page.text, "announced anew"
    assert machine.hardware.slot_is_open()
    later(machine, 21)
    assert not machine.hardware.slot_is_open()


def test_a_person_who_says_twice_that_it_is_empty_is_believed(machine: Machine) -> None:
    machine.hardware.put_item(True)
    visitor = returned(machine).press("/done")
    assert state(visitor) == "held"
    assert machine.hardware.slot_is_open()
    assert visitor.press("/done").shown == "attract"
    assert not machine.hardware.slot_is_open()


def test_a_technician_may_take_what_nobody_takes(machine: Machine) -> None:
    machine.hardware.put_item(True)
    returned(machine)
    with pytest.raises(MaintenanceRefused):
        machine.services.deposits.hold("marie")
    later(machine, 21)
    machine.services.deposits.hold("marie")
    assert machine.hardware.slot_is_open()


def test_the_next_person_may_go_on_with_what_lies_there(machine: Machine) -> None:
    machine.hardware.put_item(True)
    visitor = returned(machine)
    later(machine, 21)
    assert visitor.open("/").press("/start").shown == "insert"
    assert visitor.press("/waste/pick-type").shown == "pick_type"


def test_cancelled_before_anything_was_put_in(machine: Machine) -> None:
    visitor = machine.visitor().press("/start").press("/return")
    assert state(visitor) == "nothing_put_in"
    assert "Nothing was put in." in visitor.page.text
    assert 'data-seconds="8"' in visitor.page.text
    later(machine, 9)
    assert visitor.open("/").shown == "attract"
    assert not machine.hardware.slot_is_open()
    assert machine.happened() == [("opened", None, None), ("returned", None, "cancelled")]


@pytest.mark.parametrize("before", ["the sensor sees it", "there was no photo", "tries again"])
def test_cancelled_with_an_item_inside(build_machine: BuildMachine, tmp_path: Any, before: str) -> None:
    machine = build_machine(cleanliness=["dirty"])
    visitor = machine.visitor().press("/start")
    if before == "the sensor sees it":
        machine.hardware.put_item(True)
    elif before == "there was no photo":
        (tmp_path / "pictures").rename(tmp_path / "gone")
        visitor.press("/waste/pick-type")
    else:
        visitor.press("/waste/pick-type").press("/start")
    visitor.press("/return")
    assert state(visitor) == "cancelled"
    assert 'data-seconds="20"' in visitor.page.text


def test_a_timed_out_insertion_is_announced_before_the_slot_closes(machine: Machine) -> None:
    visitor = machine.visitor().press("/start")
    later(machine, 61)
    assert state(visitor) == "nothing_put_in"
    assert machine.hardware.slot_is_open()
    later(machine, 9)
    assert not machine.hardware.slot_is_open()


def test_no_closing_is_announced_where_the_slot_cannot_close(machine: Machine) -> None:
    visitor = machine.visitor().press("/start")
    machine.hardware.jam("slot")
    visitor.press("/waste/pick-type")
    assert state(visitor) == "jammed"
    assert "The door of the slot is stuck" in visitor.page.text
    assert "data-countdown" not in visitor.page.text


@pytest.mark.parametrize("part", ["slot", "box", "shredder"])
def test_out_of_order_shows_the_part_that_is_stuck(machine: Machine, part: Any) -> None:
    machine.hardware.jam(part)
    page = machine.visitor().page.text
    words = {
        "slot": "The door of the slot is stuck",
        "box": "The boxes are stuck",
        "shredder": "The shredder is stuck",
    }
    assert f'data-state="S1" data-part="{part}"' in page
    assert words[part] in page
    assert 'action="/start"' not in page


@pytest.mark.parametrize("how", ["killed", "stopped"])
@pytest.mark.parametrize("stage", ["inserting", "choosing"])
def test_after_a_restart_the_machine_says_sorry_and_lets_the_item_out(
    build_machine: BuildMachine, how: str, stage: str
) -> None:
    machine = build_machine()
    visitor = machine.visitor().press("/start")
    if stage == "choosing":
        visitor.press("/waste/pick-type")
    if how == "stopped":
        machine.services.deposits.close()
        machine.services.journal.database.close()
    again = build_machine()
    visitor = again.visitor()
    assert (visitor.shown, again.hardware.slot_is_open()) == ("interrupted", False)
    assert "Sorry, I was interrupted" in visitor.page.text
    assert state(visitor.press("/take-out")) == "interrupted"
    assert again.hardware.slot_is_open()
    assert 'data-seconds="20"' in visitor.page.text
    assert visitor.press("/done").shown == "attract"
    assert not again.hardware.slot_is_open()
    assert [kind for kind, *_ in again.happened()][-1] == "interrupted", "the way out is no deposit"
    assert again.services.journal.unfinished() == []


def test_an_interrupted_machine_takes_the_next_item_too(build_machine: BuildMachine) -> None:
    build_machine().visitor().press("/start")
    visitor = build_machine().visitor().press("/start")
    assert visitor.shown == "insert"
    assert "take it out first" in visitor.page.text
    visitor.press("/return").press("/done")
    assert visitor.shown == "attract"


def test_nobody_is_told_of_an_interruption_where_the_sensor_sees_nothing(build_machine: BuildMachine) -> None:
    machine = build_machine()
    machine.hardware.put_item(False)
    machine.visitor().press("/start")
    assert build_machine().visitor().shown == "attract"


@pytest.mark.parametrize("screen", EXTREMES)
def test_the_countdown_runs_and_the_page_goes_back_by_itself(
    build_machine: BuildMachine, browser: Any, serve: Any, screen: str
) -> None:
    machine = build_machine(cleanliness=["dirty"])
    shown = Screen(browser, serve(machine), SCREENS[screen])
    shown.press("/start").at("insert").press("/waste/pick-type").at("returned").check()
    shown.page.wait_for_selector("[data-countdown]:text-is('18')")
    shown.keep(f"{screen}-closing")
    machine.hardware.put_item(True)
    later(machine, 21)
    shown.page.wait_for_selector('body[data-state="held"]')
    shown.check()
    machine.hardware.put_item(False)
    later(machine, 3)
    shown.page.wait_for_selector('body[data-state="dirty"]')
    later(machine, 21)
    shown.at("attract")
