"""`triof report`: the page and the table that a tenant gets."""

import csv
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from click.testing import CliRunner, Result
from PIL import Image

from testing.image_files import encoded
from tests.support.browsing import Window
from tests.support.paths import ROOT
from tests.support.places import Place
from triof.cli import main
from triof.common.paths import TRANSLATIONS
from triof.settings.sections.reports import CO2_SOURCE, ReportSettings
from triof.statistics import export
from triof.statistics.recycling import recycled

pytestmark = pytest.mark.slow

Report = Callable[..., Result]


@pytest.fixture
def place(tmp_path: Path, new_journal: Path) -> Place:
    """The journal of the home folder: in October, on the 31st shortly before midnight, and in November."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "journal.db").write_bytes(new_journal.read_bytes())
    place = Place(tmp_path / "home", f"sqlite:///{tmp_path / 'home' / 'journal.db'}")
    for day, hour in ((1, 9), (31, 22), (31, 23)):
        place.now = datetime(2025, 10, day, hour, 30, tzinfo=UTC)
        place.deposit()
        place.deposit("b", "cup", "dirty", None, "returned")
    place.close()
    return place


@pytest.fixture
def report(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.chdir(tmp_path)
    po = TRANSLATIONS / "fr" / "LC_MESSAGES" / "messages.po"
    with po.open("rb") as source, po.with_suffix(".mo").open("wb") as compiled:
        write_mo(compiled, read_po(source, locale="fr"))

    def run(*arguments: str, settings: Mapping[str, str] = MappingProxyType({})) -> Result:
        flags = [f"--set={name}={value}" for name, value in {"tenant.name": "<Tenant> & Co", **settings}.items()]
        return CliRunner().invoke(main, [*flags, "report", *arguments])

    return run


def test_a_month_ends_at_midnight_where_the_machine_stands(report: Report, tmp_path: Path) -> None:
    # In Paris it is 23:30 on the 31st, and the next deposit belongs to November.
    told = report("--month", "2025-10", "--language", "en", "--csv", "days.csv", "--out", "page.html")
    assert told.exit_code == 0, told.output
    assert "deposits  4, of which 2 were shredded; not clean: 50.0%" in told.output
    assert "0.03 kg" in told.output
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Recycled plastic, October 2025" in page
    assert "&lt;Tenant&gt; &amp; Co" in page
    assert "2 machines" in page
    assert len(re.findall("<rect", page)) == 31
    assert not re.search(r"<script|https?://|<link|<img", page)
    rows = list(csv.DictReader((tmp_path / "days.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) == 2 * 31
    assert [(row["machine"], row["day"]) for row in rows if row["shredded"] != "0"] == [
        ("a", "2025-10-01"),
        ("a", "2025-10-31"),
    ]


def test_the_page_is_in_french_by_default_and_for_the_machines_asked_for(report: Report, tmp_path: Path) -> None:
    told = report("--since", "2025-10-01", "--until", "2025-11-30", "--machine", "b")
    assert told.exit_code == 0, told.output
    page = (tmp_path / "triof-2025-10.html").read_text(encoding="utf-8")
    assert '<html lang="fr">' in page
    assert "1er octobre 2025 – 30 novembre 2025" in page
    assert "une machine" in page
    assert "100,0\xa0% d’entre eux n’étaient pas propres." in page
    assert "tableau 3" in page
    assert re.search(r"<title>[^<]+\xa0: 0</title>", page)
    assert not re.search(r"\b(Items|Reason|saved|machines?:)\b", page)


def test_a_time_without_deposits_is_a_page_that_says_so(report: Report, tmp_path: Path) -> None:
    assert report("--month", "2024-02", "--language", "en", "--out", "page.html").exit_code == 0
    assert "Nobody used the machine in this time." in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (["--machine", "c"], "No machine is called c in this journal: there are a, b.", 2),
        (["--month", "2025-13"], "does not match the format", 2),
        (["--until", "2025-10-01"], "--until needs --since", 2),
        (["--month", "2025-10", "--since", "2025-10-01"], "Choose --month, or", 2),
        (["--since", "2025-10-02", "--until", "2025-10-01"], "The last day is before the first one.", 2),
        (["--out", "/dev/null/page.html"], "name another place with --out", 1),
    ],
)
def test_what_is_asked_wrongly_is_one_sentence(report: Report, arguments: list[str], sentence: str, code: int) -> None:
    told = report(*arguments)
    assert told.exit_code == code
    assert sentence in told.output
    assert "Traceback" not in told.output


def test_headline_and_table_are_rounded_alike(report: Report, tmp_path: Path) -> None:
    assert report("--month", "2025-10", "--language", "en", "--out", "page.html").exit_code == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    headline = re.findall(r"<b>([\d.,]+)(?:&nbsp;k?[gm])?</b>", page)
    foot = re.search(r"<tfoot>(.*?)</tfoot>", page, re.S)
    assert foot
    assert headline == [cell for cell in re.findall(r"<td>(.*?)</td>", foot[1]) if cell] == ["2", "0.03", "9", "0.05"]


@pytest.fixture
def logo(tmp_path: Path) -> Mapping[str, str]:
    """The setting of a wide logo, whose file is there."""
    (tmp_path / "home" / "config").mkdir()
    (tmp_path / "home" / "config" / "logo.png").write_bytes(encoded(Image.new("RGB", (900, 90), "navy"), "PNG"))
    return {"tenant.logo": "logo.png"}


def test_the_page_bears_the_logo(report: Report, tmp_path: Path, logo: Mapping[str, str]) -> None:
    assert report("--month", "2025-10", "--out", "page.html", settings=logo).exit_code == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert re.search(r'<img class="logo" src="data:image/png;base64,[^"]+" alt="&lt;Tenant&gt; &amp; Co">', page)


def test_the_page_prints_on_two_sheets_of_a4(
    report: Report, browser: Any, tmp_path: Path, logo: Mapping[str, str]
) -> None:
    assert report("--month", "2025-10", "--out", "page.html", settings=logo).exit_code == 0
    window = Window(browser, (tmp_path / "page.html").as_uri(), (420, 800))
    assert window.page.evaluate("document.documentElement.scrollWidth") <= 420
    printed = window.page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 2
    assert re.search(rb"/MediaBox\s*\[0 0 59[456][.\d]* 84[123][.\d]*\]", printed)
    # Laid out on the width of a sheet less its margins.
    window.page.emulate_media(media="print")
    window.page.set_viewport_size({"width": round((210 - 2 * 14) / 25.4 * 96), "height": 1000})
    cut = window.page.evaluate(
        """() => [...document.querySelectorAll('body *:not(svg *)')].filter(e => {
            const r = e.getBoundingClientRect();
            return r.right > innerWidth + 0.5 || r.left < -0.5 || e.clientWidth && e.scrollWidth > e.clientWidth + 1;
        }).map(e => e.outerHTML.slice(0, 60))"""
    )
    assert cut == []
    window.keep("report-printed", full_page=True)


@pytest.mark.parametrize(
    ("changes", "kilograms", "metres", "co2"),
    [
        # 1 kg of PET is 725 cm3; a metre of 1.75 mm has 2.405 cm3.
        ({"grams": {"bottle": 10}}, 1.0, 301.3, 1.7),
        ({"grams": {"bottle": 10}, "filament_millimetres": 2.85, "co2": {"bottle": 1}}, 1.0, 113.6, 1.0),
    ],
)
def test_items_become_kilograms_metres_and_co2(
    changes: dict[str, Any], kilograms: float, metres: float, co2: float
) -> None:
    worth = recycled({"bottle": 100}, ReportSettings.model_validate(changes))
    assert worth.total_kilograms == pytest.approx(kilograms)
    assert worth.total_metres == pytest.approx(metres, abs=0.05)
    assert worth.total_co2_kilograms == pytest.approx(co2)


def test_an_unknown_time_zone_is_a_mistake_in_the_settings(report: Report) -> None:
    told = CliRunner().invoke(main, ["--set", "reports.timezone=Paris", "report"])
    assert told.exit_code == 2
    assert (
        "reports.timezone = 'Paris' (from flag): No time zone has this name: use one like Europe/Paris" in told.output
    )


def test_the_docs_explain_every_column_and_name_the_sources() -> None:
    text = (ROOT / "docs" / "reference" / "reports.md").read_text(encoding="utf-8")
    assert not [column for column in export.COLUMNS if f"`{column}`" not in text]
    assert "10.1098/rstb.2008.0311" in text
    assert CO2_SOURCE in (ROOT / "templates" / "reports" / "month.html").read_text(encoding="utf-8")
