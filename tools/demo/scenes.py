"""The pictures: which item, how dirty, how it lies, and from where the camera sees it."""

from collections.abc import Callable
from dataclasses import dataclass

import bpy
from mathutils import Vector

from tools.demo import foreign, plastic
from tools.demo.dirt import Mask, cloud, coat, drips, ease, paint, spatter
from tools.demo.materials import Colour, liquid, pet, sauce, soil, tumbler
from tools.demo.materials import plastic as white_plastic
from tools.demo.shapes import below, dress, lathe, place, refine

Things = list[bpy.types.Object]
COFFEE, COFFEE_DEEP = (0.2, 0.09, 0.035), (0.06, 0.022, 0.008)
CURRY, CURRY_DEEP = (0.5, 0.16, 0.015), (0.25, 0.05, 0.008)
GRAVY, GRAVY_DEEP = (0.32, 0.14, 0.04), (0.13, 0.045, 0.012)
MURK, MURK_DEEP = (0.3, 0.19, 0.07), (0.14, 0.075, 0.025)
JUICE, JUICE_DEEP = (0.62, 0.3, 0.03), (0.3, 0.1, 0.01)
BLUE, RED, WHITE = (0.03, 0.2, 0.6), (0.6, 0.015, 0.02), (0.86, 0.86, 0.84)


@dataclass(frozen=True)
class Shot:
    """``build`` puts the item on the tray; the camera looks at it from there, near enough to span ``fill`` of it."""

    build: Callable[[], Things]
    azimuth: float
    elevation: float
    fill: float = 0.8
    roll: float = 0.0


def clean_bottle_lying() -> Things:
    things = plastic.bottle((0.02, 0.12, 0.5), BLUE, crush=0.4, seed=3)
    place(things, (0, 90, 25))
    return things


def clean_bottle_standing() -> Things:
    things = plastic.bottle((0.85, 0.85, 0.85), (0.02, 0.4, 0.25))
    place(things, (0, 0, 200))
    return things


def tide(level: float, seed: int, haze: float = 0.55) -> Mask:
    """A dried film up to an uneven height, darker along that line, with specks above."""

    def where(co: Vector, normal: Vector) -> float:
        line = level + 0.9 * cloud(co, 0.35, seed)
        under = haze * ease(line - co.z, -0.05, 0.3) * (0.75 + 0.5 * cloud(co, 1.1, seed + 1))
        ring = 0.9 * (1 - ease(abs(co.z - line), 0.05, 0.28))
        speck = ease(cloud(co, 1.7, seed + 2, 2) + 0.05 * (level - co.z), 0.25, 0.6)
        return max(under, ring, 0.8 * speck)

    return where


def splashes(seed: float, share: float = 0.22) -> Mask:
    """Clods and specks of soil."""

    def where(co: Vector, normal: Vector) -> float:
        clods = cloud(co, 0.4, seed) + 0.35 * cloud(co, 1.7, seed + 2) - (0.62 - share)
        return 2.2 * max(clods, cloud(co, 2.3, seed + 3) - 0.62)

    return where


def dirty_bottle_muddy() -> Things:
    """Found outdoors: murky water in it, soil on it, no label any more."""
    things = plastic.bottle((0.02, 0.12, 0.5), None, crush=0.15, seed=3)
    wall = dress(paint(things[0], tide(12.0, 2, 0.4)), pet(dirt=MURK))
    things.append(coat(wall, splashes(4, 0.06), 0.08, soil()))
    place(things, (0, 0, -40))
    things.append(dress(below(wall, 6.5, "drink"), liquid(MURK, MURK_DEEP)))
    spatter(3, (0, -3), 60, 4.0, soil(), flat=0.6)
    return things


def dirty_bottle_standing() -> Things:
    """Half full of stale juice, its wall stained, a run down its outside."""
    things = plastic.bottle((0.75, 0.2, 0.02), None, seed=8)
    wall = dress(paint(things[0], tide(15.5, 6, 0.6)), pet(dirt=JUICE))
    run = drips(4, 19.0, 4, 15, 0.25)
    things.append(coat(wall, lambda co, no: run(co), 0.06, sauce(JUICE, JUICE_DEEP)))
    place(things, (0, 0, 30))
    things.append(dress(below(wall, 11.0, "drink"), liquid(JUICE, JUICE_DEEP)))
    spatter(5, (0, -2), 30, 4.0, liquid(JUICE, JUICE_DEEP))
    return things


def clean_cup_standing() -> Things:
    things = [dress(plastic.cup(ribs=8), tumbler(haze=0.45))]
    place(things)
    return things


def clean_cup_red() -> Things:
    things = [dress(plastic.cup(11.5, 4.6, 3.0, ribs=6), tumbler(RED, 0.93))]
    place(things)
    return things


def filling(level: float, height: float, mouth: float, foot: float, material: bpy.types.Material) -> bpy.types.Object:
    """What is left in an upright cup."""
    low, high = (foot + (mouth - foot) / height * z - 0.18 for z in (0.5, level))
    body = lathe("rest", [(0.01, 0.45), (low, 0.47), (high, level + 0.06), (high - 0.15, level), (0.01, level)], 160)
    return dress(body, material)


def soiled_cup(wall: bpy.types.Object, level: float, height: float, colour: Colour, deep: Colour) -> Things:
    """Film inside up to above the level, runs inside from the lip and outside over the rim, all of one drink."""
    film, specks = tide(level + 2.2, 3, 0.7), splashes(12, 0.0)
    within, over = drips(5, height + 0.1, 9, 6.5, 0.22), drips(11, height + 0.1, 5, 7.0, 0.28)

    def stain(co: Vector, normal: Vector) -> float:
        if plastic.inside(co, normal):
            return max(film(co, normal), 0.8 * ease(specks(co, normal), 0.0, 0.7))
        return 0.8 * ease(over(co) + 0.35, 0.0, 0.4)

    def wet(co: Vector, normal: Vector) -> float:
        return within(co) if plastic.inside(co, normal) else over(co)

    paint(wall, stain)
    return [wall, coat(wall, wet, 0.06, sauce(colour, deep, 0.1))]


def dirty_cup_coffee() -> Things:
    """A white coffee cup, dregs in it, drips on it."""
    wall = dress(plastic.cup(9.5, 4.2, 2.8, ribs=5), tumbler(WHITE, 0.97, COFFEE))
    coffee = liquid(COFFEE, COFFEE_DEEP)
    things = [*soiled_cup(wall, 3.4, 9.5, COFFEE, COFFEE_DEEP), filling(3.4, 9.5, 4.2, 2.8, coffee)]
    place(things, (0, 0, 65))
    spatter(6, (1, -3), 45, 3.6, coffee)
    return things


def dirty_cup_clear() -> Things:
    """A clear tumbler with a rest of chocolate drink, its foam dried on the wall."""
    wall = dress(plastic.cup(11.0, 4.1, 2.8), tumbler(haze=0.06, dirt=GRAVY))
    things = [*soiled_cup(wall, 4.6, 11.0, GRAVY, GRAVY_DEEP), filling(4.6, 11.0, 4.1, 2.8, liquid(GRAVY, GRAVY_DEEP))]
    place(things, (0, 0, 20))
    spatter(7, (0, -2), 40, 4.0, liquid(GRAVY, GRAVY_DEEP))
    return things


def clean_fork() -> Things:
    things = [dress(plastic.fork(), white_plastic())]
    place(things, (0, 0, 28))
    return things


def clean_spoon() -> Things:
    things = [dress(plastic.spoon(), white_plastic())]
    place(things, (0, 0, 152))
    return things


def clean_knife() -> Things:
    things = [dress(plastic.knife(), white_plastic())]
    place(things, (0, 0, 30))
    return things


def smear(start: float, full: float, seed: float) -> Mask:
    """Food from ``start`` on towards the tip, patchy, on the upper side and over the edges."""

    def where(co: Vector, normal: Vector) -> float:
        upper = ease(normal.z, -0.5, 0.1)
        return (
            upper
            * (1.5 * ease(co.x, start, full) - 0.55 + 0.75 * cloud(co, 0.8, seed) + 0.2 * cloud(co, 2.5, seed + 1))
            - 0.02
        )

    return where


def with_food(thing: bpy.types.Object, where: Mask, thick: float, colour: Colour, deep: Colour) -> Things:
    """The item, stained and coated where the mask says; a thin stain reaches further than the food."""
    refine(thing)
    paint(thing, lambda co, no: 0.75 * ease(where(co, no) + 0.25, 0.0, 0.4))
    dress(thing, white_plastic(dirt=colour))
    return [thing, coat(thing, where, thick, sauce(colour, deep))]


def dirty_fork() -> Things:
    things = with_food(plastic.fork(), smear(8.6, 14.0, 2), 0.13, CURRY, CURRY_DEEP)
    place(things, (0, 0, 28))
    spatter(8, (6.0, 2.6), 60, 2.6, sauce(CURRY, CURRY_DEEP), flat=0.3)
    return things


def dirty_spoon() -> Things:
    def where(co: Vector, normal: Vector) -> float:
        bowl = 1.15 - ((co.x - 13.4) / 2.9) ** 2 - (co.y / 1.7) ** 2
        return (
            max(2.0 * bowl + 0.5 * cloud(co, 0.9, 7), smear(9.0, 14.5, 5)(co, normal)) * ease(normal.z, -0.3, 0.2)
            - 0.02
        )

    things = with_food(plastic.spoon(), where, 0.22, GRAVY, GRAVY_DEEP)
    place(things, (0, 0, 152))
    spatter(9, (-6.0, 2.6), 50, 2.6, sauce(GRAVY, GRAVY_DEEP), flat=0.3)
    return things


def placed(build: Callable[[], Things], *turn: float) -> Callable[[], Things]:
    def put() -> Things:
        things = build()
        place(things, turn or (0, 0, 0))
        return things

    return put


def bare_tray() -> Things:
    """Nothing: the camera frames a shape that is taken away again."""
    frame = lathe("frame", [(15.0, 0.0), (15.0, 0.5)], 24)
    frame.hide_render = True
    return [frame]


SHOTS: dict[str, Shot] = {
    "bottle-clean-1": Shot(clean_bottle_lying, -90, 50, 0.82),
    "bottle-clean-2": Shot(clean_bottle_standing, -80, 22, 0.86),
    "bottle-dirty-1": Shot(dirty_bottle_muddy, -90, 36, 0.92),
    "bottle-dirty-2": Shot(dirty_bottle_standing, -95, 30, 0.92),
    "cup-clean-1": Shot(clean_cup_standing, -90, 35, 0.76),
    "cup-clean-2": Shot(clean_cup_red, -90, 30, 0.78),
    "cup-dirty-1": Shot(dirty_cup_coffee, -90, 40, 0.86),
    "cup-dirty-2": Shot(dirty_cup_clear, -90, 32, 0.9),
    "cutlery-clean-1": Shot(clean_fork, -90, 58, 0.85),
    "cutlery-clean-2": Shot(clean_spoon, -90, 52, 0.85),
    "cutlery-clean-3": Shot(clean_knife, -90, 60, 0.85),
    "cutlery-dirty-1": Shot(dirty_fork, -90, 58, 0.9),
    "cutlery-dirty-2": Shot(dirty_spoon, -90, 54, 0.9),
    "other-can-1": Shot(placed(foreign.can, 0, 0, 10), -62, 38, 0.8),
    "other-glass-1": Shot(placed(lambda: foreign.glass_bottle(foreign.BROWN), 0, 90, 32), -90, 50, 0.86),
    "other-glass-2": Shot(placed(foreign.jar), -90, 26, 0.78),
    "other-paper-1": Shot(placed(foreign.paper_ball), -90, 42, 0.7),
    "other-paper-2": Shot(placed(foreign.crumpled_sheet, 0, 0, 20), -90, 58, 0.86),
    "other-cardboard-1": Shot(placed(foreign.box, 0, 0, 25), -90, 45, 0.86),
    "other-empty-1": Shot(bare_tray, -90, 55, 0.95),
}
