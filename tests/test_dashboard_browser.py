"""The dashboard in a real browser: on every screen, in both languages, for people who do not see it, and live."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from werkzeug.serving import make_server

from tests.conftest import Machine
from tests.test_browser import ARGUMENTS, CHROMIUM, SCREENSHOTS
from tests.test_dashboard import PAGES, PASSWORD, create, deposit, judged_elsewhere

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium")

SCREENS = {"touchscreen": (800, 480), "standing": (1080, 1920), "desktop": (1440, 900)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def address(machine: Machine) -> Iterator[str]:
    """A server of a machine that has a technician and some days behind it."""
    create(machine)
    deposit(machine)
    now = datetime.now(UTC)
    for hours in range(0, 24 * 20, 7):
        judged_elsewhere(machine, "hall", now - timedelta(hours=hours))
    server = make_server("127.0.0.1", 0, machine.client().application, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}/dashboard"
    server.shutdown()


def log_in(browser: Any, address: str, screen: str, **context: Any) -> Any:
    size = dict(zip(("width", "height"), SCREENS[screen], strict=True))
    page = browser.new_context(viewport=size, **context).new_page()
    page.set_default_timeout(15_000)
    page.goto(f"{address}/login")
    page.fill("[name=name]", "marie")
    page.fill("[name=password]", PASSWORD)
    page.click("main form button")
    page.wait_for_selector("[data-number=judged]")
    return page


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_fits_its_screen_and_is_told_to_those_who_do_not_see_it(
    browser: Any, address: str, screen: str
) -> None:
    page = log_in(browser, address, screen)
    complaints: list[str] = []
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    language = {"touchscreen": "fr", "standing": "en", "desktop": "fr"}[screen]
    for path in PAGES:
        page.goto(f"{address}{path}?lang={language}&period=30")
        assert page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0, path
        # Colours, names and order are those of every screen.
        if screen == "desktop":
            found = axe.Axe().run(page).response["violations"]
            assert not [(each["id"], each["nodes"][0]["html"][:200]) for each in found], path
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"dashboard-{screen}{path.replace('/', '-')}.png", full_page=True)
    assert not complaints
    page.context.close()


def test_numbers_change_while_somebody_looks_and_what_is_open_stays_open(
    machine: Machine, browser: Any, address: str
) -> None:
    page = log_in(browser, address, "desktop")
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


def test_it_works_without_scripts(browser: Any, address: str) -> None:
    page = log_in(browser, address, "desktop", java_script_enabled=False)
    page.click("text=1 year")
    assert "period=365" in page.url
    page.click("text=Over time")
    assert page.url.endswith("/over-time?period=365")
    page.click(".menu:has-text('All machines') > summary")
    page.check("input[value=hall]")
    page.click(".menu:has-text('All machines') button")
    assert "machine=hall" in page.url
    page.context.close()
