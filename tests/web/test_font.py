"""The font that ships with Triof: every page has it, and it has every character of both languages."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po
from flask.testing import FlaskClient

from tests.support.browsing import Window, served
from tests.support.clock import Clock
from tests.support.dashboard import PAGES, Person, create
from tests.support.machines import Machine
from tests.support.touchscreens import SCREENS
from triof.common.paths import FONT, TRANSLATIONS
from triof.curation.labelling import LabellingSession
from triof.installation.waiting_page import WaitingPage
from triof.reporting import html_page
from triof.web.labelling import pages as label_page

LOADED = ("/static/look.css", f"/static/fonts/{FONT.name}")


def check_declared(page: str, client: FlaskClient) -> None:
    assert 'rel="stylesheet" href="/static/look.css"' in page
    assert re.search(rf'rel="preload" href="{LOADED[1]}" as="font" type="font/woff2" crossorigin', page)
    for path in LOADED:
        answer = client.get(path)
        assert answer.status_code == 200
        assert "font-src 'self'" in answer.headers["Content-Security-Policy"]


def test_every_page_of_a_machine_has_it(machine: Machine) -> None:
    create(machine)
    person = Person(machine.client()).log_in("marie")
    assert person.is_in
    paths = ["/", "/privacy", "/nowhere", "/technician", "/api/docs", *(f"/dashboard{path}" for path in PAGES)]
    for path in paths:
        check_declared(person.client.get(path, follow_redirects=True).text, person.client)
    report = person.client.get("/dashboard/report")
    assert "font-src data:" in report.headers["Content-Security-Policy"]
    assert 'url("data:font/woff2;base64,' in report.text


def test_the_labelling_page_has_it(tmp_path: Path) -> None:
    app = label_page.create_app(LabellingSession([], tmp_path / "corrections.csv", Clock()), lambda _: None)
    client = app.test_client()
    check_declared(client.get("/", base_url="http://localhost").text, client)


def test_a_report_carries_it(tmp_path: Path) -> None:
    html_page.write(tmp_path / "page.html", "base.html")
    assert 'url("data:font/woff2;base64,' in (tmp_path / "page.html").read_text()


def test_the_page_of_a_starting_machine_carries_it(tmp_path: Path) -> None:
    page = WaitingPage(tmp_path, "http://127.0.0.1:8080/")
    assert 'url("data:font/woff2;base64,' in page.path.read_text()


def test_it_is_small_and_its_licence_is_beside_it() -> None:
    assert FONT.stat().st_size < 60_000
    assert "SIL OPEN FONT LICENSE" in (FONT.parent / "LICENSE-OFL.txt").read_text()


def said() -> Iterator[str]:
    """Every sentence of every language, and the letters that names of people and companies have."""
    for path in TRANSLATIONS.glob("*/LC_MESSAGES/messages.po"):
        with path.open("rb") as file:
            for message in read_po(file):
                if message.id:
                    yield from (str(message.id), str(message.string))
    yield "ÀÂÄÆÇÈÉÊËÎÏÔŒÙÛÜàâäæçèéêëîïôœùûüÿ«»“”„’‘–—…·×°€₂²½"


def fonts(window: Window) -> set[str]:
    """The fonts by which the browser draws the text of the page; those of the page itself begin with a star."""
    session = window.context.new_cdp_session(window.page)
    session.send("DOM.enable")
    session.send("CSS.enable")
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    # Of deeper descendants the browser does not tell.
    nodes = session.send("DOM.querySelectorAll", {"nodeId": root, "selector": "body, body *"})["nodeIds"]
    found = [session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"] for node in nodes]
    return {"*" * font["isCustomFont"] + font["familyName"] for fonts in found for font in fonts}


def test_every_character_is_in_it(machine: Machine, browser: Any) -> None:
    characters = "".join(sorted({character for text in said() for character in text if character != "\n"}))
    with served(machine.client().application) as url:
        window = Window(browser, f"{url}/privacy", SCREENS["landscape"])
        window.page.evaluate("document.fonts.ready")
        assert fonts(window) == {"*Atkinson Hyperlegible Next"}
        window.page.evaluate("characters => { document.body.textContent = characters }", characters)
        assert fonts(window) == {"*Atkinson Hyperlegible Next"}, characters
        window.page.evaluate("document.body.append('☃')")
        assert len(fonts(window)) == 2
        window.context.close()
