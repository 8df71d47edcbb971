"""The pages: every command and page is found from the README, every link and every page named in the code is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.support.paths import ROOT
from triof import __version__
from triof.cli import main

KINDS = ("guide", "reference", "measurements")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]*))?\)")
NO_BREAK, NARROW = "\u00a0", "\u202f"


def commands(group: click.Group, above: str) -> Iterator[str]:
    """Every command with the groups that it stands in."""
    context = click.Context(group)
    for name in group.list_commands(context):
        yield f"{above} {name}"
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{above} {name}")


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page ends with, as GitHub makes it."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """File and anchor of every link of the page that stays in the repository."""
    for target, anchor in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        yield (page.parent / target).resolve() if target else page, anchor


def name(page: Path) -> str:
    """The page's path within the repository."""
    return str(page.relative_to(ROOT))


def test_every_command_and_every_make_target_stands_in_the_docs() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES if page.name != "CHANGELOG.md")
    missing = [command for command in commands(main, "triof") if command not in text]
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    missing += [f"make {target}" for target in targets if f"make {target}" not in text]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


def test_the_index_links_every_page_under_its_kind() -> None:
    index = ROOT / "docs" / "README.md"
    assert index in {target for target, _ in links(ROOT / "README.md")}
    linked = {target for target, _ in links(index)}
    assert [name(page) for page in PAGES if page.is_relative_to(index.parent) and page not in {*linked, index}] == []
    for kind in KINDS:
        (section,) = re.findall(
            rf"^## [^\n]*`{kind}/`\n(.*?)(?=^## |\Z)", index.read_text(encoding="utf-8"), re.M | re.S
        )
        listed = {f"{kind}/{page.name}" for page in (index.parent / kind).glob("*.md")}
        assert set(re.findall(r"\]\(((?:guide|reference|measurements)/[^)#]+)", section)) == listed


def test_pages_named_in_code_and_settings_exist() -> None:
    files = [path for folder in ("triof", "providers", "tools", "config") for path in (ROOT / folder).rglob("*")]
    for path in files:
        if path.suffix in (".py", ".toml", ".html", ".po"):
            for page in re.findall(r"docs/[\w/-]+\.md", path.read_text(encoding="utf-8")):
                assert (ROOT / page).exists(), f"{name(path)}: {page}"


def test_files_named_in_the_pages_exist() -> None:
    named = re.compile(r"`((?:triof|providers|templates|static|config|tests|tools)/[\w./-]*)`")
    for page in PAGES:
        if page.name != "CHANGELOG.md":
            for path in named.findall(page.read_text(encoding="utf-8")):
                assert (ROOT / path).exists() or "NAME" in path, f"{name(page)}: {path}"


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_changelog_has_a_dated_section_for_this_version() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(__version__)} - \d{{4}}-\d\d-\d\d", headings[1])
