"""Grounds and hands for views: rendered ones that ship with Triof, drawn ones, and grounds found in photos."""

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
"""Pictures rendered by tools/render_scenery.py."""

_FOUND_SIDE = 256
_NARROWEST = 0.2
"""Smallest width of a strip beside an item, relative to the photo's side."""
_EVEN = 20.0
"""Largest spread of a strip's coarse parts, in grey levels, if it shows only a ground."""


@dataclass(frozen=True)
class Scenery:
    """The backgrounds for the views of a training."""

    rendered: Sequence[Image.Image]
    """Square."""
    found: Sequence[Image.Image] = ()
    """Square grounds found beside the items of photos."""
    hands: Sequence[Image.Image] = ()
    """Cut-out hands, in mode ``RGBA``."""
    drawn: float = 0.3
    """Share of the grounds that are drawn: plain, unevenly lit."""
    whole: Sequence[Sequence[bytes]] = ()
    """Compressed photos used as grounds with everything in them, one sequence for each source."""
    whole_share: float = 0.0
    """Share of the grounds that are such photos, if there are any."""

    def ground(self, side: int, rng: Generator) -> Colours:
        """Return a ground in random light, a photo, drawn, rendered or found: (side, side, 3)."""
        if self.whole and rng.random() < self.whole_share:
            source = self.whole[int(rng.integers(len(self.whole)))]
            return _lit([_square(source[int(rng.integers(len(source)))])], side, rng)
        # The kind is drawn first, as photos yield hundreds of grounds, most of them the same grey table.
        kinds = [pictures for pictures in (self.rendered, self.found) if pictures]
        if not kinds or rng.random() < self.drawn:
            return backdrop(side, rng)
        return _lit(kinds[int(rng.integers(len(kinds)))], side, rng)

    def slot(self, side: int, rng: Generator) -> Colours:
        """Return a ground of a machine's slot, rendered or drawn."""
        return replace(self, found=(), whole=()).ground(side, rng)

    def hand(self, rng: Generator) -> Image.Image | None:
        """Return a random hand; None if there are none."""
        return self.hands[int(rng.integers(len(self.hands)))] if self.hands else None


def rendered(kind: Literal["grounds", "hands"], *, held_out: bool = False) -> list[Image.Image]:
    """Return the shipped pictures of ``kind`` for training, or the held-out quarter that no training uses.

    Grounds are held out by kind (``wood-1`` with ``wood-2``), hands by pose (pairs share one).
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
    """Return the grounds beside the cut-out items of photos."""
    return [
        ground for picture, cutout in photos if cutout and not cutout.divisible and (ground := beside(picture, cutout))
    ]


def beside(picture: Image.Image, cutout: Cutout) -> Image.Image | None:
    """Return the ground beside the item of a photo, as a square; None if it is too small or shows other things."""
    strip = _strip(picture, cutout)
    return _tiled(strip) if strip else None


def backdrop(side: int, rng: Generator) -> Colours:
    """Draw a tray, a table or a sheet, nearly plain and unevenly lit: (side, side, 3)."""
    white = rng.random() < 0.2
    colour = np.full(3, 252.0) if white else rng.uniform(30, 250) + rng.normal(0, rng.choice([4, 18]), 3)
    slope = np.linspace(-0.5, 0.5, side)
    angle, depth = rng.uniform(0, 2 * math.pi), rng.uniform(0, 45) * (not white)
    light = depth * (math.cos(angle) * slope[:, None] + math.sin(angle) * slope[None, :])
    lumps = rng.uniform(0, 8) * (not white) * blotches(side, int(rng.integers(2, 40)), rng)
    drawn: Colours = np.clip(colour + (light + lumps)[:, :, None], 0, 255).astype(np.float32)
    return drawn


def _square(jpeg: bytes) -> Image.Image:
    """Return the central square of a compressed photo."""
    picture = Image.open(BytesIO(jpeg)).convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def _lit(pictures: Sequence[Image.Image], side: int, rng: Generator) -> Colours:
    """Return a random part of one of ``pictures`` in random light."""
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
    """Return the largest part of ``picture`` above, below or beside its item."""
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
    """Fill a square with ``strip``, mirrored at its edges."""
    pixels = np.asarray(strip)
    while min(pixels.shape[:2]) * 1.5 < max(pixels.shape[:2]):
        axis = int(np.argmin(pixels.shape[:2]))
        pixels = np.concatenate([pixels, np.flip(pixels, axis)], axis=axis)
    length = min(pixels.shape[:2])
    square = Image.fromarray(np.ascontiguousarray(pixels[:length, :length]))
    return square.resize((_FOUND_SIDE, _FOUND_SIDE), Image.Resampling.BILINEAR)
