"""Random foreign objects: metal, glass, paper, cardboard, ceramic and wood, upright or flat at the origin."""

from collections.abc import Callable, Sequence
from math import cos, pi, radians, sin

import bpy
import numpy as np
from mathutils import Matrix, Vector

from tools.demo import foreign, scenes
from tools.demo.materials import Shader, glass, kraft, metal, painted, paper
from tools.demo.shapes import Point2, dress, lathe, mesh, move, soften
from tools.views import bend, residue
from tools.views.look import COARSE, WHITE, around, band, colour, print_of, printed
from tools.views.plan import PLASTIC, Colour, Dice, Scene
from tools.views.plastic_items import utensil
from tools.views.residue import Residue, Things

GLASSES: tuple[Colour, ...] = (foreign.GREEN, foreign.BROWN, (0.8, 0.93, 0.88), (0.93, 0.97, 0.96), (0.35, 0.5, 0.8))


def stretched(things: Things, dice: Dice, tall: tuple[float, float], wide: tuple[float, float]) -> Things:
    """Higher and wider by chance."""
    grow = float(dice.uniform(*wide))
    move(things, Matrix.Diagonal((grow, grow, float(dice.uniform(*tall)), 1)))
    return things


def soiled(things: Things, dice: Dice, tall: float, food: Residue | None) -> Things:
    """With a layer of residue on the first of the things, if there is any."""
    return [*things, residue.layer(things[0], dice, tall, food)] if food else things


def can(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    things = soiled(foreign.can(colour(dice), colour(dice, 0.5), coarse=COARSE), dice, 10.0, food)
    if shown.crush:
        bend.crush(things, dice, shown.crush * 0.8)
    return stretched(things, dice, (0.8, 1.35), (0.85, 1.05))


def tin(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    """A food tin with ribs, open or closed, with or without its paper label."""
    wide = float(dice.uniform(3.2, 5.2))
    tall = wide * float(dice.uniform(0.9, 2.8))
    side = [
        (0.01, 0.25),
        (wide - 0.35, 0.25),
        (wide - 0.25, 0.0),
        (wide, 0.05),
        (wide, tall),
        (wide - 0.12, tall + 0.05),
    ]
    inner = [(wide - 0.15, tall - 0.1), (wide - 0.15, 0.5), (0.01, 0.45)]
    lid = [(wide - 0.25, tall - 0.25), (0.01, tall - 0.25)]
    ribs = dice.uniform(0.03, 0.09)

    def radius(r: float, z: float, angle: float) -> float:
        return r - ribs * (0.2 * tall < z < 0.8 * tall and r > wide - 0.3) * max(0.0, cos(2 * pi * z / 0.7))

    wall = lathe("tin", soften(side + (inner if dice.random() < 0.6 else lid), 0.16, 0.05), 96, radius)
    things = soiled([dress(wall, metal((0.75, 0.75, 0.73), float(dice.uniform(0.2, 0.4))))], dice, tall, food)
    if dice.random() < 0.6:
        things.append(band(lambda a, z: around(wide, a, z), 0.06 * tall, 0.94 * tall, print_of(dice), 0.5))
    return things


def foil(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    things = wad(dice, 5)
    dress(things[0], metal((0.66, 0.66, 0.67), float(dice.uniform(0.1, 0.25))))
    return things


def wad(dice: Dice, subdivisions: int = 6) -> Things:
    """Something crumpled into a ball that is not round."""
    things = foreign.paper_ball(residue.seed(dice), float(dice.uniform(2.5, 5)), subdivisions=subdivisions)
    move(things, Matrix.Diagonal((float(dice.uniform(0.8, 1.6)), 1, float(dice.uniform(0.55, 1)), 1)))
    return things


def glass_bottle(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    tone = GLASSES[int(dice.integers(len(GLASSES)))]
    depth = 0.4 if min(tone) > 0.7 else float(dice.uniform(2, 6))
    label = colour(dice, 0.6) if dice.random() < 0.6 else None
    things = soiled(foreign.glass_bottle(tone, depth, label, coarse=COARSE), dice, 18.0, food)
    return stretched(things, dice, (0.7, 1.3), (0.85, 1.25))


def jar(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    lid = colour(dice, 0.3) if dice.random() < 0.5 else None
    things = soiled(foreign.jar(lid, coarse=COARSE), dice, 9.0, food)
    if dice.random() < 0.4:
        things.append(band(lambda a, z: around(3.82, a, z), 2.0, float(dice.uniform(5, 7.5)), print_of(dice), 0.5))
    return stretched(things, dice, (0.7, 1.4), (0.8, 1.2))


def open_vessel(outer: Sequence[Point2], thick: float, floor: float) -> list[Point2]:
    """A closed profile of a vessel with walls of one thickness and a floor at some height."""
    inner = [(r - thick, z) for r, z in reversed(outer[1:]) if z > floor + 0.1]
    (r, _) = inner[-1]
    return [*outer, *inner, (r - 0.25, floor), (0.01, floor)]


def drinking_glass(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    tall, foot = float(dice.uniform(7, 15)), float(dice.uniform(2.2, 3.4))
    mouth, belly = foot * float(dice.uniform(1.0, 1.4)), float(dice.uniform(0, 0.4))
    outer = [(0.01, 0.1), (foot - 0.2, 0.0)]
    outer += [(foot + (mouth - foot) * t + belly * sin(pi * t), 0.15 + (tall - 0.15) * t) for t in np.linspace(0, 1, 9)]
    facets = int(dice.integers(6, 13)) if dice.random() < 0.3 else 0

    def radius(r: float, z: float, angle: float) -> float:
        return r - 0.12 * facets * 0.1 * abs(cos(facets * angle / 2)) * (z < 0.6 * tall and r > foot * 0.8)

    profile = soften(open_vessel(outer, 0.22, float(dice.uniform(0.5, 1.4))), 0.18, 0.07)
    things = [dress(lathe("glass", profile, 72, radius), _clear(dice))]
    if food and shown.stand == "up":
        things.append(
            scenes.filling(tall * float(dice.uniform(0.2, 0.5)), tall, mouth - 0.15, foot - 0.15, food.drink())
        )
    return things


def _clear(dice: Dice) -> bpy.types.Material:
    return (
        glass(GLASSES[int(dice.integers(len(GLASSES)))], 0.3)
        if dice.random() < 0.15
        else glass((0.93, 0.97, 0.96), 0.3)
    )


def wine_glass(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    foot, stem, bowl = float(dice.uniform(2.8, 3.6)), float(dice.uniform(5, 9)), float(dice.uniform(2.6, 4.2))
    deep, lip = float(dice.uniform(7, 11)), float(dice.uniform(0.7, 0.95))
    outer = [(0.01, 0.0), (foot, 0.0), (foot, 0.15), (0.6, 0.6), (0.38, 1.4), (0.38, stem)]
    outer += [
        (max(0.4, bowl * sin(pi / 2 * min(1.0, t * 2)) * (1 - (1 - lip) * max(0.0, 2 * t - 1))), stem + deep * t)
        for t in np.linspace(0.06, 1, 12)
    ]
    inner = [(r - 0.14, z) for r, z in reversed(outer[8:])]
    profile = soften([*outer, *inner, (0.01, stem + 0.6)], 0.2, 0.08)
    return [dress(lathe("wine glass", profile, 72), _clear(dice))]


def paper_cup(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    """A coated paper cup with a rolled rim; printed, sometimes with a sleeve of brown card."""
    tall = float(dice.uniform(6.5, 15))
    mouth = tall * float(dice.uniform(0.34, 0.46))
    foot = mouth * float(dice.uniform(0.66, 0.76))
    outer = [(0.01, 0.5), (foot - 0.15, 0.5), (foot - 0.1, 0.0), (foot, 0.0), (mouth, tall - 0.25)]
    rim = [(mouth + 0.2, tall - 0.15), (mouth + 0.2, tall), (mouth, tall + 0.1), (mouth - 0.08, tall - 0.1)]
    inner = [(foot - 0.1, 0.7), (0.01, 0.65)]
    shade, plain = print_of(dice), dice.random() < 0.3
    base = (0.42, 0.27, 0.15) if plain and dice.random() < 0.5 else WHITE
    wall = lathe("paper cup", soften(outer + rim + inner, 0.18, 0.04), 96)

    def ink(angle: float, z: float) -> Colour:
        return base if plain or z > 0.93 else shade(angle, z)

    printed(wall, ink, 0.0, tall)
    _bleach_inside(wall, tall)
    things = [dress(wall, paper("print"))]
    if dice.random() < 0.2:

        def outside(angle: float, z: float) -> Vector:
            return around(foot + (mouth - foot) * z / tall + 0.06, angle, z)

        things.append(dress(band(outside, 0.3 * tall, 0.72 * tall, shade, 0.8, name="sleeve"), kraft()))
    if food and not food.is_soil:
        things.append(residue.layer(wall, dice, tall, food))
        if shown.stand == "up" and not shown.crush:
            things.append(scenes.filling(tall * float(dice.uniform(0.15, 0.6)), tall, mouth, foot, food.drink()))
    if shown.crush:
        bend.crush(things, dice, shown.crush)
    return things


def _bleach_inside(wall: bpy.types.Object, tall: float) -> None:
    """Paper cups are printed outside only."""
    colours = wall.data.attributes["print"].data
    for vert in wall.data.vertices:
        if (
            vert.normal.x * vert.co.x + vert.normal.y * vert.co.y < -0.02
            or vert.co.z > tall - 0.2
            or abs(vert.normal.z) > 0.8
        ):
            colours[vert.index].color = (*WHITE, 1.0)


def mug(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    """A ceramic mug with its handle."""
    tall, wide = float(dice.uniform(7.5, 11)), float(dice.uniform(3.6, 4.8))
    foot = wide * float(dice.uniform(0.75, 1.0))
    outer = [(0.01, 0.2), (foot - 0.5, 0.2), (foot - 0.35, 0.0), (foot, 0.15)]
    outer += [(foot + (wide - foot) * t**0.6, 0.2 + (tall - 0.2) * t) for t in np.linspace(0.1, 1, 8)]
    wall = lathe("mug", soften(open_vessel(outer, 0.38, 0.7), 0.2, 0.1), 84)
    if dice.random() < 0.4:
        base = colour(dice, 0.7)
        printed(wall, print_of(dice, base), 0.0, tall)
        material = painted("print", 0.15)
        _bleach_inside(wall, tall)
    else:
        base = colour(dice, 0.45)
        make = Shader("ceramic")
        material = make.finish(make.solid(base, float(dice.uniform(0.08, 0.3)), Coat_Weight=0.5))
    make = Shader("ceramic")
    handle = tube(
        [(wide - 0.25 + 2.5 * sin(a), 0, tall * (0.52 - 0.3 * cos(a))) for a in np.linspace(0.05, pi - 0.05, 20)], 0.45
    )
    things = [dress(wall, material), dress(handle, make.finish(make.solid(base, 0.2, Coat_Weight=0.5)))]
    if food and shown.stand == "up":
        things.append(scenes.filling(tall * float(dice.uniform(0.2, 0.8)), tall, wide - 0.3, foot - 0.3, food.drink()))
    return things


def tube(path: Sequence[Sequence[float]], thick: float, sides: int = 14) -> bpy.types.Object:
    """A round rod along a path in the plane of x and z."""
    spots = np.asarray(path, float)
    ahead = np.gradient(spots, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1)[:, None]
    side = np.array([0.0, 1.0, 0.0])
    verts, faces = [], []
    for k, spot in enumerate(spots):
        up = np.cross(ahead[k], side)
        verts += [
            spot + thick * (cos(a) * side * 1.3 + sin(a) * up) for a in np.linspace(0, 2 * pi, sides, endpoint=False)
        ]
    for k in range(len(spots) - 1):
        for j in range(sides):
            n = (j + 1) % sides
            faces.append((k * sides + j, k * sides + n, (k + 1) * sides + n, (k + 1) * sides + j))
    return mesh("handle", verts, faces)


def paper_ball(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    things = wad(dice)
    if dice.random() < 0.6:
        _recolour(things[0], colour(dice, 0.6))
    return [*things, residue.blots(things[0], dice, food)] if food else things


def _recolour(thing: bpy.types.Object, tone: Colour) -> None:
    layer = thing.data.attributes["print"].data
    layer.foreach_set("color", np.tile(np.array([*tone, 1.0], np.float32), len(layer)))


def sheet(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    """A crumpled page, printed, plain or like a leaflet."""
    wide, tall = float(dice.uniform(12, 24)), float(dice.uniform(8, 18))
    things = foreign.crumpled_sheet(
        residue.seed(dice), wide, tall, coarse=3.2, colour=colour(dice, 0.7), lines=dice.random() < 0.6
    )
    if dice.random() < 0.25:
        shade = print_of(dice)
        values = [(*shade(vert.co.x / wide * 4, vert.co.y / tall + 0.5), 1.0) for vert in things[0].data.vertices]
        things[0].data.attributes["print"].data.foreach_set("color", np.array(values, np.float32).ravel())
    return [*things, residue.blots(things[0], dice, food)] if food else things


def napkin(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    """A soft crumpled square, or one crushed into a wad."""
    if dice.random() < 0.4:
        things = wad(dice, 5)
        _recolour(things[0], colour(dice, 0.85))
    else:
        side = float(dice.uniform(10, 18))
        things = foreign.crumpled_sheet(
            residue.seed(dice), side, side, coarse=4.0, colour=colour(dice, 0.7), lines=False
        )
        things[0].data.shade_smooth()
    return [*things, residue.blots(things[0], dice, food)] if food else things


def box(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    """An open cardboard box, brown, white or coloured."""
    things = foreign.box(*(float(dice.uniform(*size)) for size in ((7, 18), (5, 13), (3, 12))))
    if dice.random() < 0.35:
        board = kraft(colour(dice, 0.4))
        for thing in things:
            dress(thing, board)
    return things


def card(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    """One to three torn flat pieces of cardboard, one on the other."""
    brown = kraft() if dice.random() < 0.7 else kraft(colour(dice, 0.5))
    things = []
    for level in range(int(dice.integers(1, 4))):
        at = Matrix.Translation((*dice.uniform(-3, 3, 2), 0.45 * level)) @ Matrix.Rotation(
            float(dice.uniform(0, 6.3)), 4, "Z"
        )
        tilt = Matrix.Rotation(radians(float(dice.uniform(-6, 6))), 4, "X")
        things.append(foreign.board("card", float(dice.uniform(6, 16)), float(dice.uniform(5, 12)), brown, at @ tilt))
    return things


def roll(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    """The cardboard tube of a roll of paper, sometimes with paper left on it."""
    wide, tall = float(dice.uniform(1.9, 2.6)), float(dice.uniform(8, 14))
    profile = [(wide - 0.12, 0.0), (wide, 0.0), (wide, tall), (wide - 0.12, tall), (wide - 0.12, 0.0)]
    things = [dress(lathe("tube", soften(profile, 0.3, 0.03), 64), kraft())]
    if shown.crush:
        bend.crush(things, dice, shown.crush)
    elif dice.random() < 0.35:
        thick = wide + float(dice.uniform(0.3, 2.6))
        around_it = [(wide, 0.05), (thick, 0.05), (thick, tall - 0.05), (wide, tall - 0.05)]
        things.append(printed(lathe("roll", soften(around_it, 0.3, 0.04), 64), lambda a, z: WHITE, 0, tall))
        dress(things[1], paper("print"))
    return things


def wooden(dice: Dice) -> bpy.types.Material:
    """Birch: pale, a little mottled."""
    make = Shader("birch")
    grain = make.noise(2.5, 2.0)
    pale = dice.uniform(0.85, 1.1)
    tone = make.ramp(grain, (0.62 * pale, 0.45 * pale, 0.27 * pale), (0.72 * pale, 0.54 * pale, 0.35 * pale))
    return make.finish(make.solid(tone, 0.7, Normal=make.bump(grain, 0.1, 0.05)))


def metal_cutlery(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    tone = (0.7, 0.5, 0.25) if dice.random() < 0.1 else (0.6, 0.6, 0.61)
    material = metal(tone, float(dice.uniform(0.08, 0.3)))
    return utensil(str(dice.choice(PLASTIC["cutlery"])), dice, material, food, bent=3.0)


def wooden_cutlery(shown: Scene, dice: Dice, food: Residue | None) -> Things:
    return utensil(str(dice.choice(PLASTIC["cutlery"])), dice, wooden(dice), food, bent=3.0)


BUILDERS: dict[str, Callable[[Scene, Dice, Residue | None], Things]] = {
    "can": can,
    "tin": tin,
    "foil": foil,
    "metal_cutlery": metal_cutlery,
    "glass_bottle": glass_bottle,
    "jar": jar,
    "drinking_glass": drinking_glass,
    "wine_glass": wine_glass,
    "paper_cup": paper_cup,
    "paper_ball": paper_ball,
    "sheet": sheet,
    "napkin": napkin,
    "box": box,
    "card": card,
    "tube": roll,
    "mug": mug,
    "wooden_cutlery": wooden_cutlery,
}
