"""Colours and prints of random items."""

from collections.abc import Callable
from colorsys import hsv_to_rgb
from math import cos, pi, sin

import bpy
import numpy as np
from mathutils import Vector

from tools.demo.dirt import tint
from tools.demo.materials import painted
from tools.demo.shapes import dress, lathe
from tools.views.plan import Colour, Dice

COARSE = 4.5
"""How much longer and wider faces are than those of the demo pictures, which are four times as wide."""
WHITE: Colour = (0.8, 0.8, 0.78)

Shade = Callable[[float, float], Colour]
"""The colour of a print at an angle (radians) and a height (0 to 1)."""


def colour(dice: Dice, white: float = 0.3) -> Colour:
    """White with this probability, or else black, grey, pale or strong colours."""
    draw = dice.random()
    if draw < white:
        grey = dice.uniform(0.62, 0.85)
        return (grey, grey * dice.uniform(0.94, 1), grey * dice.uniform(0.86, 1))
    if draw < white + 0.12:
        grey = dice.uniform(0.01, 0.5) ** 1.5
        return (grey, grey, grey)
    strong = dice.random() < 0.7
    return hsv_to_rgb(dice.random(), dice.uniform(0.7, 0.98) if strong else 0.35, dice.uniform(0.2, 0.8))


def print_of(dice: Dice, base: Colour | None = None) -> Shade:
    """A printed surface: plain or with a motif, often with bars and rows like small print."""
    motif = _motif(base or colour(dice), dice)
    ink, phase = colour(dice, 0.6), float(dice.uniform(0, 6))
    bars, rows = dice.random() < 0.4, dice.random() < 0.6

    def shade(angle: float, z: float) -> Colour:
        turned = (angle + phase) % (2 * pi)
        if bars and turned < 0.5 and 0.2 < z < 0.5:
            return (0.02, 0.02, 0.02) if sin(turned * 90) + 0.8 * sin(turned * 143) > 0.3 else (0.85, 0.85, 0.85)
        if rows and 2.2 < turned < 3.4 and 0.2 < z < 0.8:
            row, height = divmod(z * 12, 1)
            if height < 0.45 and sin(turned * 40 + 9 * row) > -0.5:
                return ink
        return motif(angle, z)

    return shade


def _motif(base: Colour, dice: Dice) -> Shade:
    """A band, a wave, slanting stripes, dots, ovals, or nothing but the base colour."""
    second, third = colour(dice), colour(dice, 0.6)
    count, phase, slant = int(dice.integers(1, 5)), dice.uniform(0, 6), dice.uniform(-3, 3)
    low, high = dice.uniform(0.15, 0.4), dice.uniform(0.6, 0.9)

    def wave(angle: float, z: float) -> Colour:
        line = low + 0.12 * sin(count * angle + phase)
        return third if abs(z - line - 0.2) < 0.04 else second if z < line else base

    def dots(angle: float, z: float) -> Colour:
        near = ((angle * count / pi * 2) % 1 - 0.5) ** 2 + ((z * 4) % 1 - 0.5) ** 2
        return second if near < 0.07 else base

    def ovals(angle: float, z: float) -> Colour:
        far = (((angle + phase) % pi - pi / 2) / 0.8) ** 2 + ((z - 0.55) / 0.28) ** 2
        return second if far < 0.75 else third if far < 1.0 else base

    motifs: tuple[Shade, ...] = (
        lambda angle, z: base,
        lambda angle, z: second if low < z < high else base,
        lambda angle, z: second if (angle / 2 / pi * count * 3 + z * slant) % 1 < 0.4 else base,
        wave,
        dots,
        ovals,
    )
    return motifs[int(dice.integers(len(motifs)))]


def printed(thing: bpy.types.Object, shade: Shade, low: float, high: float) -> bpy.types.Object:
    """Lay a print on an upright surface of revolution, from the height ``low`` to ``high``."""
    span = max(high - low, 1e-6)
    return tint(thing, lambda co: shade(float(np.arctan2(co.y, co.x)), (co.z - low) / span))


def band(
    wall: Callable[[float, float], Vector], low: float, high: float, shade: Shade, rough: float, *, name: str = "label"
) -> bpy.types.Object:
    """A printed label just above a wall that ``wall(angle, z)`` describes."""
    rows = max(6, round((high - low) / 0.16))
    heights = [low + (high - low) * k / rows for k in range(rows + 1)]

    def radius(r: float, z: float, angle: float) -> float:
        spot = wall(angle, z)
        return float(np.hypot(spot.x, spot.y)) + 0.05

    thing = lathe(name, [(1.0, z) for z in heights], 110, radius)
    return dress(printed(thing, shade, low, high), painted("print", rough))


def around(r: float, angle: float, z: float) -> Vector:
    return Vector((r * cos(angle), r * sin(angle), z))
