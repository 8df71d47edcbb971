"""Every sentence of the pages is said in every language, and French follows its typography."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from tests.support.paths import ROOT
from triof.common.paths import TRANSLATIONS

METHODS = [
    ("triof/web/api/docs.py", "triof.web.api.docs:extract"),
    ("triof/web/**.py", "python"),
    ("templates/**.html", "jinja2"),
]
KEYWORDS = {"_": None, "lazy_gettext": None, "gettext": None, "ngettext": (1, 2)}

# Addresses, code, entities, tags with their attributes, and times such as 12:30 follow rules of their own.
NOT_PROSE = re.compile(r"https?://\S+|doi:\S+|`[^`]*`|&#?\w+;|<[^>]*>|\d{1,2}:\d\d")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")
# U+202F before ; ! ? would be finer, but Liberation Sans, the touchscreen's font on a plain Debian, does not have it.
BROKEN_RULES = {
    "no-break space before ? ! : ; »": re.compile(r"(?<![\xa0?!])[?!:;»]"),
    "no-break space after «": re.compile(r"«(?!\xa0)"),
    "no-break space before %": re.compile(r"(?<!\xa0)%"),
    "no-break space before a unit": re.compile(
        r"\d(?!\xa0)\s?(?:[kc]?m|[km]?g|m?s|h|min|[kMG]B|°C|€|jours?|mois|ans?)(?![\w’])"
    ),
    "typographic apostrophe, guillemets": re.compile(r"['\"“”]"),
    "ellipsis": re.compile(r"\.\.\."),
}


@pytest.fixture(scope="module")
def sentences() -> set[str]:
    found = extract_from_dir(ROOT, METHODS, keywords=KEYWORDS)
    return {message[0] if isinstance(message, tuple) else message for _, _, message, _, _ in found}


def read_catalogue(language: str) -> Catalog:
    with (TRANSLATIONS / language / "LC_MESSAGES" / "messages.po").open("rb") as po:
        return read_po(po, locale=language)


def broken_rules(text: str) -> list[str]:
    """The rules of French typography that ``text`` breaks; a placeholder counts as a number."""
    prose = PLACEHOLDER.sub("1", NOT_PROSE.sub("", text)).replace("%%", "%")
    return [rule for rule, pattern in BROKEN_RULES.items() if pattern.search(prose)]


@pytest.mark.slow
@pytest.mark.parametrize("language", [path.name for path in TRANSLATIONS.iterdir() if path.is_dir()])
def test_nothing_is_left_in_english(language: str, sentences: set[str]) -> None:
    catalogue = read_catalogue(language)
    translated = {
        message.id[0] if isinstance(message.id, tuple) else message.id: message
        for message in catalogue
        if message.id and all([message.string] if isinstance(message.string, str) else message.string or [""])
        if not message.fuzzy
    }
    assert not sentences - set(translated)
    assert not set(translated) - sentences, "sentences that no page uses any more"
    for message in translated.values():
        assert sorted(re.findall(r"%\(\w+\)", str(message.id))) == sorted(re.findall(r"%\(\w+\)", str(message.string)))


def test_french_follows_french_typography() -> None:
    broken = {}
    for message in read_catalogue("fr"):
        for text in [message.string] if isinstance(message.string, str) else message.string or ():
            if message.id and (rules := broken_rules(text)):
                broken[text] = rules
    assert not broken


def test_the_french_page_of_the_docs_follows_french_typography() -> None:
    text = (ROOT / "docs" / "guide" / "exploitation.md").read_text(encoding="utf-8")
    lines = (re.sub(r"\]\([^)]*\)|^\|[-|]+\|$", "", line) for line in text.splitlines())
    assert not {line: rules for line in lines if (rules := broken_rules(line))}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        *((f"Merci{mark}", "no-break space before ? ! : ; »") for mark in "?!:;»"),
        *((f"Merci{blank}!", "no-break space before ? ! : ; »") for blank in (" ", "\u202f", "\u2009")),
        *((f"«{blank}gobelet\xa0»", "no-break space after «") for blank in ("", " ")),
        *((f"{number}{blank}%%", "no-break space before %") for number in ("50", "%(share)s") for blank in ("", " ")),
        *(
            (text, "no-break space before a unit")
            for text in ("30 jours", "3kg", "dans %(seconds)s s.", "%(n)s m de fil")
        ),
        *((text, "typographic apostrophe, guillemets") for text in ("l'objet", "c'est %(seen)s", 'un "gobelet"')),
        ("Un instant...", "ellipsis"),
    ],
)
def test_each_rule_of_french_typography_is_checked(text: str, rule: str) -> None:
    assert broken_rules(text) == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "C’est bien «\xa0%(seen)s\xa0»\xa0?!",
        "Fermé à 12:30\xa0; 50\xa0%%, 3\xa0kg, %(seconds)s\xa0s s’il pleut…",
        "Voir `a: 'b'`, https://example.com/?a=b et <a href=\"/x?y;z\" title='a: b'>ceci</a>&nbsp;&amp; cela",
    ],
)
def test_correct_french_breaks_no_rule(text: str) -> None:
    assert broken_rules(text) == []


def test_no_page_names_another_host() -> None:
    for path in [*Path(ROOT / "templates").rglob("*.html"), *(ROOT / "static").glob("*.*s")]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|(?<!:)//[a-z]+\.[a-z]", text), path
        # Reports are files of their own, without the policy of our pages.
        assert " style=" not in text or path.parent.name == "reports"
        assert not re.search(r"\son\w+=", text)
