"""The dashboard in a real browser: on every screen, in both languages, for people who do not see it, and live."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image

from tests.support.browsing import SCREENSHOTS, Window, served
from tests.support.dashboard import PAGES, PASSWORD, create, deposit, judged_elsewhere
from tests.support.machines import Machine
from tools.screens.checks import DASHBOARD, geometry, violations

pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")

GREEN = "() => getComputedStyle(document.querySelector('#h-e .f-green')).fill.match(/[0-9]+/g).map(Number)"
SCREENS = {"touchscreen": (800, 480), "standing": (1080, 1920), "desktop": (1440, 900)}


@pytest.fixture
def address(machine: Machine) -> Iterator[str]:
    """A server of a machine that has a technician and some days behind it."""
    create(machine)
    deposit(machine)
    now = datetime.now(UTC)
    for hours in range(0, 24 * 20, 7):
        judged_elsewhere(machine, "hall", now - timedelta(hours=hours))
    with served(machine.client().application) as url:
        yield f"{url}/dashboard"


def log_in(browser: Any, address: str, screen: str, **context: Any) -> Window:
    window = Window(browser, f"{address}/login", SCREENS[screen], **context)
    page = window.page
    page.fill("[name=name]", "marie")
    page.fill("[name=password]", PASSWORD)
    page.click("main form button")
    page.wait_for_selector("[data-number=judged]")
    return window


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_fits_its_screen_and_is_told_to_those_who_do_not_see_it(
    browser: Any, address: str, screen: str
) -> None:
    window = log_in(browser, address, screen)
    page = window.page
    language = {"touchscreen": "fr", "standing": "en", "desktop": "fr"}[screen]
    for path in PAGES:
        page.goto(f"{address}{path}?lang={language}&period=30")
        assert [path, *geometry(page, DASHBOARD)] == [path]
        assert [path, *violations(page)] == [path]
        window.keep(f"dashboard-{screen}{path.replace('/', '-')}", full_page=True)
    assert not window.complaints
    page.context.close()


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_menus_and_days_lie_within_the_screen(browser: Any, address: str, screen: str, language: str) -> None:
    page = log_in(browser, address, screen).page
    page.goto(f"{address}?lang={language}")
    width, height = SCREENS[screen]
    menus = page.locator(".menu")
    assert menus.count() == 3
    for at in range(menus.count()):
        menus.nth(at).locator("summary").click()
        box = menus.nth(at).locator("> :not(summary)").bounding_box()
        assert 0 <= box["x"] <= width - box["width"], (at, box)
        assert box["y"] + box["height"] <= height, (at, box)
        menus.nth(at).locator("summary").click()
    lines = {round(each.bounding_box()["y"]) for each in page.locator(".chips a").all()}
    assert len(lines) == 1, "the days stand in one line"
    page.context.close()


def test_numbers_change_while_somebody_looks_and_what_is_open_stays_open(
    machine: Machine, browser: Any, address: str
) -> None:
    page = log_in(browser, address, "desktop").page
    page.clock.install()
    page.reload()
    before = int(page.inner_text("[data-number=bottle]"))
    page.click(".numbers > summary")
    deposit(machine)
    page.clock.fast_forward(11_000)
    page.wait_for_selector(f"[data-number=bottle]:text-is('{before + 1}')")
    assert page.get_attribute(".numbers", "open") is not None
    page.context.clear_cookies()
    page.clock.fast_forward(11_000)
    page.wait_for_url("**/dashboard/login**")
    page.context.close()


def test_a_chart_is_saved_as_a_picture(browser: Any, address: str) -> None:
    window = log_in(browser, address, "touchscreen")
    page = window.page
    page.goto(f"{address}/over-time?period=30&lang=fr")
    figure = page.locator("figure").first
    with page.expect_download() as saving:
        figure.locator("[data-png]").click()
    download = saving.value
    assert re.fullmatch(r"triof-verdicts-[\d-]{10}-[\d-]{10}\.png", download.suggested_filename)
    SCREENSHOTS.mkdir(exist_ok=True)
    path = SCREENSHOTS / "dashboard-chart.png"
    download.save_as(path)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width == 1440
        colours = picture.convert("RGB").getcolors(picture.width * picture.height) or []
    shown = {colour for count, colour in colours if count > 200}
    green = tuple(page.evaluate(GREEN))
    assert {(255, 255, 255), green} <= shown, "background and bars"
    assert not window.complaints
    page.context.close()


def test_it_works_without_scripts(browser: Any, address: str) -> None:
    page = log_in(browser, address, "desktop", java_script_enabled=False).page
    page.click("text=1 year")
    assert "period=365" in page.url
    page.click("text=Over time")
    assert page.url.endswith("/over-time?period=365")
    assert page.locator(".downloads a").first.is_visible()
    assert not page.locator("[data-png]").first.is_visible(), "it would do nothing"
    page.click(".menu:has-text('All machines') > summary")
    page.check("input[value=hall]")
    page.click(".menu:has-text('All machines') button")
    assert "machine=hall" in page.url
    page.context.close()
