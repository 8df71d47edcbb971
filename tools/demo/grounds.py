"""Empty grounds: trays, the machine's inside, and the floors and tables a photo may be taken on. Unit: 1 cm."""

from collections.abc import Callable, Iterator
from functools import partial
from zlib import crc32

import bpy
import numpy as np
from mathutils import Matrix, Vector

from tools.demo import stage
from tools.demo.materials import Colour, Shader, Socket, shaded
from tools.demo.shapes import dress, mesh, move

Dice = np.random.Generator
SIDES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
TRAYS: dict[str, Colour] = {
    "whitetray": (0.8, 0.8, 0.78),
    "greytray": (0.2, 0.205, 0.21),
    "blacktray": (0.018, 0.018, 0.02),
    "bluetray": (0.05, 0.15, 0.42),
    "beigetray": (0.58, 0.47, 0.33),
}
WOODS: tuple[tuple[Colour, Colour], ...] = (
    ((0.2, 0.095, 0.04), (0.42, 0.23, 0.11)),
    ((0.5, 0.32, 0.17), (0.68, 0.49, 0.3)),
    ((0.055, 0.028, 0.016), (0.14, 0.075, 0.042)),
    ((0.36, 0.3, 0.24), (0.52, 0.46, 0.38)),
)


def flat(surface: Callable[[Shader], Socket], dice: Dice, *, level: float = 0.0) -> bpy.types.Object:
    """A wide plane with this surface, turned and shifted by chance."""
    make = Shader("ground")
    plane = mesh("ground", [(-200, -200, 0), (200, -200, 0), (200, 200, 0), (-200, 200, 0)], [(0, 1, 2, 3)])
    plane.location = (*dice.uniform(-60, 60, 2), level)
    plane.rotation_euler = (0, 0, dice.uniform(0, 6.3))
    return dress(plane, make.finish(surface(make)))


def scaled(colour: Colour, by: float) -> Colour:
    return shaded(colour, lambda c: min(1.0, c * by))


def cells(make: Shader, scale: float, output: str = "Distance", **settings: str) -> Socket:
    """Voronoi cells, ``scale`` to the centimetre."""
    where = make.add("TexCoord").outputs["Object"]
    return make.add("TexVoronoi", {"Vector": where, "Scale": scale}, **settings).outputs[output]


def blend(make: Shader, fac: Socket | float, a: Socket | Colour, b: Socket | Colour) -> Socket:
    return make.add("Mix", {0: fac, 6: a, 7: b}, data_type="RGBA").outputs[2]


def tray(
    colour: Colour, dice: Dice, *, sizes: tuple[float, float] = (0.55, 0.9), shift_by: float = 6.0, segments: int = 240
) -> None:
    """A tray on a table, its rim and often a corner in the picture."""
    shell = stage.tray(scaled(colour, dice.uniform(0.85, 1.1)), segments)
    size = dice.uniform(*sizes)
    shift = Matrix.Translation((*dice.uniform(-shift_by, shift_by, 2), 0))
    move([shell], shift @ Matrix.Rotation(dice.uniform(0, 6.3), 4, "Z") @ Matrix.Scale(size, 4))
    table = scaled(WOODS[int(dice.integers(4))][1], dice.uniform(0.5, 1.2))
    flat(lambda make: make.solid(make.ramp(make.noise(0.3, 6.0), scaled(table, 0.85), table), 0.6), dice, level=-2.8)


def steel(dice: Dice, _: int) -> None:
    def surface(make: Shader) -> Socket:
        lines = make.noise(5.0, 8.0, (0.02, 1, 1))
        tone = make.ramp(lines, (0.5, 0.51, 0.52), (0.68, 0.69, 0.7), 0.25, 0.75)
        return make.solid(tone, 0.58, Metallic=0.85, Normal=make.bump(lines, 0.25, 0.06))

    flat(surface, dice)


def box(low: tuple[float, float, float], high: tuple[float, float, float], colour: Colour, rough: float = 0.5) -> None:
    corners = [(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    make = Shader("box")
    tone = make.ramp(make.noise(0.2, 3.0), scaled(colour, 0.93), colour)
    dress(mesh("box", corners, SIDES, smooth=False), make.finish(make.solid(tone, rough)))


def machine(dice: Dice, _: int, *, segments: int = 240) -> None:
    """The machine's tray between its walls, a bar of LEDs above, the slot's edge in front."""
    grey = dice.uniform(0.03, 0.5)
    warm = grey * dice.uniform(-0.12, 0.12)
    stage.tray((grey + warm, grey, grey - warm), segments)
    wall = scaled((1, 1, 1.03), float(dice.choice((0.05, 0.35, 0.62, 0.75))))
    deep, wide, tall = dice.uniform(15, 18), dice.uniform(18, 23), 60
    box((-40, deep, -4), (40, deep + 2, tall), wall)
    box((-wide - 2, -40, -4), (-wide, deep, tall), wall)
    box((wide, -40, -4), (wide + 2, deep, tall), wall)
    if dice.random() < 0.6:
        front = -dice.uniform(10, 14)
        box((-wide, front - 8, 0.5), (wide, front, 2.2), scaled((1, 1, 1), float(dice.uniform(0.01, 0.2))), 0.3)
    stage.lamp((0, 4, 42), (30, 3), float(dice.uniform(5000, 11000)), (0.95, 0.98, 1.0))
    make = Shader("led")
    glow = make.add("Emission", {"Color": (0.92, 0.97, 1.0), "Strength": 20.0}).outputs[0]
    height = dice.uniform(7, 13)
    corners = [(x, deep - 0.6, height + z) for x in (-wide * 0.8, wide * 0.8) for z in (0, 0.7)]
    dress(mesh("led", corners, [(0, 2, 3, 1)], smooth=False), make.finish(glow))


def wood(dice: Dice, number: int) -> None:
    dark, light = WOODS[number % 4]

    def surface(make: Shader) -> Socket:
        where = make.add("TexCoord").outputs["Object"]
        plank = make.add("TexBrick", {"Vector": where, "Scale": 0.1, "Mortar Size": 0.004, "Mortar Smooth": 0.3})
        plank.inputs["Brick Width"].default_value, plank.inputs["Row Height"].default_value = 9.0, 1.0
        plank.inputs["Color1"].default_value, plank.inputs["Color2"].default_value = (0, 0, 0, 1), (1, 1, 1, 1)
        apart = make.add("VectorMath", {0: plank.outputs["Color"], 1: (37, 11, 5)}, operation="MULTIPLY").outputs[0]
        along = make.add("VectorMath", {0: where, 1: (0.06, 0.9, 1)}, operation="MULTIPLY").outputs[0]
        along = make.add("VectorMath", {0: along, 1: apart}).outputs[0]
        grain = make.add("TexNoise", {"Vector": along, "Scale": 0.45, "Detail": 5.0, "Distortion": 1.2}).outputs["Fac"]
        fibre = make.noise(4.0, 8.0, (0.04, 1, 1))
        tone = make.ramp(grain, dark, light, 0.3, 0.65)
        tone = blend(make, make.math("MULTIPLY", fibre, 0.6), tone, scaled(dark, 0.9))
        tone = blend(make, plank.outputs["Fac"], tone, scaled(dark, 0.15))
        return make.solid(tone, float(dice.uniform(0.3, 0.7)), Normal=make.bump(fibre, 0.15, 0.05))

    flat(surface, dice)


def stone(dice: Dice, number: int) -> None:
    base = scaled((0.6, 0.58, 0.55), (0.25, 0.7, 1.1)[number % 3])

    def surface(make: Shader) -> Socket:
        clouds = make.ramp(make.noise(0.12, 10.0), scaled(base, 0.7), scaled(base, 1.15))
        vein = make.math("ABSOLUTE", make.math("SUBTRACT", make.noise(0.09, 12.0, (1, 2.2, 1)), 0.5))
        clouds = blend(make, make.ramp(vein, (0.6, 0.6, 0.6), (0, 0, 0), 0.0, 0.035), clouds, scaled(base, 0.4))
        speck = make.ramp(make.noise(6.0, 4.0), (0, 0, 0), (0.5, 0.5, 0.5), 0.55, 0.75)
        return make.solid(blend(make, speck, clouds, scaled(base, 0.6)), 0.25)

    flat(surface, dice)


def terrazzo(dice: Dice, number: int) -> None:
    base = scaled((0.72, 0.69, 0.64), (0.9, 0.3, 0.6)[number % 3])
    chips = dice.uniform(0.05, 0.75, (4, 1)) * dice.uniform(0.75, 1.0, (4, 3))

    def surface(make: Shader) -> Socket:
        tone = make.ramp(make.noise(3.0, 6.0), scaled(base, 0.92), base)
        for layer, scale in enumerate((0.45, 0.8, 1.3, 2.2)):
            lot = make.add("SeparateColor", {0: cells(make, scale, "Color")}).outputs[layer % 3]
            edge = cells(make, scale, feature="DISTANCE_TO_EDGE")
            chosen = make.math("GREATER_THAN", lot, 0.66)
            inside = make.math("GREATER_THAN", edge, 0.12)
            tone = blend(make, make.math("MULTIPLY", chosen, inside), tone, tuple(map(float, chips[layer])))
        return make.solid(tone, 0.3)

    flat(surface, dice)


def sheet(dice: Dice, size: tuple[float, float], waves: float, step: float = 0.6) -> bpy.types.Object:
    """A piece of cloth or paper lying almost flat."""
    xs, ys = np.arange(-size[0] / 2, size[0] / 2, step), np.arange(-size[1] / 2, size[1] / 2, step)
    x, y = np.meshgrid(xs, ys, indexing="ij")
    z = np.full_like(x, 0.15)
    for length in (25, 14, 8, 5):
        angle, phase = dice.uniform(0, 6.3, 2)
        bend = np.sin(x / 9 + dice.uniform(0, 6)) * 1.5
        z += waves * length * (1 + np.sin((x * np.cos(angle) + y * np.sin(angle) + bend) * 6.3 / length + phase)) / 2
    n, m = x.shape
    index = np.arange(n * m).reshape(n, m)
    quads = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1).reshape(-1, 4)
    return mesh("sheet", np.stack([x.ravel(), y.ravel(), z.ravel()], 1), quads)


def tablecloth(dice: Dice, number: int) -> None:
    """A checked or plain cloth with slight folds."""
    colour = scaled(((0.5, 0.03, 0.04), (0.05, 0.12, 0.35), (0.1, 0.3, 0.15))[number % 3], 1.0)
    plain, pitch = dice.random() < 0.3, dice.uniform(0.3, 0.9)
    make = Shader("cloth")
    where = make.add("TexCoord").outputs["Object"]
    parts = make.add("SeparateXYZ", {0: where}).outputs
    stripes = []
    for axis in (0, 1):
        turn = make.math("FRACT", make.math("MULTIPLY", parts[axis], pitch))
        stripes.append(make.math("MULTIPLY", make.math("GREATER_THAN", turn, 0.5), 0.5))
    share = 0.85 if plain else make.math("ADD", *stripes)
    tone = blend(make, share, (0.82, 0.8, 0.77), colour)
    weave = make.math("ADD", make.noise(9.0, 3.0, (0.15, 1, 1)), make.noise(9.0, 3.0, (1, 0.15, 1)))
    cloth = sheet(dice, (150, 150), 0.012, 1.0)
    cloth.rotation_euler = (0, 0, dice.uniform(0, 6.3))
    dress(cloth, make.finish(make.solid(tone, 0.95, Normal=make.bump(weave, 0.3, 0.05))))


def napkin(dice: Dice, number: int) -> None:
    """A folded paper napkin on a table."""
    wood(dice, number) if dice.random() < 0.5 else stone(dice, number)
    colour = ((0.74, 0.73, 0.71), (0.75, 0.62, 0.2), (0.55, 0.08, 0.1), (0.7, 0.7, 0.7))[number % 4]
    make = Shader("napkin")
    dots = make.ramp(cells(make, 2.2), (1, 1, 1), (0, 0, 0), 0.1, 0.4)
    relief = make.math("ADD", dots, make.noise(8.0, 4.0))
    cloth = sheet(dice, (30, 30), 0.006)
    parts = np.array([vert.co for vert in cloth.data.vertices])
    parts[:, 2] -= 0.25 * np.exp(-((parts[:, 0] / 0.5) ** 2)) + 0.25 * np.exp(-((parts[:, 1] / 0.5) ** 2)) - 0.3
    cloth.data.vertices.foreach_set("co", parts.ravel())
    cloth.location = (*dice.uniform(-6, 6, 2), 0)
    cloth.rotation_euler = (0, 0, dice.uniform(0, 6.3))
    dress(cloth, make.finish(make.solid(colour, 0.9, Normal=make.bump(relief, 0.25, 0.06))))


def concrete(dice: Dice, _: int) -> None:
    base = scaled((0.42, 0.41, 0.39), dice.uniform(0.6, 1.25))

    def surface(make: Shader) -> Socket:
        tone = make.ramp(make.noise(0.07, 12.0), scaled(base, 0.72), scaled(base, 1.15))
        pores = make.ramp(cells(make, 0.8), (1, 1, 1), (0, 0, 0), 0.05, 0.12)
        tone = blend(make, make.math("MULTIPLY", pores, 0.6), tone, scaled(base, 0.4))
        grain = make.noise(1.1, 12.0)
        return make.solid(
            blend(make, make.math("MULTIPLY", grain, 0.6), tone, scaled(base, 0.6)),
            0.85,
            Normal=make.bump(grain, 0.4, 0.06),
        )

    flat(surface, dice)


def tufts(dice: Dice, count: int, tall: float, lean: float, reach: float) -> np.ndarray:
    """Corners of many thin upright triangles, count x 3 x 3."""
    foot = np.c_[dice.uniform(-reach, reach, (count, 2)), np.zeros(count)]
    angle = dice.uniform(0, 6.3, count)
    side = np.stack([np.cos(angle), np.sin(angle), np.zeros(count)], 1) * 0.22
    tip = foot + np.c_[dice.normal(0, lean, (count, 2)), tall * dice.uniform(0.4, 1, count)]
    return np.stack([foot - side, foot + side, tip], 1)


def lawn(dice: Dice, _: int, *, count: int = 30000, tall: float = 5.0, reach: float = 45.0) -> None:
    """Blades over soil."""
    flat(lambda make: make.solid(make.ramp(make.noise(2.0, 8.0), (0.02, 0.03, 0.01), (0.1, 0.08, 0.04)), 0.95), dice)
    blades = tufts(dice, count, tall, 2.0, reach).reshape(-1, 3)
    thing = mesh("blades", blades, np.arange(len(blades)).reshape(-1, 3), smooth=False)
    make = Shader("grass")
    fresh = make.ramp(make.noise(0.9, 6.0), (0.07, 0.17, 0.025), (0.3, 0.4, 0.09), 0.35, 0.7)
    dress(thing, make.finish(make.solid(fresh, 0.6)))


def carpet(dice: Dice, number: int) -> None:
    """Short pile in one or two tones."""
    base = ((0.3, 0.26, 0.2), (0.09, 0.11, 0.16), (0.3, 0.06, 0.06), (0.2, 0.2, 0.21))[number % 4]

    def surface(make: Shader) -> Socket:
        loops = cells(make, 2.6)
        tone = make.ramp(loops, scaled(base, 1.35), scaled(base, 0.4), 0.1, 0.75)
        tone = blend(make, make.ramp(make.noise(0.15, 4.0), (0, 0, 0), (0.5, 0.5, 0.5)), tone, scaled(base, 0.7))
        relief = make.math("SUBTRACT", make.math("MULTIPLY", make.noise(8.0, 4.0), 0.5), loops)
        return make.solid(tone, 1.0, Normal=make.bump(relief, 1.0, 0.3), Sheen_Weight=0.3)

    flat(surface, dice)


def sand(dice: Dice, _: int) -> None:
    def surface(make: Shader) -> Socket:
        grain = make.noise(10.0, 4.0)
        tone = make.ramp(grain, (0.34, 0.24, 0.14), (0.68, 0.54, 0.36), 0.3, 0.7)
        tone = blend(make, make.ramp(make.noise(0.2, 4.0), (0, 0, 0), (0.4, 0.4, 0.4)), tone, (0.36, 0.27, 0.18))
        dunes = make.math("MULTIPLY", make.noise(0.16, 4.0, (1, 2.5, 1)), 6.0)
        return make.solid(tone, 1.0, Normal=make.bump(make.math("ADD", dunes, grain), 1.0, 0.35))

    flat(surface, dice)


def asphalt(dice: Dice, _: int) -> None:
    shade = float(dice.uniform(0.7, 1.5))

    def surface(make: Shader) -> Socket:
        gravel = cells(make, 2.0, "Color")
        lot = make.add("SeparateColor", {0: gravel}).outputs[0]
        tone = make.ramp(lot, scaled((0.03, 0.03, 0.032), shade), scaled((0.17, 0.165, 0.155), shade), 0.1, 0.95)
        gap = make.ramp(cells(make, 2.0, feature="DISTANCE_TO_EDGE"), (1, 1, 1), (0, 0, 0), 0.02, 0.14)
        tone = blend(make, gap, tone, scaled((0.02, 0.02, 0.022), shade))
        relief = make.math("SUBTRACT", make.noise(7.0, 5.0), cells(make, 2.0))
        return make.solid(tone, 0.85, Normal=make.bump(relief, 0.9, 0.2))

    flat(surface, dice)


def _coloured_tray(colour: Colour, dice: Dice, _: int) -> None:
    tray(colour, dice)


KINDS: dict[str, tuple[Callable[[Dice, int], None], int]] = {
    **{name: (partial(_coloured_tray, colour), 2) for name, colour in TRAYS.items()},
    "machine": (machine, 6),
    "steel": (steel, 2),
    "wood": (wood, 4),
    "stone": (stone, 2),
    "terrazzo": (terrazzo, 2),
    "tablecloth": (tablecloth, 2),
    "napkin": (napkin, 2),
    "concrete": (concrete, 2),
    "carpet": (carpet, 2),
    "grass": (lawn, 2),
    "sand": (sand, 2),
    "asphalt": (asphalt, 2),
}


def everything() -> Iterator[tuple[str, int]]:
    for kind, (_, count) in KINDS.items():
        for number in range(1, count + 1):
            yield kind, number


def shade(dice: Dice) -> None:
    """Daylight or lamps from a side, and things out of sight that throw soft shadows."""
    tint = dice.uniform(-0.12, 0.12)
    colour = (1 - max(0.0, tint), 0.97, 1 + min(0.0, tint * 1.8))
    away = Matrix.Rotation(dice.uniform(0, 6.3), 3, "Z")
    size = float(dice.uniform(4, 40))
    stage.lamp(away @ Vector((42, 0, 44)), (size, size), 34000, colour)
    stage.lights(float(dice.uniform(0.15, 0.5)))
    for _ in range(int(dice.integers(0, 3))):
        wide, low, tall = dice.uniform(3, 14), dice.uniform(7, 14), dice.uniform(4, 14)
        at = away @ Vector((dice.uniform(16, 28), dice.uniform(-18, 18), 0))
        corners = [
            (at.x + x * wide, at.y + y * wide * 0.3, z) for x in (-1, 1) for y in (-1, 1) for z in (low, low + tall)
        ]
        blocker = mesh("blocker", corners, SIDES, smooth=False)
        blocker.visible_camera, blocker.visible_glossy = False, False


def build(kind: str, number: int) -> int:
    """One ground with its light and camera; the seed for the sensor noise comes back."""
    seed = crc32(f"{kind}-{number}".encode())
    dice = np.random.default_rng(seed)
    KINDS[kind][0](dice, number)
    inside = kind == "machine"
    if inside:
        stage.lights(float(dice.uniform(0.25, 0.7)))
    else:
        shade(dice)
    # The camera fits a frame of this width, whose corners stay outside the picture.
    near, far = (17, 23) if inside else (14, 20) if kind.endswith("tray") else (10, 20)
    half = float(dice.uniform(near, far))
    frame = mesh("frame", [(x, y, 0) for x in (-half, half) for y in (-half, half)], [])
    azimuth, elevation = (-90, dice.uniform(38, 62)) if inside else (-90, dice.uniform(52, 89))
    stage.camera([frame], azimuth, float(elevation), 1.25, 0.0 if inside else float(dice.uniform(-8, 8)))
    bpy.data.objects.remove(frame)
    bpy.context.scene.view_settings.exposure = float(dice.uniform(-0.5, 0.2))
    return seed
