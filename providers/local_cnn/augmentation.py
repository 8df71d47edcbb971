"""Other views of a training photo: turned, moved, relit, laid on another ground.

The photos betray their label by their background (clean items are cut out on white, negatives lie on one grey table).
A plain ground is therefore exchanged at random, in every class alike, so that nothing can be learned from it.
"""

import math
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from providers.base import Pixels

Colours = NDArray[np.float32]
"""0 to 255, any shape that ends in the three channels."""

_PLAIN_SPREAD = 12.0
"""Mean distance from the median, in grey levels, up to which a border counts as plain."""
_DARKEST_GROUND = 100.0
"""Below it the item cannot be separated from its ground by a division."""

_DIRT = ((96, 60, 32), (60, 40, 26), (150, 105, 60), (165, 50, 25), (120, 110, 60), (70, 70, 60), (190, 150, 70))
"""Coffee, soil, mud, sauce, mould, ash, curry: RGB."""


@dataclass(frozen=True)
class Ground:
    """What an item lies on, judged by the border of its photo."""

    colour: Colours
    plain: bool


def augmented(picture: Image.Image, side: int, rng: Generator) -> Pixels:
    """A random view of ``picture``: (side, side, 3)."""
    ground = find_ground(picture)
    view = _relit(_moved(picture, ground, side, rng), rng)
    pixels = np.asarray(view, np.float32)
    if ground.plain and rng.random() < 0.6:
        pixels = _on_other_ground(pixels, find_ground(view), rng)
    return _photographed(pixels, rng)


def empty_tray(side: int, rng: Generator) -> Image.Image:
    """A plain, unevenly lit ground with nothing on it."""
    return Image.fromarray(_clipped(_backdrop(side, rng) + rng.normal(0, 3, (side, side, 3))))


def soiled(picture: Image.Image, side: int, rng: Generator) -> Image.Image | None:
    """``picture`` with stains painted on its item, or None where the item cannot be told from its ground.

    A stain on the very same item and ground is the one difference that a model may learn as dirt.
    """
    small = picture.resize((side, side), Image.Resampling.BILINEAR)
    ground = find_ground(small)
    pixels = np.asarray(small, np.float32)
    item = _between_first_and_last(np.abs(pixels - ground.colour).max(axis=2) > 14)
    if not ground.plain or not 0.04 < item.mean() < 0.7:
        return None
    field = _blotches(side, int(rng.integers(5, 16)), rng) + 0.35 * _blotches(side, 56, rng)
    cover = np.quantile(field[item], 1 - rng.uniform(0.08, 0.5))
    opacity = np.clip((field - cover) * 4, 0, 1) * item * rng.uniform(0.55, 0.95)
    colour = (
        np.array(_DIRT[rng.integers(len(_DIRT))]) * rng.uniform(0.7, 1.2) + 25 * _blotches(side, 40, rng)[..., None]
    )
    return Image.fromarray(_clipped(pixels + opacity[..., None] * (colour - pixels)))


def find_ground(picture: Image.Image) -> Ground:
    """Look at the outermost twentieth of ``picture`` on all sides."""
    small = np.asarray(picture.resize((40, 40), Image.Resampling.BOX), np.float32)
    border = np.concatenate([small[:2].reshape(-1, 3), small[-2:].reshape(-1, 3), small[:, 0], small[:, -1]])
    colour: Colours = np.median(border, axis=0).astype(np.float32)
    spread = float(np.abs(border - colour).mean())
    return Ground(colour, spread < _PLAIN_SPREAD)


def _moved(picture: Image.Image, ground: Ground, side: int, rng: Generator) -> Image.Image:
    """Turn, zoom, stretch, shift and mirror in one step, so that pixels are interpolated once."""
    width, height = picture.size
    turned = rng.random() < 0.7
    angle = rng.uniform(0, 2 * math.pi) if turned else rng.normal(0, 0.08)
    # A tall item that is laid across needs a square frame; an upright one keeps the squeeze the machine gives it.
    frame = (max(width, height),) * 2 if turned else (width, height)
    zoom, stretch = math.exp(rng.uniform(-0.25, 0.45)), math.exp(rng.normal(0, 0.1))
    per_x = frame[0] / side * zoom * stretch * rng.choice([-1, 1])
    per_y = frame[1] / side * zoom / stretch
    reduction = max(1, round(min(abs(per_x), per_y) / 1.3))
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = np.array([[cos * per_x, -sin * per_y], [sin * per_x, cos * per_y]])
    centre = np.array([width, height]) * (0.5 + rng.normal(0, 0.05, 2))
    offset = centre - matrix @ np.array([side / 2, side / 2])
    affine = np.column_stack([matrix, offset]).ravel() / reduction
    fill = tuple(int(channel) for channel in ground.colour)
    source = picture.reduce(reduction) if reduction > 1 else picture
    return source.transform(
        (side, side), Image.Transform.AFFINE, tuple(affine), Image.Resampling.BILINEAR, fillcolor=fill
    )


def _relit(picture: Image.Image, rng: Generator) -> Image.Image:
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = enhancer(picture).enhance(float(rng.uniform(0.75, 1.25)))
    if rng.random() < 0.15:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 1.4))))
    return picture


def _on_other_ground(pixels: Colours, ground: Ground, rng: Generator) -> Colours:
    """Divide the ground out and multiply another one in, as light through a clear cup does."""
    if ground.colour.min() < _DARKEST_GROUND:
        return pixels
    white = np.full(3, 255, np.float32)
    backdrop = white if rng.random() < 0.25 else _backdrop(pixels.shape[0], rng)
    exchanged: Colours = np.minimum(pixels / ground.colour, 1.05) * backdrop
    return exchanged


def _backdrop(side: int, rng: Generator) -> Colours:
    """A tray, a table or a sheet: light, nearly grey, unevenly lit: (side, side, 3)."""
    colour = rng.uniform(120, 250) + rng.normal(0, 8, 3)
    slope = np.linspace(-0.5, 0.5, side)
    angle, depth = rng.uniform(0, 2 * math.pi), rng.uniform(0, 45)
    light = depth * (math.cos(angle) * slope[:, None] + math.sin(angle) * slope[None, :])
    blotches = rng.uniform(0, 8) * _blotches(side, int(rng.integers(2, 40)), rng)
    backdrop: Colours = np.clip(colour + (light + blotches)[:, :, None], 0, 255).astype(np.float32)
    return backdrop


def _blotches(side: int, cells: int, rng: Generator) -> NDArray[np.float32]:
    """Smooth noise of about unit strength, ``cells`` lumps across: (side, side)."""
    coarse = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def _between_first_and_last(item: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill what lies inside in every row and every column: a clear cup shows its ground through."""
    inside = np.ones_like(item)
    for axis in (0, 1):
        before = np.maximum.accumulate(item, axis=axis)
        after = np.flip(np.maximum.accumulate(np.flip(item, axis), axis=axis), axis)
        inside &= before & after
    return inside


def _photographed(pixels: Colours, rng: Generator) -> Pixels:
    """What a cheap camera adds: a colour cast, noise, JPEG blocks."""
    pixels = pixels * rng.normal(1, 0.04, 3).astype(np.float32)
    if rng.random() < 0.3:
        pixels = pixels + rng.normal(0, rng.uniform(1, 8), pixels.shape).astype(np.float32)
    finished = _clipped(pixels)
    if rng.random() < 0.3:
        jpeg = BytesIO()
        Image.fromarray(finished).save(jpeg, "JPEG", quality=int(rng.integers(40, 92)))
        finished = np.asarray(Image.open(jpeg).convert("RGB"))
    return finished


def _clipped(pixels: NDArray[Any]) -> Pixels:
    clipped: Pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    return clipped
