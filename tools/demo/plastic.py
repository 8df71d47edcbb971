"""What the machine wants: PET bottles, disposable cups and cutlery, upright or flat at the origin."""

from math import cos, pi, sin

import bpy
import numpy as np
from mathutils import Vector, noise

from tools.demo.dirt import ease, tint
from tools.demo.materials import Colour, painted, pet, plastic, shaded
from tools.demo.shapes import Point2, displace, dress, follow, lathe, refine, sheet, soften

BOTTLE = [
    (0.01, 0.75), (1.3, 0.6), (2.4, 0.0), (2.75, 0.02), (3.2, 0.8), (3.25, 1.6), (3.25, 13.6), (3.22, 14.4),
    (2.9, 15.8),
    (2.2, 17.2), (1.5, 18.3), (1.25, 18.9), (1.25, 19.4), (1.62, 19.42), (1.62, 19.6), (1.25, 19.65), (1.25, 21.2),
]  # fmt: skip


def bottle_wall(crush: float = 0.0, seed: float = 0.0) -> bpy.types.Object:
    """The PET body: five feet, ribs above and below the label, neck with its ring; ``crush`` dents it."""

    def radius(r: float, z: float, angle: float) -> float:
        if z < 1.6 and r > 1.2:
            r -= 0.35 * (1 - ease(z, 0.3, 1.6)) * max(0.0, cos(5 * angle)) ** 2 * min(1.0, r - 1.2)
        if 1.8 < z < 7.2 or 12.0 < z < 14.6:
            r -= 0.17 * max(0.0, cos(2 * pi * (z - 1.8) / 1.15)) ** 3
        if 14.6 < z < 18:
            r -= 0.09 * ease(z, 14.6, 15.4) * (1 - ease(z, 17, 18)) * max(0.0, cos(8 * angle + 0.8 * z)) ** 2
        return r

    wall = lathe("bottle", soften(BOTTLE, 0.07, 0.1), 192, radius)
    if crush:
        wall = displace(wall, lambda co, no: dent(co, no, crush, seed))
    return wall


def dent(co: Vector, normal: Vector, depth: float, seed: float) -> Vector:
    """Creases as of a hand that squeezed: none at the neck."""
    folds = abs(noise.noise(co * 0.28 + Vector((seed, seed, seed)))) + 0.4 * abs(
        noise.noise(co * 0.7 + Vector((0, seed, 0)))
    )
    loose = ease(co.z, 0.8, 3.0) * (1 - ease(co.z, 14.5, 17.5))
    return -normal * depth * loose * max(0.0, 1.0 - 3.2 * folds)


def cap(colour: Colour, lift: float = 0.0, *, coarse: float = 1.0) -> bpy.types.Object:
    profile = soften([(1.5, 19.75), (1.52, 21.1), (1.4, 21.4), (0.01, 21.42)], 0.05 * coarse, 0.06)
    grip = lathe(
        "cap",
        profile,
        round(240 / coarse),
        lambda r, z, a: r - 0.06 * (cos(48 * a) > 0) * ease(r, 1.3, 1.45) * (z < 21.2),
    )
    displace(grip, lambda co, no: Vector((0, 0, lift)))
    return dress(grip, plastic(colour, 0.35))


def label(colour: Colour, light: Colour, crush: float = 0.0, seed: float = 0.0) -> bpy.types.Object:
    """A printed band: two waves, round drops, and bars as on every label, but no words."""
    profile = [(3.29, 7.4 + 0.05 * k) for k in range(93)]
    band = lathe("label", profile, 480)

    def shade(co: Vector) -> Colour:
        angle, z = np.arctan2(co.y, co.x), co.z - 7.4
        wave, second = 1.3 + 0.5 * sin(2 * angle + 0.6), 1.9 + 0.5 * sin(2 * angle + 1.4)
        if 1.15 < angle < 1.75 and 0.7 < z < 3.9:
            return (
                (0.02, 0.02, 0.02)
                if sin(z * 26) + 0.8 * sin(z * 41 + 1) > 0.4 and 1.22 < angle < 1.68
                else (0.9, 0.9, 0.9)
            )
        if z < 0.25 or z > 4.35:
            return light
        for middle in (0.0, -2.2, 2.6):
            dx, dz = (angle - middle) * 3.2, z - 3.1
            if dx * dx + dz * dz < 0.55 * (1 - 0.55 * max(-1, min(1, dz / 0.9))):
                return light
        if z < wave:
            return shaded(colour, lambda c: c * 0.45)
        return light if z < second else colour

    tint(band, shade)
    if crush:
        displace(band, lambda co, no: dent(co, no, crush, seed))
    return dress(band, painted("print", 0.25))


def bottle(
    cap_colour: Colour | None, label_colour: Colour | None, *, crush: float = 0.0, seed: float = 0.0
) -> list[bpy.types.Object]:
    """Wall first; then label and cap unless left out."""
    things = [dress(bottle_wall(crush, seed), pet())]
    if label_colour:
        things.append(label(label_colour, (0.85, 0.88, 0.9), crush, seed))
    if cap_colour:
        things.append(cap(cap_colour))
    return things


def cup(
    height: float = 10.5,
    mouth: float = 4.0,
    foot: float = 2.75,
    *,
    ribs: int = 0,
    thick: float = 0.07,
    coarse: float = 1.0,
) -> bpy.types.Object:
    """A tumbler with a rolled rim and two walls; its inside has normals towards the axis.

    Faces are ``coarse`` times as long and as wide.
    """
    slope = (mouth - foot) / height
    outer = [
        (0.01, 0.35),
        (foot - 0.35, 0.35),
        (foot - 0.2, 0.0),
        (foot, 0.05),
        (foot + slope * height * 0.96, height * 0.96),
    ]
    bead = [
        (mouth + 0.16, height - 0.22),
        (mouth + 0.22, height - 0.05),
        (mouth + 0.08, height + 0.08),
        (mouth - 0.1, height - 0.05),
    ]
    inner = [
        (foot + slope * height * 0.93 - thick, height * 0.93),
        (foot + slope * 0.7 - thick, 0.6),
        (foot - 0.4, 0.42),
        (0.01, 0.42),
    ]

    def radius(r: float, z: float, angle: float) -> float:
        if ribs and height * 0.12 < z < height * 0.62 and r > foot * 0.9:
            r -= 0.09 * max(0.0, cos(2 * pi * ribs * z / height)) ** 3
        elif not ribs and r > foot * 0.9 and height * 0.7 < z < height * 0.73:
            r -= 0.05
        return r

    return lathe("cup", soften(outer + bead + inner, 0.06 * coarse, 0.05), round(360 / coarse), radius)


def inside(co: Vector, normal: Vector) -> bool:
    """Whether this spot of an upright cup belongs to its inner wall or floor."""
    return normal.x * co.x + normal.y * co.y < -0.05 or (normal.z > 0.8 and co.x**2 + co.y**2 < 6.2 and co.z < 1.0)


def _handle(x: float, width: float) -> float:
    """Half the width of a handle of about 11 cm."""
    end = 1 - max(0.0, 1 - x / 0.6) ** 2
    return width * max(0.0, end) ** 0.5


def _both_sides(half: list[Point2]) -> list[Point2]:
    """An outline from its upper half, which runs from the handle's end to the tip."""
    return half + [(x, -y) for x, y in reversed(half) if y > 1e-4]


def spoon(step: float = 0.11) -> bpy.types.Object:
    """Bowl at x 11 to 16, handle from 0; ``step``: the width of its faces."""
    wide = follow(
        [(0, 0.62), (3, 0.56), (8, 0.38), (10.2, 0.4), (11.4, 1.0), (13, 1.62), (14.4, 1.68), (15.3, 1.3)], 0.25
    )

    def half(x: float) -> float:
        tip = max(0.0, 1 - ((x - 13.6) / 2.7) ** 2) ** 0.5 if x > 13.6 else 1.0
        return _handle(x, wide(min(x, 14))) * tip

    xs = [*np.linspace(0, 0.6, 14), *np.arange(0.7, 15.6, 0.1), *np.linspace(15.65, 16.3, 24)]
    lift = follow([(0, 0.5), (4, 1.1), (9, 1.3), (11, 0.85), (12.5, 0.7), (16.3, 1.0)], 0.6)

    def height(x: float, y: float) -> float:
        bowl = 1 - ((x - 13.5) / 2.75) ** 2 - (y / 1.72) ** 2
        return lift(x) - 0.75 * max(0.0, bowl) ** 0.8 + channel(x, y, wide(x))

    return sheet("spoon", _both_sides([(float(x), half(float(x))) for x in xs]), height, step, 0.16)


def channel(x: float, y: float, width: float) -> float:
    """The hollow along a handle that makes it stiff."""
    along = ease(x, 0.5, 1.5) * (1 - ease(x, 9.0, 10.5))
    return -0.16 * along * (1 - ease(abs(y) / max(width, 0.1), 0.35, 0.75))


def fork(step: float = 0.1) -> bpy.types.Object:
    """Four tines at x 12 to 16.5, handle from 0."""
    wide = follow(
        [(0, 0.62), (3, 0.56), (8, 0.38), (9.8, 0.4), (10.8, 0.8), (11.8, 1.28), (12.6, 1.34), (17, 1.2)], 0.2
    )
    xs = [*np.linspace(0, 0.6, 14), *np.arange(0.7, 12.6, 0.1)]
    half = [(float(x), _handle(float(x), wide(float(x)))) for x in xs]
    centres, thick, root = (1.03, 0.345), 0.23, 12.9

    def tine(middle: float, tip: float) -> list[Point2]:
        side = [(root + 0.1, thick), (tip - 1.2, thick * 0.85), (tip - 0.35, thick * 0.5), (tip, 0.04)]
        reach = follow(side, 0.08)
        out = [float(x) for x in np.arange(root + 0.15, tip, 0.09)]
        return [(x, middle + reach(x)) for x in out] + [(tip, middle)] + [(x, middle - reach(x)) for x in reversed(out)]

    def gap(low: float, high: float) -> list[Point2]:
        middle, size = (low + high) / 2, (high - low) / 2
        return [(root + 0.1 - size * sin(a), middle + size * cos(a)) for a in np.linspace(0.15, pi - 0.15, 9)]

    upper = half + tine(centres[0], 16.6) + gap(centres[1] + thick, centres[0] - thick) + tine(centres[1], 16.8)
    middle = [p for p in gap(-centres[1] + thick, centres[1] - thick) if p[1] > -1e-6]
    lift = follow([(0, 0.5), (4, 1.15), (9, 1.45), (11, 0.95), (13, 0.45), (15, 0.5), (16.8, 1.0)], 0.6)

    def height(x: float, y: float) -> float:
        palm = ease(x, 10.2, 12) * (1 - ease(x, 14, 16.8))
        return lift(x) + 0.22 * palm * (y / 1.3) ** 2 + channel(x, y, wide(min(x, 9.8)))

    return sheet("fork", _both_sides(upper + middle), height, step, 0.17)


def knife(step: float = 0.12) -> bpy.types.Object:
    """Blade with teeth along its lower side at x 9.5 to 17.5."""
    wide = follow([(0, 0.62), (3, 0.56), (8, 0.42), (9.3, 0.45), (10.2, 0.72), (14, 0.75), (16.4, 0.6)], 0.25)
    xs = [*np.linspace(0.0, 0.6, 14), *np.arange(0.7, 17.0, 0.1)]

    def back(x: float) -> float:
        return _handle(x, wide(x)) * (1 - 0.95 * ease(x, 14.5, 17.4))

    def edge(x: float) -> float:
        teeth = 0.07 * abs(sin(x * 7.5)) if 10.6 < x < 15.8 else 0.0
        return -_handle(x, wide(x)) * (1 - max(0.0, (x - 15.6) / 1.65) ** 3) + teeth

    outline = [(float(x), back(float(x))) for x in xs] + [(float(x), edge(float(x))) for x in reversed(xs[1:])]
    lift = follow([(0, 0.4), (5, 0.65), (10, 0.6), (17, 0.2)], 0.8)
    return sheet("knife", outline, lambda x, y: lift(x) + channel(x, y, wide(min(x, 9))), step, 0.16)


def dense(thing: bpy.types.Object) -> bpy.types.Object:
    """Fine enough to carry dirt."""
    return refine(thing, 1)
