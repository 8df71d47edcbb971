"""Draw the rooms of triof/ and the way of a photo: ``python -m tools.draw_architecture``.

Writes docs/images/architecture.svg and the list of rooms in docs/architecture.md. The rooms and their order are those
of the ``layers`` contract of import-linter in pyproject.toml; without one, the folders of triof/ by name. A room's
docstring says in its first line what it is for; imports are read from the source, those inside functions included.
"""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = Path("docs", "images", "architecture.svg")
PAGE = Path("docs", "architecture.md")
WAY = (
    ("machine", "the camera"),
    ("judging", "photo, router"),
    ("providers", "predictions"),
    ("judging", "verdict"),
    ("journal", "on the disk"),
    ("web", "the page"),
)
"""The way of a photo: room, and what happens there."""

_CELL, _NAMES, _HEAD, _STEP, _STRIP, _EDGE = 24, 150, 120, 132, 96, 16
_MANY, _SOME = 10, 3
_STYLE = """\
text { font: 13px sans-serif; fill: #1b1f24 } .what { font-size: 11px; fill: #57606a } .room { font-weight: bold }
.box { fill: #eaf2f8; stroke: #1f5f8b } .arrow { stroke: #1f5f8b; stroke-width: 2; marker-end: url(#tip) }
.self { fill: #d0d7de } .grid { stroke: #eaeef2 } .down { fill: #1f5f8b } .up { fill: #c0392b }"""


@dataclass(frozen=True)
class Room:
    """A floor of the house: a folder of triof/, a module of its top floor, or providers/."""

    name: str
    path: Path

    @property
    def purpose(self) -> str:
        """The first line of its docstring, without the period."""
        source = self.path / "__init__.py" if self.path.is_dir() else self.path
        tree = ast.parse(source.read_text(encoding="utf-8"))
        return (ast.get_docstring(tree) or "").partition("\n")[0].removesuffix(".")

    def sources(self) -> Iterator[Path]:
        """Its Python files."""
        yield from sorted(self.path.rglob("*.py")) if self.path.is_dir() else (self.path,)


def rooms(root: Path) -> list[Room]:
    """From the top floor down. Raises ValueError where the contract and the folders differ."""
    folders = sorted(path.parent.name for path in (root / "triof").glob("*/__init__.py"))
    names = _contract(root) or folders
    found = [Room(name, _path(root, name)) for name in names]
    if missing := [room.name for room in found if not room.path.exists()]:
        raise ValueError(f"the layers contract names rooms that are not there: {', '.join(missing)}")
    if unnamed := sorted(set(folders) - set(names)):
        raise ValueError(f"the layers contract in pyproject.toml does not name: {', '.join(unnamed)}")
    providers = Room("providers", root / "providers")
    return found if providers in found else [*found, providers]


def imports(rooms: Sequence[Room]) -> Counter[tuple[str, str]]:
    """How often each room imports each other one."""
    found: Counter[tuple[str, str]] = Counter()
    names = {room.name for room in rooms}
    for room in rooms:
        for source in room.sources():
            for module in _imported(ast.parse(source.read_text(encoding="utf-8"))):
                package, _, rest = module.partition(".")
                other = {"triof": rest.partition(".")[0], "providers": "providers"}.get(package)
                if other in names and other != room.name:
                    found[room.name, other] += 1
    return found


def picture(rooms: Sequence[Room], imports: Mapping[tuple[str, str], int]) -> str:
    """The SVG. Raises ValueError where the way of a photo names a room that is not there."""
    if lost := {name for name, _ in WAY} - {room.name for room in rooms}:
        raise ValueError(f"WAY names rooms that are not there: {', '.join(sorted(lost))}")
    width = 2 * _EDGE + max(len(WAY) * _STEP, _NAMES + len(rooms) * _CELL + _HEAD)
    height = _STRIP + _HEAD + len(rooms) * _CELL + 3 * _EDGE
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
            "<title>The way of a photo, and which room imports which</title>",
            f"<style>{_STYLE}</style>",
            '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" orient="auto">'
            '<path d="M0 0 8 4 0 8z" fill="#1f5f8b"/></marker>',
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            *_way(),
            *_matrix(rooms, imports),
            "</svg>\n",
        )
    )


def listed(rooms: Sequence[Room]) -> str:
    """The picture and what it says in words, as Markdown."""
    rows = (f"| `{room.path.name}` | {room.purpose} |\n" for room in rooms)
    return (
        f"![The way of a photo, and which room imports which]({PICTURE.relative_to(PAGE.parent).as_posix()})\n\n"
        f"| room, top floor first | what belongs there |\n|---|---|\n{''.join(rows)}"
    )


def page(text: str, rooms: Sequence[Room]) -> str:
    """The page with the list between its marks."""
    return re.sub(r"(?<=<!-- rooms -->\n).*?(?=<!-- /rooms -->)", lambda _: listed(rooms), text, flags=re.DOTALL)


def _contract(root: Path) -> list[str]:
    tool = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")).get("tool", {})
    for contract in tool.get("importlinter", {}).get("contracts", ()):
        if contract["type"] == "layers":
            layers = re.split(r"\s*[|:]\s*", " | ".join(contract["layers"]))
            return [layer.strip("() ").removeprefix("triof.") for layer in layers]
    return []


def _path(root: Path, name: str) -> Path:
    if name == "providers":
        return root / name
    folder = root / "triof" / name
    return folder if folder.is_dir() else folder.with_suffix(".py")


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "triof":
            yield from (f"triof.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _way() -> Iterator[str]:
    for number, (room, what) in enumerate(WAY):
        x, wide = _EDGE + number * _STEP, _STEP - 24
        yield f'<rect class="box" x="{x}" y="{_EDGE}" width="{wide}" height="52" rx="6"/>'
        yield f'<text class="room" x="{x + wide // 2}" y="{_EDGE + 22}" text-anchor="middle">{room}</text>'
        yield f'<text class="what" x="{x + wide // 2}" y="{_EDGE + 40}" text-anchor="middle">{what}</text>'
        if number:
            yield f'<line class="arrow" x1="{x - 24}" y1="{_EDGE + 26}" x2="{x - 2}" y2="{_EDGE + 26}"/>'


def _matrix(rooms: Sequence[Room], imports: Mapping[tuple[str, str], int]) -> Iterator[str]:
    """A row for each room, a column for each room that it may import; a larger dot for more imports."""
    left, top = _EDGE + _NAMES, _STRIP + _HEAD
    end = left + len(rooms) * _CELL
    yield f'<text class="what" x="{_EDGE}" y="{top - 8}">imports ►</text>'
    for row, room in enumerate(rooms):
        middle = top + row * _CELL + _CELL // 2
        column = left + row * _CELL + _CELL // 2
        yield f'<line class="grid" x1="{_EDGE}" y1="{middle + 12}" x2="{end}" y2="{middle + 12}"/>'
        yield f'<text x="{_EDGE}" y="{middle + 4}">{room.name}<title>{escape(room.purpose)}</title></text>'
        yield f'<text transform="translate({column + 4} {top - 8}) rotate(-60)">{room.name}</text>'
        yield f'<rect class="self" x="{column - 12}" y="{middle - 12}" width="{_CELL}" height="{_CELL}"/>'
    for row, room in enumerate(rooms):
        for column, other in enumerate(rooms):
            if count := imports.get((room.name, other.name), 0):
                x, y = (left + column * _CELL + _CELL // 2, top + row * _CELL + _CELL // 2)
                size = 8 if count >= _MANY else 5 if count >= _SOME else 3
                way = "down" if column > row else "up"
                yield (
                    f'<circle class="{way}" cx="{x}" cy="{y}" r="{size}">'
                    f"<title>{room.name} imports {other.name}: {count}</title></circle>"
                )


def main() -> None:
    """Draw."""
    house = rooms(ROOT)
    (ROOT / PICTURE).write_text(picture(house, imports(house)), encoding="utf-8")
    (ROOT / PAGE).write_text(page((ROOT / PAGE).read_text(encoding="utf-8"), house), encoding="utf-8")
    print(f"Written: {PICTURE}, and the list of rooms in {PAGE}")


if __name__ == "__main__":
    main()
