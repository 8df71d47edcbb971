"""The picture of the rooms is drawn from the source, and the committed one is up to date."""

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.paths import ROOT
from tools.draw_architecture import PAGE, PICTURE, imports, listed, page, picture, rooms

CONTRACT = """\
[tool.importlinter]
root_packages = ["triof", "providers"]

[[tool.importlinter.contracts]]
name = "Rooms import downwards"
type = "layers"
layers = ["triof.app", "triof.web | triof.journal", "triof.judging", "(triof.machine)"]
"""
HOUSE = {
    "triof/__init__.py": "",
    "triof/app.py": '"""Builds the machine.\n\nMore."""\nimport triof.web.pages\nfrom triof import journal, judging\n',
    "triof/web/__init__.py": '"""Pages."""',
    "triof/web/pages.py": "from triof.web.texts import hello\nfrom triof.judging.sorter import Sorter\n",
    "triof/journal/__init__.py": '"""What happened."""',
    "triof/judging/__init__.py": '"""From <photo> to verdict."""',
    "triof/judging/sorter.py": "def judge():\n    from triof.web.pages import show\n    import providers.base\n",
    "triof/machine/__init__.py": '"""Camera and slot."""',
    "providers/__init__.py": '"""What does this photo show?"""\nimport web, machine.parts  # libraries',
}


def build(folder: Path, contract: str = CONTRACT, more: Mapping[str, str] | None = None) -> Path:
    """A small house of rooms."""
    for name, text in {**HOUSE, "pyproject.toml": contract, **(more or {})}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_rooms_come_in_the_order_of_the_contract(tmp_path: Path) -> None:
    assert [(room.name, room.purpose) for room in rooms(build(tmp_path))] == [
        ("app", "Builds the machine"),
        ("web", "Pages"),
        ("journal", "What happened"),
        ("judging", "From <photo> to verdict"),
        ("machine", "Camera and slot"),
        ("providers", "What does this photo show?"),
    ]


def test_without_a_contract_the_folders_are_the_rooms(tmp_path: Path) -> None:
    found = rooms(build(tmp_path, contract=""))
    assert [room.name for room in found] == ["journal", "judging", "machine", "web", "providers"]


def test_a_room_that_only_the_contract_or_only_the_source_has_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not there: fleet"):
        rooms(build(tmp_path, CONTRACT.replace("triof.app", "triof.fleet")))
    with pytest.raises(ValueError, match="does not name: drills"):
        rooms(build(tmp_path, more={"triof/drills/__init__.py": ""}))


def test_imports_are_counted_also_within_functions(tmp_path: Path) -> None:
    assert imports(rooms(build(tmp_path))) == {
        ("app", "web"): 1,
        ("app", "journal"): 1,
        ("app", "judging"): 1,
        ("web", "judging"): 1,
        ("judging", "web"): 1,
        ("judging", "providers"): 1,
    }


def test_the_picture_shows_each_import_and_its_direction(tmp_path: Path) -> None:
    house = rooms(build(tmp_path))
    drawn = ElementTree.fromstring(picture(house, imports(house)))
    dots = drawn.iter("{http://www.w3.org/2000/svg}circle")
    assert [(dot.get("class"), dot[0].text) for dot in dots] == [
        ("down", "app imports web: 1"),
        ("down", "app imports journal: 1"),
        ("down", "app imports judging: 1"),
        ("down", "web imports judging: 1"),
        ("up", "judging imports web: 1"),
        ("down", "judging imports providers: 1"),
    ]


def test_the_page_lists_the_rooms_between_its_marks(tmp_path: Path) -> None:
    house = rooms(build(tmp_path))
    written = page("before\n<!-- rooms -->\nold\n<!-- /rooms -->\nafter\n", house)
    assert written == f"before\n<!-- rooms -->\n{listed(house)}<!-- /rooms -->\nafter\n"
    assert "| `judging` | From <photo> to verdict |" in written


@pytest.mark.slow
def test_the_committed_picture_and_list_are_what_the_script_draws() -> None:
    if not (ROOT / PICTURE).exists():
        pytest.skip("the rooms are not built yet: then run `python -m tools.draw_architecture`")
    house = rooms(ROOT)
    remedy = "run `python -m tools.draw_architecture`"
    assert (ROOT / PICTURE).read_text(encoding="utf-8") == picture(house, imports(house)), remedy
    written = (ROOT / PAGE).read_text(encoding="utf-8")
    assert page(written, house) == written, remedy
