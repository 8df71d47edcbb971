"""Augmented views of a photo, as by Augmentor: mirrored, rotated, skewed, enlarged, without colour.

Empty areas after a rotation or a skew are cropped away, as in Augmentor.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageOps

Operation = Literal["flip", "rotate", "skew", "zoom", "grey"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
"""In the order of application."""

PROBABILITIES: Mapping[Operation, float] = {"flip": 0.5, "rotate": 0.5, "skew": 0.4, "zoom": 0.3, "grey": 0.15}
_DEGREES = 10.0
"""Maximum rotation to either side."""
_TILT = 0.15
"""Maximum shift of a corner, as a share of a side."""
_ZOOMS = (1.1, 1.5)

_SHARP = Image.Resampling.BICUBIC
_Step = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class CopyRecipe:
    """The recipe of a copy: the names of its steps, with their strength, and the steps."""

    names: tuple[str, ...]
    steps: tuple[_Step, ...]

    def apply(self, picture: Image.Image) -> Image.Image:
        """Return the copy, with the same size in pixels."""
        for step in self.steps:
            picture = step(picture)
        return picture


def draw(allowed: Sequence[Operation], rng: Random) -> CopyRecipe:
    """Draw each of ``allowed`` by its probability, but at least one."""
    # Every operation draws its numbers, so that leaving one out does not change the others.
    drawn = {name: (rng.random() < PROBABILITIES[name], _DRAWERS[name](rng)) for name in OPERATIONS}
    instead = allowed[rng.randrange(len(allowed))]
    chosen = [name for name in OPERATIONS if name in allowed and drawn[name][0]] or [instead]
    return CopyRecipe(tuple(drawn[name][1][0] for name in chosen), tuple(drawn[name][1][1] for name in chosen))


def _flip(rng: Random) -> tuple[str, _Step]:
    across = rng.random() < 0.5
    return ("flip left-right", ImageOps.mirror) if across else ("flip top-bottom", ImageOps.flip)


def _rotate(rng: Random) -> tuple[str, _Step]:
    degrees = rng.uniform(2.0, _DEGREES) * rng.choice((-1, 1))
    return f"rotate {degrees:+.1f}", partial(_rotated, degrees=degrees)


def _skew(rng: Random) -> tuple[str, _Step]:
    insets = [rng.uniform(0.0, _TILT) for _ in range(4)]
    side = rng.choice(("left", "top", "right", "bottom"))
    return f"skew {side} {max(insets):.2f}", partial(_skewed, side=side, insets=insets)


def _zoom(rng: Random) -> tuple[str, _Step]:
    factor = rng.uniform(*_ZOOMS)
    return f"zoom {factor:.2f}", partial(_zoomed, factor=factor)


def _grey(rng: Random) -> tuple[str, _Step]:
    return "grey", lambda picture: picture.convert("L").convert("RGB")


_DRAWERS: Mapping[Operation, Callable[[Random], tuple[str, _Step]]] = {
    "flip": _flip,
    "rotate": _rotate,
    "skew": _skew,
    "zoom": _zoom,
    "grey": _grey,
}


def _rotated(picture: Image.Image, degrees: float) -> Image.Image:
    width, height = picture.size
    angle = math.radians(abs(degrees))
    cos, sin = math.cos(angle), math.sin(angle)
    # The largest rectangle of the same proportions inside the rotated one, with a margin for interpolation.
    scale = min(width / (width * cos + height * sin), height / (width * sin + height * cos))
    return _zoomed(picture.rotate(degrees, _SHARP), factor=1 / (scale * (1 - 8 / (min(width, height) + 8))))


def _zoomed(picture: Image.Image, factor: float) -> Image.Image:
    width, height = picture.size
    left, top = width * (1 - 1 / factor) / 2, height * (1 - 1 / factor) / 2
    return picture.resize(picture.size, _SHARP, box=(left, top, width - left, height - top))


def _skewed(picture: Image.Image, side: str, insets: Sequence[float]) -> Image.Image:
    """Skew the picture towards one ``side``: that side's two corners move inwards, by shares of the sides."""
    width, height = picture.size
    corners = {"top left": (0.0, 0.0), "top right": (1.0, 0.0), "bottom right": (1.0, 1.0), "bottom left": (0.0, 1.0)}
    source = []
    for (name, (x, y)), inset in zip(corners.items(), insets, strict=True):
        shift = inset if side in name else 0.0
        nearer = (x, abs(y - shift)) if side in ("left", "right") else (abs(x - shift), y)
        source.append((nearer[0] * width, nearer[1] * height))
    frame = [(x * width, y * height) for x, y in corners.values()]
    return picture.transform(picture.size, Image.Transform.PERSPECTIVE, _perspective(frame, source), _SHARP)


def _perspective(frame: Sequence[tuple[float, float]], source: Sequence[tuple[float, float]]) -> tuple[float, ...]:
    """Return Pillow's eight coefficients that map each point of ``frame`` to ``source``."""
    rows, values = [], []
    for (x, y), (u, v) in zip(frame, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return tuple(np.linalg.solve(np.array(rows), np.array(values)).tolist())
