"""What the reference of the empty slot gains: items cut out of labelled photos, laid on empty trays in four sizes.

Each scene is a JPEG of 1280 x 720 and goes through ``Sorter.judge`` twice: as a whole, and with the item's box cut out.
The margin is chosen on scenes of the validation split (``--choose``) and reported on scenes of the test split.

    python -m tools.measure_cut --choose            # all margins, validation photos
    python -m tools.measure_cut                     # the margin of the settings, test photos, all disturbances
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4
from zlib import crc32

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from providers.local_cnn.training.augmentation import laid_on
from providers.local_cnn.training.cutout import Cutout, cut_out
from tools.labelled_photos import DATA, need
from triof import services
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import LabelledPhoto
from triof.judging.slot_view import SlotView
from triof.judging.sorter import Judgement, Sorter
from triof.machine.reference_store import Reference
from triof.settings.loader import load
from triof.settings.sections.slot_view import SlotViewSettings
from triof.settings.tree import Settings

TRAYS = Path(__file__).parent / "trays"
WIDTH, HEIGHT = 1280, 720
SIZES = (0.2, 0.35, 0.55, 0.85)
"""Longer side of the item, relative to the picture's height."""
DISTURBED_SIZES = (0.2, 0.55)
MARGINS = (0.05, 0.1, 0.2, 0.35)
_AROUND = 48
"""Pixels around an item that its shadow may reach."""

Pixels = NDArray[np.float32]


class Item(NamedTuple):
    """An item that was cut out of its photo."""

    photo: LabelledPhoto
    picture: Image.Image
    cutout: Cutout


@dataclass(frozen=True)
class Row:
    """One scene and its verdict; ``seen`` is the state of the comparison, ``whole`` without one."""

    size: float
    disturbed: str
    way: str
    waste_type: str
    cleanliness: str
    predicted: str
    action: str
    label: str
    reason: str
    seen: str


def as_is(pixels: Pixels, rng: Generator) -> Pixels:
    return pixels


def darker(pixels: Pixels, rng: Generator) -> Pixels:
    """A lamp with a fifth less light, a little warmer."""
    return pixels * np.array([0.83, 0.8, 0.77], np.float32)


def brighter(pixels: Pixels, rng: Generator) -> Pixels:
    """A lamp with a fifth more light, a little colder, clipped where the camera clips."""
    return pixels * np.array([1.17, 1.2, 1.23], np.float32)


def noisy(pixels: Pixels, rng: Generator) -> Pixels:
    """A small sensor in the dark."""
    return pixels + 8 * rng.standard_normal(pixels.shape, np.float32)


def shaken(pixels: Pixels, rng: Generator) -> Pixels:
    """A camera that was moved by a hundredth of the picture."""
    right, down = rng.choice([-1, 1], 2) * (WIDTH // 100, HEIGHT // 100)
    rows, columns = np.clip(np.arange(HEIGHT) - down, 0, HEIGHT - 1), np.clip(np.arange(WIDTH) - right, 0, WIDTH - 1)
    moved: Pixels = pixels[rows][:, columns]
    return moved


Disturbance = Callable[[Pixels, Generator], Pixels]
DISTURBANCES: dict[str, Disturbance] = {
    "as it was": as_is,
    "lamp -20 %": darker,
    "lamp +20 %": brighter,
    "noise": noisy,
    "shaken by 1 %": shaken,
}


def items(split: str, per_label: int, rng: Generator, data: Path = DATA) -> Iterator[Item]:
    """Items of each type, as many of either cleanliness as there are, of all sources in turn."""
    photos = [each for each in photo_dataset.read(data / "all.csv").photos if each.split == split]
    for label in ("bottle", "cup", "cutlery", "other"):
        of_label = [each for each in photos if each.labels.get("waste_type") == label]
        found = 0
        for index in rng.permutation(len(of_label)):
            picture = Image.open(of_label[index].path).convert("RGB")
            cutout = cut_out(picture)
            if cutout and cutout.alpha.getbbox():
                yield Item(of_label[index], picture, cutout)
                found += 1
            if found == per_label:
                break


def scene(tray: Pixels, item: Item, size: float, rng: Generator, *, beyond: float = 0.0) -> Pixels:
    """Lay ``item`` on ``tray``, wholly inside the picture, or with the part ``beyond`` of it outside."""
    left, top, right, bottom = item.cutout.alpha.getbbox() or (0, 0, 1, 1)
    scale = size * HEIGHT / max(right - left, bottom - top)
    width, height = (max(4, round(side * scale)) for side in (right - left, bottom - top))
    alpha = _sized(item.cutout.alpha.crop((left, top, right, bottom)), width, height)
    picture = _sized(item.picture.crop((left, top, right, bottom)), width, height)
    inside = 20
    x = int(rng.integers(inside, max(inside + 1, WIDTH - width - inside)))
    y = int(rng.integers(inside, max(inside + 1, HEIGHT - height - inside)))
    if beyond:
        x = round(-beyond * width) if rng.random() < 0.5 else WIDTH - round((1 - beyond) * width)
    aside = _AROUND + (width if beyond else 0)
    framed = np.pad(tray, ((_AROUND, _AROUND), (aside, aside), (0, 0)), mode="edge")
    rows = slice(y, y + height + 2 * _AROUND)
    columns = slice(x + aside - _AROUND, x + width + aside + _AROUND)
    around = ((_AROUND, _AROUND), (_AROUND, _AROUND))
    laid = laid_on(
        np.pad(picture, (*around, (0, 0)), mode="edge"),
        np.pad(alpha / 255, around).astype(np.float32),
        item.cutout,
        framed[rows, columns],
        rng,
    )
    framed[rows, columns] = laid
    return framed[_AROUND:, aside:][:HEIGHT, :WIDTH]


def _sized(picture: Image.Image, width: int, height: int) -> Pixels:
    return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS), np.float32)


def photographed(pixels: Pixels, rng: Generator) -> bytes:
    """Return the JPEG of a camera with a little noise."""
    noisy_pixels = np.clip(pixels + 2 * rng.standard_normal(pixels.shape, np.float32), 0, 255).astype(np.uint8)
    jpeg = BytesIO()
    Image.fromarray(noisy_pixels).save(jpeg, "JPEG", quality=88)
    return jpeg.getvalue()


def trays(folder: Path = TRAYS) -> dict[str, Pixels]:
    """The empty trays by name."""
    return {
        path.stem: np.asarray(
            Image.open(path).convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.float32
        )
        for path in sorted(folder.glob("*.jpg"))
    }


def reference(tray: Pixels, rng: Generator) -> Reference:
    """The reference that a machine would keep of this tray."""
    picture = Image.open(BytesIO(photographed(tray, rng))).convert("RGB")
    return Reference(picture, "measured", WIDTH, HEIGHT, None)


class Judges:
    """The sorters of each way, for the tray that is set."""

    def __init__(self, settings: Settings, margins: Sequence[float]) -> None:
        self.empty: Reference | None = None
        router = services.build_router(settings)
        self.ways: dict[str, Sorter] = {"whole": Sorter(router, settings.policy)}
        for margin in margins:
            view = SlotView(SlotViewSettings(margin=margin), lambda: [self.empty] if self.empty else [])
            self.ways[f"cut {margin:g}"] = Sorter(router, settings.policy, slot_view=view)

    def judge(self, jpeg: bytes) -> Iterator[tuple[str, Judgement]]:
        """Yield the judgement of each way."""
        for way, sorter in self.ways.items():
            yield way, sorter.judge(jpeg, uuid4())


def row(size: float, disturbed: str, way: str, labels: dict[str, str], judged: Judgement) -> Row:
    predicted = judged.predictions.get("waste_type")
    verdict = judged.verdict
    return Row(
        size,
        disturbed,
        way,
        labels.get("waste_type", ""),
        labels.get("cleanliness", ""),
        predicted.label if predicted else "",
        verdict.action,
        verdict.label or "",
        verdict.reason,
        judged.finding.comparison.state if judged.finding else "whole",
    )


def measured(split: str, per_label: int, margins: Sequence[float], disturbances: Sequence[str]) -> list[Row]:
    """Judge every item in every size and disturbance, the empty trays, and items that reach out of the picture."""
    judges = Judges(load({"mode": "local"}).settings, margins)
    grounds, rows = trays(), list[Row]()
    names = list(grounds)
    chosen = list(items(split, per_label, np.random.default_rng(crc32(split.encode()))))
    for index, item in enumerate(track(chosen, f"{split} photos")):
        rng = np.random.default_rng(index)
        tray = grounds[names[index % len(names)]]
        judges.empty = reference(tray, rng)
        labels = {str(task): label for task, label in item.photo.labels.items()}
        for disturbed in disturbances:
            for size in SIZES if disturbed == "as it was" else DISTURBED_SIZES:
                pixels = DISTURBANCES[disturbed](scene(tray, item, size, rng), rng)
                for way, judged in judges.judge(photographed(pixels, rng)):
                    rows.append(row(size, disturbed, way, labels, judged))
            pixels = DISTURBANCES[disturbed](tray, rng)
            for way, judged in judges.judge(photographed(pixels, rng)):
                rows.append(row(0.0, disturbed, way, {"waste_type": "nothing"}, judged))
        pixels = scene(tray, item, 0.55, rng, beyond=float(rng.uniform(0.15, 0.6)))
        for way, judged in judges.judge(photographed(pixels, rng)):
            rows.append(row(-1.0, "reaches out", way, labels, judged))
    return rows


def share(part: Sequence[Row], of: Callable[[Row], bool]) -> str:
    return f"{100 * sum(map(of, part)) / len(part):5.1f}" if part else "    -"


def is_wrong(each: Row) -> bool:
    """Whether the machine accepts what it must not."""
    return each.action == "accept" and (each.label != each.waste_type or each.cleanliness == "dirty")


def table(rows: Sequence[Row]) -> str:
    """One line for each size, disturbance and way, in percent."""
    lines = [
        "| size | picture | networks see | type right | foreign caught | accepted and wrong | clean asked"
        " | clean refused | box found |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    keys = dict.fromkeys((each.disturbed, each.size, each.way) for each in rows if each.size > 0)
    for disturbed, size, way in keys:
        these = [each for each in rows if (each.disturbed, each.size, each.way) == (disturbed, size, way)]
        plastic = [each for each in these if each.waste_type != "other"]
        clean = [each for each in plastic if each.cleanliness == "clean"]
        cells = (
            share(plastic, lambda each: each.predicted == each.waste_type),
            share([each for each in these if each.waste_type == "other"], lambda each: each.action != "accept"),
            share(these, is_wrong),
            share(clean, lambda each: each.action == "ask"),
            share(clean, lambda each: each.action == "refuse"),
            share(these, lambda each: each.seen == "item") if way != "whole" else "    -",
        )
        lines.append(f"| {size:g} | {disturbed} | {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def states(rows: Sequence[Row]) -> str:
    """What was seen in empty trays, in items inside the picture and in those that reach out of it."""
    lines = []
    for kind, chosen in (
        ("empty", [each for each in rows if each.size == 0]),
        ("item inside", [each for each in rows if each.size > 0]),
        ("reaches out", [each for each in rows if each.size < 0]),
    ):
        for disturbed, way in dict.fromkeys((each.disturbed, each.way) for each in chosen):
            these = [each for each in chosen if (each.disturbed, each.way) == (disturbed, way)]
            seen, reasons = Counter(each.seen for each in these), Counter(each.reason for each in these)
            lines.append(f"{kind:12} {disturbed:14} {way:9} {dict(seen)} {dict(reasons.most_common(4))}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--choose", action="store_true", help="all margins on validation photos")
    parser.add_argument("--per-label", type=int, default=40, help="items of each type (40)")
    parser.add_argument("--out", type=Path, help="write the rows as JSON")
    chosen = parser.parse_args()
    need(DATA)
    if chosen.choose:
        rows = measured("val", chosen.per_label, MARGINS, ["as it was"])
    else:
        rows = measured("test", chosen.per_label, [SlotViewSettings().margin], list(DISTURBANCES))
    print(table(rows))
    print()
    print(states(rows))
    if chosen.out:
        chosen.out.write_text(json.dumps([asdict(each) for each in rows]))


if __name__ == "__main__":
    main()
