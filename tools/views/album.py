"""The folder of rendered pictures and its manifest. Needs no Blender."""

import csv
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from .plan import Scene, scene

COLUMNS = ("path", "waste_type", "cleanliness", "group", "source", "split", "material")
SOURCE = "rendered"

Render = Callable[[Scene, Path], None]
"""Renders a scene and saves it as a JPEG at that path."""


@dataclass(frozen=True)
class Progress:
    """One picture done: how many there are of how many, and the seconds it took."""

    scene: Scene
    done: int
    count: int
    seconds: float


def picture(out: Path, shown: Scene) -> Path:
    """Where the picture of a scene lies."""
    return out / f"{shown.name}.jpg"


def render_all(out: Path, count: int, render: Render, *, first: int = 0) -> Iterator[Progress]:
    """Render the scenes ``first`` to ``first + count - 1`` whose pictures do not exist yet.

    A picture appears under its name when it is whole. Call ``write_manifest`` afterwards, also when interrupted.
    """
    out.mkdir(parents=True, exist_ok=True)
    for done, number in enumerate(range(first, first + count), start=1):
        shown = scene(number)
        target = picture(out, shown)
        if target.exists():
            continue
        start = time.monotonic()
        unfinished = target.with_name(f"{target.stem}.part.jpg")
        render(shown, unfinished)
        unfinished.replace(target)
        yield Progress(shown, done, count, time.monotonic() - start)


def write_manifest(out: Path) -> int:
    """Write ``manifest.csv`` of all pictures that lie in ``out``; returns how many there are."""
    text = StringIO()
    rows = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    rows.writeheader()
    scenes = (scene(int(path.name[:6])) for path in sorted(out.glob("[0-9][0-9][0-9][0-9][0-9][0-9]-*.jpg")))
    found = [shown for shown in scenes if picture(out, shown).exists()]
    rows.writerows(_row(shown) for shown in found)
    unfinished = out / f".manifest.{os.getpid()}"
    unfinished.write_text(text.getvalue())
    unfinished.replace(out / "manifest.csv")
    return len(found)


def _row(shown: Scene) -> dict[str, str]:
    return {
        "path": f"{shown.name}.jpg",
        "waste_type": shown.waste_type,
        "cleanliness": shown.cleanliness,
        "group": f"rendered-{shown.number:06d}",
        "source": SOURCE,
        "split": "train",
        "material": shown.material,
    }
