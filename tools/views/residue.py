"""What is left in or on random items: drink, food, soil."""

from dataclasses import dataclass

import bpy
from mathutils import Vector

from tools.demo import plastic, scenes
from tools.demo.dirt import Mask, cloud, coat, drips, ease, paint, spatter
from tools.demo.materials import liquid, sauce, soil
from tools.views.look import COARSE
from tools.views.plan import Colour, Dice

Things = list[bpy.types.Object]

FOODS: tuple[tuple[Colour, Colour], ...] = (
    (scenes.COFFEE, scenes.COFFEE_DEEP),
    (scenes.CURRY, scenes.CURRY_DEEP),
    (scenes.GRAVY, scenes.GRAVY_DEEP),
    (scenes.MURK, scenes.MURK_DEEP),
    (scenes.JUICE, scenes.JUICE_DEEP),
    ((0.75, 0.7, 0.6), (0.6, 0.52, 0.4)),
    ((0.42, 0.02, 0.012), (0.2, 0.008, 0.006)),
    ((0.06, 0.025, 0.012), (0.025, 0.01, 0.005)),
    ((0.2, 0.24, 0.04), (0.07, 0.1, 0.015)),
    ((0.4, 0.03, 0.12), (0.18, 0.01, 0.05)),
)


@dataclass(frozen=True)
class Residue:
    """A food or drink, light and deep colour, or soil."""

    colour: Colour
    deep: Colour
    is_soil: bool = False

    def wet(self) -> bpy.types.Material:
        """As a layer on a wall."""
        return soil() if self.is_soil else sauce(self.colour, self.deep)

    def drink(self) -> bpy.types.Material:
        """As what is left in a vessel."""
        return liquid(self.colour, self.deep)


def draw(dice: Dice, soil_share: float = 0.25) -> Residue:
    """Some residue by chance."""
    if dice.random() < soil_share:
        return Residue(scenes.MURK, scenes.MURK_DEEP, is_soil=True)
    return Residue(*FOODS[int(dice.integers(len(FOODS)))])


def seed(dice: Dice) -> int:
    return int(dice.integers(1, 900))


def stain(wall: bpy.types.Object, dice: Dice, tall: float, *, hollow: bool) -> None:
    """Paint a film on a wall whose material knows dirt; up to some height, or in clouds."""
    film = scenes.tide(tall * float(dice.uniform(0.25, 0.85)), seed(dice), float(dice.uniform(0.45, 0.9)))
    specks = scenes.splashes(seed(dice), float(dice.uniform(0.0, 0.3)))
    both = dice.random()

    def where(co: Vector, normal: Vector) -> float:
        patch = 0.9 * ease(specks(co, normal), 0.0, 0.7)
        if hollow and not plastic.inside(co, normal):
            return 0.7 * patch if both < 0.4 else 0.0
        return max(film(co, normal), patch)

    paint(wall, where)


def layer(wall: bpy.types.Object, dice: Dice, tall: float, what: Residue) -> bpy.types.Object:
    """Clods, or runs from the height ``tall``, thick on the outside and the inside of a wall."""
    if what.is_soil or dice.random() < 0.45:
        mask: Mask = scenes.splashes(seed(dice), float(dice.uniform(0.05, 0.28)))
    else:
        runs = drips(seed(dice), tall, int(dice.integers(3, 10)), tall * float(dice.uniform(0.4, 0.9)), 0.35)
        mask = lambda co, normal: runs(co)  # noqa: E731 - a mask takes the normal too
    return coat(wall, mask, float(dice.uniform(0.05, 0.12)), what.wet(), trim=True)


def blots(wall: bpy.types.Object, dice: Dice, what: Residue) -> bpy.types.Object:
    """Patches on anything, scaled to its size."""
    start, scale = seed(dice), float(dice.uniform(0.2, 0.6))
    bare = float(dice.uniform(0.15, 0.45))

    def where(co: Vector, normal: Vector) -> float:
        return 1.6 * (cloud(co, scale, start) + 0.3 * cloud(co, 1.5, start + 1) - bare)

    return coat(wall, where, 0.04, what.wet(), trim=True)


def spilt(dice: Dice, what: Residue) -> None:
    """Drops on the ground beside the item."""
    at = (float(dice.normal(0, 3)), float(dice.normal(0, 3)))
    material = what.wet() if what.is_soil else what.drink()
    spatter(seed(dice), at, int(dice.integers(4, 22)), float(dice.uniform(2, 5)), material, coarse=COARSE)
