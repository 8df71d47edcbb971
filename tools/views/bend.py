"""Crushing and bending: every part of an upright item moves as one."""

import bpy
import numpy as np

from tools.demo.foreign import crease
from tools.demo.shapes import corners
from tools.views.plan import Dice

Points = np.ndarray


def crush(things: list[bpy.types.Object], dice: Dice, amount: float, *, stiff_top: bool = False) -> None:
    """Crush an upright hollow item by ``amount`` (0 to 1); with ``stiff_top`` its neck keeps its shape."""
    every = corners(things)
    low, high = every[:, 2].min(), every[:, 2].max()
    radius = float(np.hypot(every[:, 0], every[:, 1]).max())
    soft = np.ones(len(every))
    if stiff_top:
        soft = 1 - np.clip((every[:, 2] - low - 0.7 * (high - low)) / (0.18 * (high - low)), 0, 1)
    moved = squash(every, dice, amount, soft)
    lengths = radius * np.array([1.7, 1.3, 1.0, 0.75, 0.5])
    folded = crease(moved, int(dice.integers(1 << 30)), list(lengths), float(0.03 + 0.09 * amount))
    moved += (folded - moved) * soft[:, None]
    if amount > 0.55 and dice.random() < 0.35:
        moved[:, 2] = low + (moved[:, 2] - low) * dice.uniform(0.4, 0.75)
    elif dice.random() < 0.7:
        moved = bow(moved, dice, float(dice.uniform(10, 60)) * amount)
    put(things, moved)


def squash(points: Points, dice: Dice, amount: float, soft: Points) -> Points:
    """Press the sides together at some height."""
    low, high = points[:, 2].min(), points[:, 2].max()
    at, wide = dice.uniform(low, high), (high - low) * dice.uniform(0.25, 1.2)
    press = amount * dice.uniform(0.4, 0.8) * np.exp(-(((points[:, 2] - at) / wide) ** 2)) * soft
    angle = dice.uniform(0, np.pi)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    thin, broad = points[:, :2] @ along * (1 - press), points[:, :2] @ across * (1 + 0.4 * press)
    moved = points.copy()
    moved[:, :2] = thin[:, None] * along + broad[:, None] * across
    return moved


def bow(points: Points, dice: Dice, degrees: float, axis: int = 2) -> Points:
    """Bend along ``axis`` (0 or 2) by ``degrees`` in all, most of it near one place."""
    at = points[:, axis]
    low, high = at.min(), at.max()
    middle, steep = dice.uniform(low + 0.3 * (high - low), high - 0.3 * (high - low)), dice.uniform(2, 7)
    fine = np.linspace(low, high, 200)
    angle = np.radians(degrees) / (1 + np.exp(-steep * 4 * (fine - middle) / (high - low)))
    step = fine[1] - fine[0]
    ahead, aside = np.cumsum(np.cos(angle)) * step + low, np.cumsum(np.sin(angle)) * step
    turn = np.interp(at, fine, angle)
    off = points[:, 0] if axis == 2 else points[:, 2]
    moved = points.copy()
    moved[:, axis] = np.interp(at, fine, ahead) - off * np.sin(turn)
    moved[:, 0 if axis == 2 else 2] = np.interp(at, fine, aside) + off * np.cos(turn)
    return moved


def put(things: list[bpy.types.Object], points: Points) -> None:
    """Give the objects these vertices, in the order of ``corners``."""
    start = 0
    for thing in things:
        count = len(thing.data.vertices)
        thing.data.vertices.foreach_set("co", points[start : start + count].ravel())
        thing.data.update()
        start += count
