"""The checks of the tour find what they are for, and the reduced tour finds nothing."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.browsing import CHROMIUM
from tests.support.paths import ROOT
from tools.screens import checks
from tools.screens.checks import KIOSK, PageRules

pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")

GOOD = """<h1>Bonjour</h1>
    <p>Est-ce une bouteille\N{NO-BREAK SPACE}? <a href="/">Retour</a> au début.</p>
    <button style="min-width: 90px; height: 90px">Oui</button>
    <label class="tile"><input type="radio" style="width: 90px; height: 90px"><svg class="tile__picture icon"
     width="50" height="50"></svg></label>"""


@pytest.fixture(scope="module")
def page(browser: Any) -> Any:
    """A page of 400 x 300 pixels in a typeface that every machine has."""
    return browser.new_page(viewport={"width": 400, "height": 480})


STYLE = "body { margin: 8px; font: 16px/1.3 sans-serif } button { font: inherit }"


def shown(page: Any, body: str, rules: PageRules = KIOSK) -> list[str]:
    head = f'<!doctype html><html lang="fr"><title>Essai</title><style>{STYLE}</style>'
    page.set_content(f"{head}<body><main>{body}</main>")
    return checks.geometry(page, rules)


def test_a_good_page_has_no_finding(page: Any) -> None:
    assert shown(page, GOOD) == []


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ('<div style="width: 900px">wide</div>', "px too wide"),
        ('<div style="height: 900px">high</div>', "px too high"),
        ('<p style="width: 30px; overflow: hidden; white-space: nowrap">much longer than that</p>', "text is cut by p"),
        ('<p style="height: 30px; overflow: hidden">one<br>two<br>three</p>', "text is cut by p"),
        ('<p style="position: absolute; top: 470px">half outside</p>', "text is off the screen"),
        ('<button style="position: absolute; left: 350px; width: 90px; height: 90px"></button>', "control is off"),
        (
            '<button style="width: 70px; height: 70px; white-space: nowrap">as long as two</button>',
            "leaves its control",
        ),
        ('<p style="margin-bottom: -34px">one text</p><p>another text</p>', "texts overlap"),
        (
            '<button style="width: 90px; height: 90px">a</button>'
            '<button style="width: 90px; height: 90px; margin-left: -20px">b</button>',
            "controls overlap",
        ),
        (
            '<button style="width: 90px; height: 90px; margin-bottom: -30px">a</button><p>a text below</p>',
            "overlaps button",
        ),
        ('<img alt="" width="90" height="90"><p style="margin-top: -40px">a caption</p>', "lies over a picture"),
        ('<button style="width: 90px; height: 40px">flat</button>', "a target of 90 x 40 px, below 64 px"),
        ('<p style="font-size: 10px">tiny</p>', "text of 10.0 px, below 15 px"),
        (
            '<svg width="100" height="50" viewBox="0 0 200 100"><text y="50" font-size="20">chart</text></svg>',
            "text of 10",
        ),
        (
            '<div class="tile__picture" style="width: 60px; height: 20px"></div>',
            "a picture of 60 x 20",
        ),
        ('<p style="width: 70px">Une tasse ?</p><p style="width: 62px">bouteille !</p>', "begins a line"),
        ("<p>run `triof doctor`</p>", '"`" is shown'),
        ("<p>0c1b2a39-1111-2222-3333-444455556666</p>", "is shown"),
        ("<p>%(name)s</p>", '"%(name)" is shown'),
    ],
)
def test_each_defect_is_found(page: Any, body: str, what: str) -> None:
    assert [found for found in shown(page, body) if what in found], shown(page, body)


@pytest.mark.parametrize(
    "body",
    [
        '<p style="visibility: hidden; font-size: 4px">hidden</p>',
        '<div inert><p style="font-size: 4px">behind a dialogue</p></div>',
        '<p>a <a href="/">link</a> in a sentence</p>',
        "<p><code>a ` in code</code></p>",
    ],
)
def test_what_is_not_a_defect_is_left_alone(page: Any, body: str) -> None:
    assert shown(page, body) == []


def test_axe_is_asked_for_all_of_its_rules_or_for_one(page: Any) -> None:
    shown(page, '<h1>a</h1><img src="/none"><p style="color: #bbb">pale</p>')
    assert {"axe image-alt", "axe color-contrast"} <= {found.partition(":")[0] for found in checks.violations(page)}
    assert {found.partition(":")[0] for found in checks.violations(page, ("color-contrast",))} == {"axe color-contrast"}


@pytest.mark.browser
@pytest.mark.slow
def test_the_reduced_tour_finds_nothing(tmp_path: Path) -> None:
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    command = [sys.executable, "-m", "tools.screens", "--reduced", "--out", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(list(tmp_path.glob("fr/*.png"))) >= 16
