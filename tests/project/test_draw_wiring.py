"""The wiring picture and table are drawn from the default pin table, and the committed ones are up to date."""

from xml.etree import ElementTree

from tests.support.paths import ROOT
from tools.draw_wiring import HEADER, PAGE, PICTURE, WIRES, listed, page, picture
from triof.settings.sections.machine.gpio import HEADER_PINS, GpioSettings


def test_the_committed_picture_and_table_are_up_to_date() -> None:
    table = GpioSettings()
    assert (ROOT / PICTURE).read_text(encoding="utf-8") == picture(table), "python -m tools.draw_wiring"
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert page(text, table) == text, "python -m tools.draw_wiring"


def test_every_part_of_the_table_is_drawn_with_its_pin() -> None:
    table = GpioSettings(lamp_relay=27)
    drawn = "".join(ElementTree.fromstring(picture(table)).itertext())
    assert "GPIO 27" in drawn
    assert "pin 13" in drawn
    assert "| 27 | 13 |" in listed(table)
    assert {wire.setting for wire in WIRES} == set(GpioSettings().pins())


def test_each_pin_has_its_own_place_on_the_header() -> None:
    assert set(HEADER) == set(HEADER_PINS)
    assert len(set(HEADER.values())) == len(HEADER)
