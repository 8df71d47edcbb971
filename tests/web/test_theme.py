"""Light and dark: what the setting says, on every page, and otherwise the system's wish."""

from typing import Any

import pytest

from tests.support.dashboard import LOGIN, PAGES, PASSWORD, create
from tests.support.machines import BuildMachine
from tests.support.touchscreens import SCREENS, Screen
from triof.access.technician_pin import TechnicianPin

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")


@pytest.mark.parametrize(("theme", "schemes"), [("auto", "light dark"), ("light", "light"), ("dark", "dark")])
def test_the_pages_are_of_the_setting(build_machine: BuildMachine, theme: str, schemes: str) -> None:
    client = build_machine(theme=theme).client()
    for path in ("/", "/privacy", "/nowhere", "/technician", "/api/docs", LOGIN):
        page = client.get(path, follow_redirects=True).text
        assert f'<meta name="color-scheme" content="{schemes}">' in page, path


def contrast_faults(page: Any) -> list[str]:
    """Elements whose contrast axe finds too low for WCAG AA."""
    options = {"runOnly": ["color-contrast"]}
    found = axe.Axe().run(page, options=options).response["violations"]
    return [node["html"][:200] for each in found for node in each["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_on_every_page_by_the_systems_wish(
    build_machine: BuildMachine, browser: Any, serve: Any, scheme: str
) -> None:
    machine = build_machine(waste_type=["bottle", "cup"], cleanliness=["clean", "dirty"])
    create(machine)
    TechnicianPin(machine.services.operations.settings.home).set("246810")
    url = serve(machine)
    shown = Screen(browser, url, SCREENS["small"], color_scheme=scheme, reduced_motion="reduce")

    def look(name: str) -> None:
        shown.page.evaluate("document.fonts.ready")
        shown.keep(f"{scheme}-{name}", full_page=True)
        assert not contrast_faults(shown.page), name

    paper = shown.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 242, 220)") is (scheme == "light")
    for action, name in (("/start", "insert"), ("/waste/pick-type", "pick_type"), ("/confirmation", "thanks")):
        look(f"before-{name}")
        shown.press(action).at(name)
    look("thanks")
    shown.press("/start").at("insert").press("/waste/pick-type").at("returned")
    look("returned")
    shown.press("/done").at("attract")
    for path in ("/privacy", "/nowhere", "/technician", "/api/docs", LOGIN):
        shown.page.goto(f"{url}{path}")
        look(path.replace("/", "-"))
    shown.page.goto(f"{url}/technician")
    for key in "246810":
        shown.page.click(f"#pin button[value='{key}']")
    shown.page.click(".pin__enter")
    for path in ("", "/camera", "/parts", "/records"):
        shown.page.goto(f"{url}/technician{path}")
        look(f"technician{path.replace('/', '-')}")
    shown.page.goto(f"{url}{LOGIN}")
    shown.page.fill("[name=name]", "marie")
    shown.page.fill("[name=password]", PASSWORD)
    shown.page.click("main form button")
    for path in PAGES:
        shown.page.goto(f"{url}/dashboard{path}")
        look(f"dashboard{path.replace('/', '-')}")
