"""Every sentence of the pages is said in every language."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from tests.conftest import ROOT
from triof.paths import TRANSLATIONS

METHODS = [("triof/web/**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS = {"_": None, "lazy_gettext": None, "gettext": None, "ngettext": (1, 2)}


@pytest.fixture(scope="module")
def sentences() -> set[str]:
    found = extract_from_dir(ROOT, METHODS, keywords=KEYWORDS)
    return {message[0] if isinstance(message, tuple) else message for _, _, message, _, _ in found}


@pytest.mark.parametrize("language", [path.name for path in TRANSLATIONS.iterdir() if path.is_dir()])
def test_nothing_is_left_in_english(language: str, sentences: set[str]) -> None:
    with (TRANSLATIONS / language / "LC_MESSAGES" / "messages.po").open("rb") as po:
        catalogue = read_po(po, locale=language)
    translated = {message.id: message for message in catalogue if message.id and message.string and not message.fuzzy}
    assert not sentences - set(translated)
    assert not set(translated) - sentences, "sentences that nobody says any more"
    for message in translated.values():
        assert sorted(re.findall(r"%\(\w+\)", str(message.id))) == sorted(re.findall(r"%\(\w+\)", str(message.string)))


def test_no_page_names_another_host() -> None:
    for path in [*Path(ROOT / "templates").rglob("*.html"), *(ROOT / "static").glob("*.*s")]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|(?<!:)//[a-z]+\.[a-z]", text), path
        # Reports are files of their own, without the policy of our pages.
        assert " style=" not in text or path.parent.name == "reports"
        assert not re.search(r"\son\w+=", text)
