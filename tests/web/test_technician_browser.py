"""The technician's page and the out-of-order screen in a real browser: by finger, and for screen readers."""

from typing import Any

import pytest

from tests.support.browsing import Window
from tests.support.machines import BuildMachine
from tests.support.touchscreens import EXTREMES, SCREENS, Screen
from tools.screens.checks import TECHNICIAN, geometry, violations
from triof.access.technician_pin import TechnicianPin
from triof.common.paths import DEMO_PICTURES
from triof.machine.cameras.folder import FolderCamera

pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")

PIN = "246810"
SUPPORT = {"name": "Atelier Nord", "phone": "+33 1 23 45 67 89", "email": "atelier@example.org"}


def test_a_technician_works_by_finger(build_machine: BuildMachine, browser: Any, serve: Any) -> None:
    machine = build_machine(camera=FolderCamera(DEMO_PICTURES))
    TechnicianPin(machine.services.operations.settings.home).set(PIN)
    window = Window(browser, f"{serve(machine)}/?lang=fr", SCREENS["landscape"])
    page = window.page
    page.click(".wrench")
    page.wait_for_selector("#pin")
    assert not violations(page)
    for digit in PIN:
        page.click(f"#pin button[value='{digit}']")
    page.click(".pin__enter")
    page.wait_for_selector("[data-maintenance]")
    for name in ("camera", "parts", "records", ""):
        page.click(f".pages a[href='/technician{f'/{name}' if name else ''}']")
        page.wait_for_selector(f"body[data-page=technician_{name or 'overview'}]")
        page.wait_for_load_state("load")
        assert [name, *geometry(page, TECHNICIAN)] == [name]
        heights = "[...document.querySelectorAll('button, .pages a')].map(e => e.getBoundingClientRect().height)"
        assert min(page.evaluate(heights)) >= 63.5, name
        if name == "camera":
            page.wait_for_selector("[data-live-picture][src^='blob:']")
            page.click("form[action$='/test'] button")
            page.wait_for_selector("#test")
        assert [name, *violations(page)] == [name]
    page.click(".pages a[href='/technician/parts']")
    page.click("[value=open_slot]")
    page.wait_for_selector("main > .say--well")
    assert machine.hardware.slot_is_open()
    machine.hardware.jam("box")
    page.wait_for_selector("[data-code=S1]")
    page.click("header form button")
    page.wait_for_selector("body[data-page=out_of_order]")
    assert not window.complaints
    page.context.close()


@pytest.mark.parametrize("screen", EXTREMES)
def test_the_out_of_order_screen_fits(build_machine: BuildMachine, browser: Any, serve: Any, screen: str) -> None:
    machine = build_machine(support=SUPPORT)
    machine.hardware.jam("box")
    shown = Screen(browser, f"{serve(machine)}/?lang=fr", SCREENS[screen])
    shown.at("out_of_order").check()
    assert not violations(shown.page)
    boxes = [shown.page.locator(name).bounding_box() for name in ("header", ".say", ".call")]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"] + 1
    assert boxes[1]["y"] + boxes[1]["height"] <= boxes[2]["y"] + 1
    shown.keep(f"{screen}-out-of-order")
    shown.page.context.close()


def test_the_out_of_order_screen_goes_away_by_itself(build_machine: BuildMachine, browser: Any, serve: Any) -> None:
    machine = build_machine()
    machine.hardware.jam("box")
    shown = Screen(browser, f"{serve(machine)}/?lang=en", SCREENS["small"]).at("out_of_order")
    machine.hardware.jam(None)
    shown.at("attract")
    shown.page.context.close()
