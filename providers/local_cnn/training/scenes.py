"""Grounds to lay items on, and hands: rendered ones that ship with Triof, drawn ones, and grounds found in photos."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Literal
from zlib import crc32

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageOps

from providers.local_cnn.training.cutout import Cutout
from providers.local_cnn.training.stains import Colours, blotches

FOLDER = Path(__file__).parent.parent / "scenery"
"""Rendered by tools/render_scenery.py."""

_FOUND_SIDE = 256
_NARROWEST = 0.2
"""Of the photo's side: thinner strips beside an item show too little of its ground."""
_EVEN = 20.0
"""Spread of a strip's coarse parts, in grey levels, up to which it shows a ground and not other things."""


@dataclass(frozen=True)
class Scenery:
    """What the views of one training are laid on."""

    rendered: Sequence[Image.Image]
    """Square."""
    found: Sequence[Image.Image] = ()
    """Beside the items of photos; square."""
    hands: Sequence[Image.Image] = ()
    """Mode ``RGBA``, cut out."""
    drawn: float = 0.3
    """Share of the grounds that are drawn: plain, unevenly lit."""
    whole: Sequence[Sequence[bytes]] = ()
    """Compressed photos, one sequence for each source, that are a ground as they are, with all that lies in them."""
    whole_share: float = 0.0
    """Of the grounds, where there are such photos."""

    def ground(self, side: int, rng: Generator) -> Colours:
        """A ground in a random light, a photo, drawn, rendered or found: (side, side, 3)."""
        if self.whole and rng.random() < self.whole_share:
            source = self.whole[int(rng.integers(len(self.whole)))]
            return _lit([_square(source[int(rng.integers(len(source)))])], side, rng)
        # First the kind: photos show hundreds of grounds, and most of them the same grey table.
        kinds = [pictures for pictures in (self.rendered, self.found) if pictures]
        if not kinds or rng.random() < self.drawn:
            return backdrop(side, rng)
        return _lit(kinds[int(rng.integers(len(kinds)))], side, rng)

    def slot(self, side: int, rng: Generator) -> Colours:
        """A ground as it lies in a machine: rendered or drawn."""
        return replace(self, found=(), whole=()).ground(side, rng)

    def hand(self, rng: Generator) -> Image.Image | None:
        """One of the hands; None where there are none."""
        return self.hands[int(rng.integers(len(self.hands)))] if self.hands else None


def rendered(kind: Literal["grounds", "hands"], *, held_out: bool = False) -> list[Image.Image]:
    """The pictures of ``kind`` that ship with Triof for training, or about a quarter from which no training learns.

    Grounds are held out by their kind (``wood-1`` with ``wood-2``), hands by their pose (two and two share one).
    """
    return [picture for name, picture in _rendered(kind).items() if _is_held_out(name) == held_out]


def _is_held_out(name: str) -> bool:
    alike = name.rpartition("-")[0] or str(int(name) // 2)
    return crc32(alike.encode()) % 4 == 1


@cache
def _rendered(kind: str) -> Mapping[str, Image.Image]:
    files = sorted(path for path in (FOLDER / kind).glob("*") if path.suffix in {".jpg", ".png"})
    return {path.stem: Image.open(path).convert("RGBA" if kind == "hands" else "RGB") for path in files}


def found(photos: Iterable[tuple[Image.Image, Cutout | None]]) -> list[Image.Image]:
    """The grounds that photos show beside the items that were cut out of them."""
    return [
        ground for picture, cutout in photos if cutout and not cutout.divisible and (ground := beside(picture, cutout))
    ]


def beside(picture: Image.Image, cutout: Cutout) -> Image.Image | None:
    """The ground that a photo shows beside its item, as a square; None where it shows too little or other things."""
    strip = _strip(picture, cutout)
    return _tiled(strip) if strip else None


def backdrop(side: int, rng: Generator) -> Colours:
    """A tray, a table or a sheet: nearly plain, unevenly lit: (side, side, 3)."""
    white = rng.random() < 0.2
    colour = np.full(3, 252.0) if white else rng.uniform(30, 250) + rng.normal(0, rng.choice([4, 18]), 3)
    slope = np.linspace(-0.5, 0.5, side)
    angle, depth = rng.uniform(0, 2 * math.pi), rng.uniform(0, 45) * (not white)
    light = depth * (math.cos(angle) * slope[:, None] + math.sin(angle) * slope[None, :])
    lumps = rng.uniform(0, 8) * (not white) * blotches(side, int(rng.integers(2, 40)), rng)
    drawn: Colours = np.clip(colour + (light + lumps)[:, :, None], 0, 255).astype(np.float32)
    return drawn


def _square(jpeg: bytes) -> Image.Image:
    """The middle of a compressed photo."""
    picture = Image.open(BytesIO(jpeg)).convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def _lit(pictures: Sequence[Image.Image], side: int, rng: Generator) -> Colours:
    """A part of one of ``pictures`` in a random light."""
    picture = pictures[int(rng.integers(len(pictures)))]
    length = picture.width * rng.uniform(0.5, 1.0)
    left, top = rng.uniform(0, picture.width - length, 2)
    picture = picture.resize((side, side), Image.Resampling.BILINEAR, (left, top, left + length, top + length))
    if rng.random() < 0.5:
        picture = ImageOps.mirror(picture)
    pixels = np.asarray(picture, np.float32) * rng.uniform(0.7, 1.25) + rng.normal(0, 5, 3)
    lit: Colours = np.clip(pixels, 0, 255).astype(np.float32)
    return lit


def _strip(picture: Image.Image, cutout: Cutout) -> Image.Image | None:
    """The largest part of ``picture`` above, below or beside its item."""
    width, height = picture.size
    left, top, right, bottom = cutout.alpha.getbbox() or (0, 0, width, height)
    parts = [(0, 0, width, top), (0, bottom, width, height), (0, 0, left, height), (right, 0, width, height)]
    largest = max(parts, key=lambda part: (part[2] - part[0]) * (part[3] - part[1]))
    if min(largest[2] - largest[0], largest[3] - largest[1]) < _NARROWEST * min(width, height):
        return None
    strip = picture.crop(largest)
    coarse = np.asarray(strip.resize((6, 6), Image.Resampling.BOX), np.float32)
    return strip if coarse.std(axis=(0, 1)).max() < _EVEN else None


def _tiled(strip: Image.Image) -> Image.Image:
    """A square of ``strip``, mirrored at its edges until it is filled."""
    pixels = np.asarray(strip)
    while min(pixels.shape[:2]) * 1.5 < max(pixels.shape[:2]):
        axis = int(np.argmin(pixels.shape[:2]))
        pixels = np.concatenate([pixels, np.flip(pixels, axis)], axis=axis)
    length = min(pixels.shape[:2])
    square = Image.fromarray(np.ascontiguousarray(pixels[:length, :length]))
    return square.resize((_FOUND_SIDE, _FOUND_SIDE), Image.Resampling.BILINEAR)
