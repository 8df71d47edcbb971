"""The company on the touchscreen: its logo, its colours, and where an item belongs that is handed back."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from testing.image_files import encoded
from tests.support.machines import BuildMachine, Machine, Visitor
from tests.support.paths import ROOT
from tests.support.touchscreens import SCREENS, Screen
from triof.machine.cameras.folder import FolderCamera
from triof.settings import contrast

pytestmark = pytest.mark.slow

OTHER = {"fr": "Dans le bac gris, à gauche de l’ascenseur.", "en": "In the grey bin, left of the lift."}


def picture(words: str, colour: str, size: tuple[int, int]) -> bytes:
    drawn = Image.new("RGB", size, colour)
    ImageDraw.Draw(drawn).text((size[0] // 3, size[1] // 3), words, "white", font_size=size[1] // 3)
    return encoded(drawn, "PNG")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """The folder of the settings, with a logo and a picture of the bin."""
    folder = tmp_path / "home" / "config"
    folder.mkdir(parents=True)
    (folder / "logo.png").write_bytes(picture("ACME", "#1a3a6b", (300, 90)))
    (folder / "bin.png").write_bytes(picture("BIN", "#667077", (480, 360)))
    return folder


def handed_back(machine: Machine) -> Visitor:
    visitor = machine.visitor().press("/start").press("/waste/pick-type")
    assert visitor.shown == "returned"
    return visitor


def test_it_is_told_where_an_item_belongs_in_the_language_of_the_page(
    build_machine: BuildMachine, pictures: Path
) -> None:
    machine = build_machine(["other"], tenant={"where_else": {"other": {**OTHER, "picture": "bin.png"}}})
    visitor = handed_back(machine)
    assert OTHER["en"] in visitor.page.text
    assert "Please put it in the right bin." not in visitor.page.text
    assert OTHER["fr"] in visitor.open("/confirmation?lang=fr").page.text
    served = visitor.client.get("/tenant/picture/other")
    assert (served.mimetype, served.data) == ("image/png", (pictures / "bin.png").read_bytes())
    assert visitor.client.get("/tenant/picture/dirty").status_code == 404
    assert visitor.client.get("/tenant/picture/..%2f..%2fsecret_key").status_code == 404


def test_words_of_the_other_language_are_marked_as_such(build_machine: BuildMachine) -> None:
    machine = build_machine(["other"], tenant={"where_else": {"other": {"fr": OTHER["fr"]}}})
    assert f'<p class="advice" lang="fr">{OTHER["fr"]}</p>' in handed_back(machine).page.text


def test_what_is_dirty_may_be_cleaned_or_put_elsewhere(build_machine: BuildMachine) -> None:
    text = {"en": "Or leave it in the yellow bin."}
    machine = build_machine(["cup"], ["dirty"], tenant={"where_else": {"dirty": text, "other": OTHER}})
    page = handed_back(machine).page.text
    assert "Empty and wipe it, then try again." in page
    assert text["en"] in page
    assert OTHER["en"] not in page


def test_without_these_settings_the_pages_are_as_they_were(machine: Machine) -> None:
    page = machine.visitor().page.text
    assert "/tenant/" not in page
    assert 'class="logo"' not in page


def test_the_thanks_name_the_company(build_machine: BuildMachine) -> None:
    visitor = build_machine(tenant={"name": "ACME & Co"}).visitor()
    for _ in range(2):
        visitor.press("/start").press("/waste/pick-type").press("/confirmation", waste_type="bottle")
        visitor.wait_idle().open("/confirmation").press("/done")
    visitor.press("/start").press("/waste/pick-type").press("/confirmation", waste_type="bottle")
    assert "This month, ACME &amp; Co has made 14\xa0m." in visitor.wait_idle().open("/confirmation").page.text


def test_the_main_colour_is_made_lighter_for_dark_pages(build_machine: BuildMachine) -> None:
    machine = build_machine(tenant={"colours": {"main": "#1a3a6b"}})
    style = machine.client().get("/tenant/colours.css")
    assert style.mimetype == "text/css"
    found = re.search(r"--green: light-dark\(#1a3a6b, (#\w{6})\);", style.text)
    assert found
    look = (ROOT / "static" / "look.css").read_text(encoding="utf-8")
    for name in ("on-fill", "card"):
        night = re.search(rf"--{name}: light-dark\(#\w+, (#\w{{6}})\);", look)
        assert night
        assert contrast.ratio(found[1], night[1]) >= 4.5


@pytest.mark.parametrize("name", ["landscape", "portrait"])
def test_logo_colours_and_bin_fit_the_screens(
    build_machine: BuildMachine, browser: Any, serve: Any, pictures: Path, name: str
) -> None:
    (pictures / "item").mkdir()
    (pictures / "item" / "1.png").write_bytes(picture("A JAR", "#444", (640, 480)))
    machine = build_machine(
        ["other"],
        camera=FolderCamera(pictures / "item"),
        tenant={
            "name": "ACME",
            "logo": "logo.png",
            "colours": {"main": "#1a3a6b", "paper": "#eef3fa"},
            "where_else": {"other": {**OTHER, "picture": "bin.png"}},
        },
    )
    screen = Screen(browser, f"{serve(machine)}/?lang=fr", SCREENS[name])
    screen.check()
    assert screen.page.evaluate("document.querySelector('.logo').naturalWidth") == 300
    assert screen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(238, 243, 250)"
    screen.keep(f"tenant-attract-{name}")
    screen.press("/start").at("insert").press("/waste/pick-type").at("returned").check()
    assert screen.page.evaluate("[...document.images].every(e => e.naturalWidth > 0)")
    places = screen.page.evaluate(
        "['.top', '.say', '.actions'].map(e => document.querySelector(e)).map(e => [e.scrollHeight, e.clientHeight])"
    )
    assert all(needed <= given for needed, given in places), places
    screen.keep(f"tenant-returned-{name}")
