"""The thanks: what the item was good for, and a word for a correction."""

import re
from itertools import pairwise
from typing import Any

import pytest

from tests.support.machines import BuildMachine, Machine, Visitor
from tests.support.touchscreens import SCREENS, Screen

pytestmark = pytest.mark.slow

UNSURE = {"bottle": 0.4, "cup": 0.35, "cutlery": 0.15, "other": 0.1}


def give(visitor: Visitor, label: str = "bottle") -> Visitor:
    """Put an item in, choose its type, and wait for the thanks."""
    visitor.press("/start").press("/waste/pick-type").press("/confirmation", waste_type=label)
    return visitor.wait_idle().open("/confirmation")


def sentences(visitor: Visitor) -> list[str]:
    """The headline and the paragraphs of the page."""
    assert visitor.shown == "thanks"
    return [
        re.sub(r"<.*?>", "", text) for text in re.findall(r"<(?:h1|p class).*?>(.*?)</(?:h1|p)>", visitor.page.text)
    ]


def test_one_item_becomes_metres_of_thread(machine: Machine) -> None:
    # 15 g of PET, as in the monthly report; the month has no more than that, so it is not told.
    assert sentences(give(machine.visitor()))[:2] == [
        "Thank you!",
        "Your item becomes 4.5\xa0m of thread for 3D printing.",
    ]


def test_the_items_of_one_person_add_up_and_the_next_person_begins_anew(build_machine: BuildMachine) -> None:
    machine = build_machine(["bottle", "cup", "bottle"])
    visitor = give(give(machine.visitor()), "cup")
    assert sentences(visitor)[1] == "Your 2 items become 6.4\xa0m of thread for 3D printing."
    visitor.press("/done")
    assert sentences(give(visitor))[1:3] == [
        "Your item becomes 4.5\xa0m of thread for 3D printing.",
        "This month we have made 11\xa0m together.",
    ]


def test_an_item_that_is_handed_back_in_between_is_not_counted(build_machine: BuildMachine) -> None:
    machine = build_machine(["bottle", "other", "bottle"])
    visitor = give(machine.visitor()).press("/start").press("/waste/pick-type")
    assert visitor.shown == "returned"
    assert "Your 2 items become 9.0\xa0m" in give(visitor).page.text


def test_a_correction_is_thanked_for(build_machine: BuildMachine) -> None:
    machine = build_machine([UNSURE])
    visitor = give(machine.visitor(), "cup")
    assert sentences(visitor)[1] == "You taught me something. Your item becomes 1.8\xa0m of thread for 3D printing."
    assert "taught" not in give(visitor, "bottle").page.text


def test_the_thanks_come_without_a_journal_that_can_be_read(machine: Machine) -> None:
    visitor = give(give(machine.visitor()).press("/done"))
    assert "This month" in visitor.page.text
    (machine.services.operations.settings.home / "journal.db").write_bytes(b"damaged" * 1000)
    assert sentences(visitor.open("/confirmation"))[1] == "Your item becomes 4.5\xa0m of thread for 3D printing."


@pytest.mark.parametrize(("name", "language"), [("landscape", "fr"), ("portrait", "en")])
def test_all_of_it_fits_the_screens(
    build_machine: BuildMachine, browser: Any, serve: Any, name: str, language: str
) -> None:
    machine = build_machine([UNSURE])
    give(machine.visitor(), "bottle").press("/done")
    screen = Screen(browser, f"{serve(machine)}/?lang={language}", SCREENS[name])
    for _ in range(2):
        screen.press("/start").at("insert").press("/waste/pick-type").at("pick_type")
        screen.page.click(".tile--cup")
        screen.press("/confirmation").at("thanks")
    screen.check()
    screen.keep(f"thanks-{name}-{language}")
    places = screen.page.evaluate(
        "['.top', '.say h1', '.say .advice', '.actions'].map(e => document.querySelector(e).getBoundingClientRect())"
        ".map(r => [r.top, r.bottom])"
    )
    assert all(above[1] <= below[0] for above, below in pairwise(places)), places
