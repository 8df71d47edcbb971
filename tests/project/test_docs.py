"""The docs name every command and lead nowhere that does not exist."""

import re
from collections.abc import Iterator

import click

from tests.support.paths import ROOT
from triof.cli import main


def commands(group: click.Group, above: str) -> Iterator[str]:
    """Every command with the groups that it stands in."""
    context = click.Context(group)
    for name in group.list_commands(context):
        yield f"{above} {name}"
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{above} {name}")


def test_every_command_and_every_door_stands_in_the_docs() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    missing = [command for command in commands(main, "triof") if command not in text]
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    missing += [f"make {name}" for name in targets if f"make {name}" not in text]
    assert not missing


def test_links_in_the_docs_lead_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_page_of_the_docs_is_linked_from_another() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    linked = {
        (page.parent / target).resolve()
        for page in pages
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
        if (page.parent / target).resolve() != page
    }
    assert not [page.name for page in pages[1:] if page not in linked]
