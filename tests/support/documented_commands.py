"""The console blocks of a page in Markdown: the commands, what they show, and what the page says of running them.

A comment before a block, in a line of its own, tells the test what cannot be done with it:

    <!-- not run: why -->            its commands are checked by name and option only
    <!-- output varies: why -->      its commands are run, what they show is not compared
    <!-- not run on this page: why -->   anywhere on the page: all its blocks
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MARK = r"<!-- (?P<mark>not run|output varies): (?P<why>[^\n]*?) -->\n+"
_BLOCK = re.compile(
    rf"^(?:[ ]*{_MARK})?(?P<indent>[ ]*)```console\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_PAGE = re.compile(r"<!-- not run on this page: (.*?) -->", re.DOTALL)


@dataclass(frozen=True)
class Command:
    """What is typed, and what the page shows of its output (empty: nothing)."""

    typed: str
    shown: str

    @property
    def needs_shell(self) -> bool:
        """Whether more than words have to be understood."""
        bare = re.sub(r"'[^']*'|\"[^\"$`]*\"", "", re.sub(r"\s#.*", "", self.typed))
        return not self.typed.startswith("triof ") or bool(re.search(r"[|&;<>()`*]|\$\(", bare))


@dataclass(frozen=True)
class Block:
    """A console block; ``not_run`` and ``varies`` hold the reason that the page gives, or nothing."""

    page: Path
    line: int
    commands: tuple[Command, ...]
    not_run: str
    varies: str


def blocks(page: Path) -> Iterator[Block]:
    """The console blocks of a page."""
    text = page.read_text(encoding="utf-8")
    whole_page = _PAGE.search(text)
    for found in _BLOCK.finditer(text):
        body = re.sub(rf"^{found['indent']}", "", found["body"], flags=re.MULTILINE)
        not_run = found["why"] if found["mark"] == "not run" else whole_page[1] if whole_page else ""
        varies = found["why"] if found["mark"] == "output varies" else ""
        line = text.count("\n", 0, found.start("body"))
        yield Block(page, line, tuple(_commands(body)), not_run, varies)


def _commands(body: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        typed = lines.pop(0)
        while lines and (typed.endswith("\\\n") or typed.count('"') % 2 or typed.count("'") % 2):
            typed += lines.pop(0)
        yield Command(typed.rstrip("\n"), "".join(lines).strip("\n"))
