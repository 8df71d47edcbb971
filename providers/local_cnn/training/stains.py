"""Paints residue on an item and nowhere else, so that dirt is the only difference to the clean view.

Photos of dirty items differ from those of clean ones in other ways: they lie outdoors, are crushed, are taken by
phones. The same item on the same ground with and without a stain differs only in the stain.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Colours = NDArray[np.float32]
"""Values 0 to 255, any shape that ends in the three channels."""
Shares = NDArray[np.float32]
"""Values 0 to 1: (side, side)."""

_VISIBLE = 60.0
"""Smallest difference between the colours of an item and of its residue, in grey levels."""


@dataclass(frozen=True)
class Stain:
    """A kind of residue: its colours and its coverage."""

    colours: Sequence[tuple[int, int, int]]
    cover: Callable[[Shares, Generator], Shares]
    """Computes the coverage of each pixel from the item's alpha and a generator."""


def soiled(pixels: Colours, alpha: Shares, rng: Generator, residues: Mapping[str, Stain] | None = None) -> Colours:
    """Add one or two of ``residues`` (None: RESIDUES) where ``alpha`` shows the item; unchanged if it shows none."""
    residues = residues or RESIDUES
    if not (alpha > 0.5).any():
        return pixels
    for kind in rng.choice(list(residues), size=1 + int(rng.random() < 0.3), replace=False):
        residue = residues[kind]
        colour = _unlike(pixels[alpha > 0.5], residue, rng)
        texture = colour + 18 * blotches(len(alpha), 40, rng)[..., None] * rng.uniform(0, 1)
        # The residue is lit like the item.
        light = pixels.mean(axis=2, keepdims=True)
        shaded = texture * (1 + rng.uniform(0, 0.6) * (light / max(float(light[alpha > 0.5].mean()), 1.0) - 1))
        cover = residue.cover(alpha, rng)[..., None]
        pixels = pixels + cover * (np.clip(shaded, 0, 255) - pixels)
    return pixels.astype(np.float32)


def _unlike(item: Colours, residue: Stain, rng: Generator) -> Colours:
    """Choose a colour of ``residue`` that differs from the item's, as milk on a white cup is invisible."""
    colours = np.array(residue.colours, np.float32) * rng.uniform(0.75, 1.2, (len(residue.colours), 1))
    apart = np.abs(colours - item.mean(axis=0)).max(axis=1)
    visible = np.flatnonzero(apart > _VISIBLE)
    chosen: Colours = colours[rng.choice(visible) if len(visible) else int(apart.argmax())].astype(np.float32)
    return chosen


def blotches(side: int, cells: int, rng: Generator) -> NDArray[np.float32]:
    """Return smooth noise of about unit strength, ``cells`` lumps across: (side, side)."""
    coarse = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def _splash(alpha: Shares, rng: Generator) -> Shares:
    """Sauce, mud: opaque lumps with ragged edges."""
    lumps = blotches(len(alpha), int(rng.integers(4, 16)), rng) + 0.35 * blotches(len(alpha), 56, rng)
    return _where(lumps, alpha, rng.uniform(0.06, 0.45), 4.0) * rng.uniform(0.6, 0.97)


def _film(alpha: Shares, rng: Generator) -> Shares:
    """Milk, grease, dried drink: thin, wide and uneven."""
    lumps = blotches(len(alpha), int(rng.integers(3, 9)), rng) + 0.3 * blotches(len(alpha), 30, rng)
    return _where(lumps, alpha, rng.uniform(0.4, 0.95), 0.8) * rng.uniform(0.35, 0.7)


def _soil(alpha: Shares, rng: Generator) -> Shares:
    """Earth, sand, ash: grains, thicker in some places."""
    grains = blotches(len(alpha), len(alpha) // 2, rng) + 0.9 * blotches(len(alpha), int(rng.integers(3, 10)), rng)
    return _where(grains, alpha, rng.uniform(0.1, 0.5), 3.0) * rng.uniform(0.6, 0.95)


def _pool(alpha: Shares, rng: Generator) -> Shares:
    """Remaining drink: one end of the item, up to a level line."""
    rows, columns = np.mgrid[: len(alpha), : len(alpha)].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    height = np.cos(angle) * rows + np.sin(angle) * columns + 0.8 * blotches(len(alpha), 8, rng)
    inside = np.asarray(_image(alpha).filter(ImageFilter.MinFilter(5))) / 255
    return _where(height, inside.astype(np.float32), rng.uniform(0.12, 0.7), 0.4) * rng.uniform(0.55, 0.92)


def _drops(alpha: Shares, rng: Generator) -> Shares:
    """Splashes of coloured drink."""
    rows, columns = np.nonzero(alpha > 0.5)
    cover = np.zeros_like(alpha)
    if not len(rows):
        return cover
    y, x = np.mgrid[: len(alpha), : len(alpha)].astype(np.float32)
    for _ in range(int(rng.integers(4, 22))):
        at = rng.integers(len(rows))
        radius = rng.uniform(1.2, 6.0) * len(alpha) / 192
        stretch = rng.uniform(0.6, 1.7)
        away = np.hypot((y - rows[at]) / stretch, (x - columns[at]) * stretch)
        cover = np.maximum(cover, np.clip((radius - away) * 1.5, 0, 1))
    return (cover * alpha * rng.uniform(0.6, 0.95)).astype(np.float32)


def _where(field: NDArray[np.float32], alpha: Shares, share: float, steepness: float) -> Shares:
    """Return the ``share`` of the item where ``field`` is highest; ``steepness`` is that of the edge."""
    inside = field[alpha > 0.5]
    if not len(inside):
        return np.zeros_like(alpha)
    covered: Shares = (np.clip((field - np.quantile(inside, 1 - share)) * steepness, 0, 1) * alpha).astype(np.float32)
    return covered


def _image(alpha: Shares) -> Image.Image:
    return Image.fromarray((alpha * 255).astype(np.uint8))


_DRINKS = ((70, 40, 20), (120, 70, 30), (200, 120, 25), (150, 25, 20), (225, 215, 195), (60, 25, 15), (190, 160, 60))
"""Coffee, tea, orange juice, red drink, milk, cola, beer."""
_FOOD = ((165, 45, 22), (190, 150, 60), (120, 80, 40), (225, 220, 205), (90, 110, 45), (85, 45, 25), (205, 95, 35))
"""Tomato, curry, gravy, cream, herbs, chocolate, carrot."""
_EARTH = ((96, 72, 46), (60, 44, 30), (140, 112, 78), (80, 76, 70), (50, 52, 40), (160, 140, 108))
"""Mud, humus, clay, ash, algae, sand."""

RESIDUES: Mapping[str, Stain] = {
    "sauce": Stain(_FOOD, _splash),
    "mud": Stain(_EARTH, _splash),
    "soil": Stain(_EARTH, _soil),
    "film": Stain((*_DRINKS, *_EARTH), _film),
    "drink": Stain(_DRINKS, _pool),
    "drops": Stain((*_DRINKS, *_FOOD), _drops),
}
"""By name."""
