"""The notice about the camera: on the first page, and what its page says follows from the settings."""

from typing import Any

import pytest

from testing.azure.custom_vision_server import CustomVisionServer
from tests.support.machines import BuildCloudMachine, BuildMachine, Machine
from tests.support.touchscreens import EXTREMES, SCREENS, Screen
from triof.judging.mode import Switch

pytestmark = pytest.mark.slow

FIRST = "I take a photo of your item."
STAYS, GOES = "leave this machine", "sent to Microsoft Azure to be judged, and not kept there"

OVERLAPS = """() => {
    const boxes = [...document.querySelectorAll('main > h1, main > p, main > div, .about li')]
        .map(e => [e.textContent.trim().slice(0, 20), e.getBoundingClientRect()]);
    const overlap = (a, b) =>
        a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    return boxes.flatMap(([name, box], i) => [
        ...(box.bottom > innerHeight ? [name] : []),
        ...boxes.slice(i + 1).filter(([, other]) => overlap(box, other)).map(([other]) => `${name} / ${other}`),
    ]);
}"""
"""Parts of the page that lie over each other or below the screen."""


def notice(machine: Machine) -> str:
    """The text of the page."""
    return machine.visitor().open("/privacy").page.text.replace("\xa0", " ").replace("&#39;", "'")


def test_the_first_page_leads_to_it_and_it_leads_back_by_itself(machine: Machine) -> None:
    visitor = machine.visitor()
    assert FIRST in visitor.page.text
    assert 'href="/privacy"' in visitor.page.text
    visitor.open("/privacy?lang=fr")
    assert visitor.shown == "privacy"
    assert "Une main peut être sur la photo" in visitor.page.text
    assert 'data-refresh-seconds="60" data-refresh-url="/?lang=en"' in visitor.page.text
    assert not machine.happened()


def test_a_deposit_under_way_is_not_left_for_it(machine: Machine) -> None:
    assert machine.visitor().press("/start").open("/privacy").shown == "insert"


@pytest.mark.parametrize("kind", ["jammed", "busy"])
def test_it_is_there_when_the_machine_takes_nothing(machine: Machine, kind: str) -> None:
    if kind == "busy":
        machine.visitor().press("/start")
    else:
        machine.hardware.jam("box")
    visitor = machine.visitor()
    assert FIRST in visitor.page.text
    assert visitor.open("/privacy").shown == "privacy"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "I keep each photo, for 30 days at most."),
        ({"journal": {"keep_photo_days": 0.5}}, "for 12 hours at most"),
        ({"journal": {"keep_photo_days": 2.1}}, "for 3 days at most"),
        ({"privacy": {"keep_photos": "unsure_and_corrected"}}, "only if I wasn't sure or you corrected me"),
        ({"privacy": {"keep_photos": "none"}}, "I keep no photo."),
        ({"journal": {"keep_photo_days": 0}}, "I keep no photo."),
        ({"journal": {"keep_photo_megabytes": 0}}, "I keep no photo."),
        ({"privacy": {"contact": "dpo@example.org <script>"}}, "dpo@example.org &lt;script&gt;"),
        ({"privacy": {"contact": " "}}, "Please ask the staff."),
        ({}, STAYS),
    ],
)
def test_it_says_what_the_settings_say(build_machine: BuildMachine, changes: dict[str, Any], said: str) -> None:
    assert said in notice(build_machine(**changes))


def test_it_says_what_goes_to_the_cloud_now(cloud: CustomVisionServer, cloud_machine: BuildCloudMachine) -> None:
    machine = cloud_machine()
    assert GOES in notice(machine)
    machine.visitor().press("/start").press("/waste/pick-type")
    assert cloud.images[-1].path.endswith("/nostore"), "and it is as it says"
    Switch(machine.services.operations.settings.home, "auto").turn("local", "marie", "")
    assert STAYS in notice(machine)


def test_it_says_that_the_vendor_keeps_photos(cloud: CustomVisionServer, cloud_machine: BuildCloudMachine) -> None:
    machine = cloud_machine()
    options = machine.services.operations.settings.custom_vision.model_dump()
    storing = cloud_machine(custom_vision={**options, "store": True})
    assert "kept there for 30 days" in notice(storing)
    storing.visitor().press("/start").press("/waste/pick-type")
    assert cloud.images[-1].path.endswith("/image")


@pytest.mark.parametrize("screen", EXTREMES)
def test_it_fits_every_screen(build_machine: BuildMachine, browser: Any, serve: Any, screen: str) -> None:
    contact = "Délégué à la protection des données, 12 rue de la République, 69002 Lyon, protection@exemple.fr"
    longest = {"keep_photos": "unsure_and_corrected", "contact": contact}
    machine = build_machine(privacy=longest)
    shown = Screen(browser, f"{serve(machine)}/?lang=fr", SCREENS[screen]).at("attract")
    shown.check()
    shown.keep(f"{screen}-attract-notice")
    assert shown.page.locator(".camera-notice").bounding_box()["height"] >= 64
    shown.page.click(".camera-notice")
    shown.at("privacy").check()
    shown.keep(f"{screen}-privacy")
    assert shown.page.evaluate(OVERLAPS) == []
    shown.page.click("main a.button")
    shown.at("attract")
    machine.hardware.jam("box")
    shown.page.reload()
    shown.page.wait_for_selector('body[data-page="out_of_order"] .camera-notice')
    shown.check()
    shown.keep(f"{screen}-out-of-order-notice")
