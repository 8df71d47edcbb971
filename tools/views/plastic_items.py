"""Random plastic bottles, cups and cutlery, upright or flat at the origin."""

from collections.abc import Callable
from math import cos, pi, sin

import bpy
import numpy as np
from mathutils import Matrix, Vector

from tools.demo import plastic, scenes
from tools.demo.dirt import Mask, coat, ease, paint
from tools.demo.materials import pet, tumbler
from tools.demo.materials import plastic as polystyrene
from tools.demo.shapes import below, corners, dress, lathe, move, soften
from tools.views import bend, residue
from tools.views.look import COARSE, around, band, colour, print_of
from tools.views.plan import Colour, Dice, Scene
from tools.views.residue import Residue, Things

CLEAR: Colour = (0.96, 0.985, 0.99)
TINTS: tuple[tuple[Colour, Colour], ...] = (
    ((0.55, 0.85, 0.6), (0.05, 0.3, 0.1)),
    ((0.6, 0.82, 0.97), (0.08, 0.25, 0.5)),
    ((0.75, 0.5, 0.25), (0.25, 0.1, 0.03)),
    ((0.9, 0.95, 0.99), (0.4, 0.55, 0.7)),
    ((0.3, 0.32, 0.34), (0.05, 0.05, 0.06)),
)

Wall = Callable[[float, float, float], float]


def bottle(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    """A bottle for drink, milk or soap; wall first."""
    kind = shown.item
    low, high = {"soda_bottle": (19, 27), "water_bottle": (17, 25), "flask": (14, 24), "jug": (17, 26)}[kind]
    tall = float(dice.uniform(low, high))
    wide = tall * float(
        dice.uniform(0.125, 0.17) if kind in ("soda_bottle", "water_bottle") else dice.uniform(0.17, 0.23)
    )
    neck = float(dice.uniform(1.1, 1.5) if kind != "jug" else dice.uniform(1.5, 2.1))
    top = tall * float(dice.uniform(0.52, 0.7) if kind != "flask" else dice.uniform(0.66, 0.82))
    profile = soften(_profile(tall, wide, neck, top, float(dice.uniform(0.6, 1.7))), 0.06 * COARSE, 0.12)
    shape = _cross_section(kind, wide, neck, top, dice)
    wall = lathe("bottle", profile, 72, shape)
    things = [wall]
    dress(wall, _bottle_plastic(kind, dice, food))
    if food:
        residue.stain(wall, dice, tall * 0.9, hollow=False)
        if dice.random() < 0.5:
            things.append(residue.layer(wall, dice, tall * 0.8, food))
    if dice.random() < (0.35 if shown.residue else 0.72):
        start = 0.1 + float(dice.uniform(0.02, 0.2))
        stop = min(top / tall - 0.04, start + float(dice.uniform(0.2, 0.45)))

        def surface(angle: float, z: float) -> Vector:
            return around(shape(wide, z, angle), angle, z)

        things.append(band(surface, tall * start, tall * stop, print_of(dice), float(dice.uniform(0.15, 0.5))))
    if dice.random() < 0.65:
        lid = plastic.cap(colour(dice, 0.35), coarse=COARSE)
        grow = (neck + 0.22) / 1.5
        height = float(dice.uniform(0.9, 1.6)) if kind != "flask" else float(dice.uniform(1.2, 3.0))
        move(
            [lid],
            Matrix.Translation((0, 0, tall + 0.1))
            @ Matrix.Diagonal((grow, grow, height, 1))
            @ Matrix.Translation((0, 0, -21.42)),
        )
        things.append(lid)
    if shown.crush:
        bend.crush(things, dice, shown.crush, stiff_top=True)
    return things


def _profile(tall: float, wide: float, neck: float, top: float, dome: float) -> list[tuple[float, float]]:
    """A body up to the height ``top``, a shoulder more or less round, a neck with its ring."""
    end = tall - 2.4
    body = [(0.01, 0.6), (wide * 0.65, 0.3), (wide * 0.85, 0.0), (wide * 0.97, 0.25), (wide, 1.0), (wide, top)]
    shoulder = [
        (neck + (wide - neck) * cos(t * pi / 2) ** dome, top + (end - top) * t) for t in np.linspace(0.12, 0.97, 8)
    ]
    return [
        *body,
        *shoulder,
        (neck, end),
        (neck, end + 0.3),
        (neck + 0.3, end + 0.35),
        (neck + 0.3, end + 0.55),
        (neck, end + 0.6),
        (neck, tall),
    ]


def _cross_section(kind: str, wide: float, neck: float, top: float, dice: Dice) -> Wall:
    """Round with ribs or feet, oval, or square with round corners; the neck is round."""
    flat = float(dice.uniform(0.5, 0.9)) if kind == "flask" else 1.0
    corner = float(dice.uniform(3, 6)) if kind == "jug" and dice.random() < 0.6 else 2.0
    ribs = dice.uniform(0.06, 0.2) if kind in ("soda_bottle", "water_bottle") and dice.random() < 0.75 else 0.0
    pitch, first, last = dice.uniform(0.9, 2.2), top * dice.uniform(0.1, 0.3), top * dice.uniform(0.7, 1.0)
    feet = 0.4 if kind == "soda_bottle" else 0.0
    twist = float(dice.uniform(0, 0.8)) if kind == "water_bottle" else 0.0

    def radius(r: float, z: float, angle: float) -> float:
        side = (abs(cos(angle)) ** corner + abs(sin(angle) / flat) ** corner) ** (-1 / corner)
        out = ease(r, neck + 0.35, neck + 0.6 * (wide - neck) + 0.36) if z > top * 0.5 else 1.0
        if z < 1.6 and r > 0.4 * wide:
            r -= feet * (1 - ease(z, 0.3, 1.6)) * max(0.0, cos(5 * angle)) ** 2
        if first < z < last:
            r -= ribs * max(0.0, cos(2 * pi * (z + twist * angle) / pitch)) ** 3
        return r * (1 + (side - 1) * out)

    return radius


def _bottle_plastic(kind: str, dice: Dice, food: Residue | None) -> bpy.types.Material:
    dirt = food.colour if food else None
    if kind in ("soda_bottle", "water_bottle"):
        tint, edge = TINTS[int(dice.integers(len(TINTS)))] if dice.random() < 0.4 else (CLEAR, (0.3, 0.38, 0.42))
        return pet(tint, edge, dirt)
    haze = float(dice.uniform(0.6, 0.95)) if kind == "jug" else float(dice.uniform(0.85, 1.0))
    return tumbler(colour(dice, 0.75 if kind == "jug" else 0.35), haze, dirt)


def cup(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    """A disposable or a reusable cup; wall first."""
    tall = float(dice.uniform(6.5, 15))
    mouth = float(np.clip(tall * dice.uniform(0.32, 0.5), 2.8, 5.2))
    foot = mouth * float(dice.uniform(0.62, 0.8))
    ribs = int(dice.integers(3, 12)) if shown.item == "ribbed_cup" else 0
    wall = plastic.cup(tall, mouth, foot, ribs=ribs, coarse=COARSE)
    draw = dice.random()
    haze = float(
        dice.uniform(0.06, 0.18) if draw < 0.4 else dice.uniform(0.3, 0.7) if draw < 0.65 else dice.uniform(0.9, 1)
    )
    tone = (0.93, 0.95, 0.96) if haze < 0.2 and dice.random() < 0.7 else colour(dice, 0.4)
    dress(wall, tumbler(tone, haze, food.colour if food else None))
    things = [wall]
    if food:
        level = tall * float(dice.uniform(0.12, 0.5))
        # What is only inside would not be seen when the cup lies or stands on its rim.
        if food.is_soil or dice.random() < {"up": 0.3, "lying": 0.7, "down": 1.0}[shown.stand]:
            residue.stain(wall, dice, tall, hollow=False)
            things.append(residue.layer(wall, dice, tall, food))
        else:
            things = scenes.soiled_cup(wall, level, tall, food.colour, food.deep)
        if shown.stand == "up" and not shown.crush and not food.is_soil and dice.random() < 0.7:
            things.append(scenes.filling(level, tall, mouth, foot, food.drink()))
    if shown.item == "printed_cup":
        low, high = tall * float(dice.uniform(0.12, 0.3)), tall * float(dice.uniform(0.6, 0.88))

        def surface(angle: float, z: float) -> Vector:
            return around(foot + (mouth - foot) * z / tall, angle, z)

        things.append(band(surface, low, high, print_of(dice, tone if haze > 0.9 else None), 0.3, name="print"))
    if shown.crush:
        bend.crush(things, dice, shown.crush)
    return things


def cutlery(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    """A fork, a spoon or a knife of plastic."""
    tone, clear = colour(dice, 0.5), dice.random() < 0.22
    dirt = food.colour if food else None
    material = (
        tumbler((0.93, 0.95, 0.96), float(dice.uniform(0.05, 0.3)), dirt)
        if clear
        else polystyrene(tone, float(dice.uniform(0.15, 0.45)), dirt)
    )
    return utensil(shown.item, dice, material, food)


def utensil(kind: str, dice: Dice, material: bpy.types.Material, food: Residue | None, *, bent: float = 9.0) -> Things:
    """A fork, a spoon or a knife of this material, longer or shorter, with food at its end, bent by some degrees."""
    thing = {"fork": plastic.fork, "spoon": plastic.spoon, "knife": plastic.knife}[kind](0.22)
    things = [dress(thing, material)]
    if food:
        smear = scenes.smear(float(dice.uniform(4, 9)), float(dice.uniform(10, 14)), residue.seed(dice))
        paint(thing, _faded(smear))
        things.append(coat(thing, smear, float(dice.uniform(0.08, 0.2)), food.wet(), trim=True))
    bend.put(things, bend.bow(corners(things), dice, float(dice.normal(0, bent)), axis=0))
    length, width = dice.uniform(0.68, 1.15), dice.uniform(0.85, 1.2)
    move(things, Matrix.Diagonal((length, length * width, length, 1)))
    return things


def _faded(mask: Mask) -> Mask:
    """A stain that reaches a little further than the food."""
    return lambda co, normal: 0.75 * ease(mask(co, normal) + 0.25, 0.0, 0.4)


def drink(things: Things, dice: Dice, food: Residue) -> Things:
    """A dirty bottle's rest of drink, once it stands or lies where it will."""
    height = max(vert.co.z for vert in things[0].data.vertices)
    level = height * float(dice.uniform(0.1, 0.45))
    return [dress(below(things[0], level, "drink"), food.drink())]
