"""Dirt: where it sits (masks over position and normal), painted on as a stain or laid on as a thick coat."""

from collections.abc import Callable
from math import atan2, exp, hypot, pi, sin
from typing import Any

import bpy
import numpy as np
from mathutils import Vector, noise

from tools.demo.shapes import dress, mesh

Mask = Callable[[Vector, Vector], float]


def cloud(co: Vector, scale: float, seed: float, octaves: int = 4) -> float:
    """Noise of about -1 to 1, the same for the same seed."""
    return noise.fractal(co * scale + Vector((seed * 17.3, seed * 5.1, seed * 11.7)), 0.9, 2.0, octaves)


def ease(x: float, low: float, high: float) -> float:
    """0 below ``low``, 1 above ``high``, soft between."""
    t = min(1.0, max(0.0, (x - low) / (high - low)))
    return t * t * (3 - 2 * t)


def drips(seed: int, top: float, count: int, length: float, width: float) -> Callable[[Vector], float]:
    """Runs down a standing wall from the height ``top``, a bead at its end: 1 in the middle, 0 at the edge."""
    dice = np.random.default_rng(seed)
    runs = [
        (dice.uniform(-pi, pi), length * dice.uniform(0.25, 1), width * dice.uniform(0.6, 1.3)) for _ in range(count)
    ]

    def where(co: Vector) -> float:
        angle, around, best = atan2(co.y, co.x), hypot(co.x, co.y), -1.0
        for number, (middle, reach, wide) in enumerate(runs):
            turn = angle - middle - 0.03 * sin(co.z * 1.3 + number)
            across = abs((turn + pi) % (2 * pi) - pi) * around
            past = max(0.0, top - reach - co.z, (co.z - top) * 2)
            bead = 1 + 0.5 * exp(-(((co.z - top + reach - 0.1) / 0.35) ** 2))
            best = max(best, 1 - hypot(across, past) / (wide * bead))
        return best

    return where


def paint(thing: bpy.types.Object, where: Mask, name: str = "dirt") -> bpy.types.Object:
    """Store ``where`` (0 clean, 1 covered) on the mesh for a material to read."""
    values = np.array([where(v.co, v.normal) for v in thing.data.vertices], np.float32)
    layer = thing.data.attributes.new(name, "FLOAT", "POINT")
    layer.data.foreach_set("value", np.clip(values, 0, 1))
    return thing


def tint(
    thing: bpy.types.Object, colour: Callable[[Vector], tuple[float, float, float]], name: str = "print"
) -> bpy.types.Object:
    """Store a colour for every vertex."""
    values = np.array([(*colour(v.co), 1.0) for v in thing.data.vertices], np.float32)
    layer = thing.data.attributes.new(name, "FLOAT_COLOR", "POINT")
    layer.data.foreach_set("color", values.ravel())
    return thing


def coat(
    thing: bpy.types.Object,
    where: Mask,
    thick: float,
    material: bpy.types.Material,
    side: float = 1.0,
    *,
    trim: bool = False,
) -> bpy.types.Object:
    """A layer as thick as ``thick`` where the mask is 1, running out into the surface where it falls below 0.

    With ``trim`` its edge is drawn back to where the mask is 0, as on clear walls the part below the surface shows.
    """
    data = thing.data
    values = [where(v.co, v.normal) for v in data.vertices]
    verts: list[Any] = []
    faces: list[Any] = []
    index: dict[int, int] = {}
    for polygon in data.polygons:
        if max(values[i] for i in polygon.vertices) <= 0:
            continue
        for i in polygon.vertices:
            if i not in index:
                index[i] = len(verts)
                vert, value = data.vertices[i], values[i]
                rise = thick * ease(value, 0, 1) ** 0.5 if value > 0 else -0.015
                verts.append(vert.co + vert.normal * side * rise)
        faces.append([index[i] for i in polygon.vertices])
    if trim:
        verts = _drawn_back(verts, faces, {new: values[old] for old, new in index.items()})
    return dress(mesh("coat", verts, faces), material)


def _drawn_back(verts: list[Vector], faces: list[list[int]], values: dict[int, float]) -> list[Vector]:
    """The vertices with a value below 0 moved along their edges to where it is 0."""
    moved: dict[int, list[Vector]] = {}
    for face in faces:
        for k, here in enumerate(face):
            for there in (face[k - 1], face[(k + 1) % len(face)]):
                if values[here] <= 0 < values[there]:
                    share = values[here] / (values[here] - values[there])
                    moved.setdefault(here, []).append(verts[here].lerp(verts[there], share))
    return [sum(moved[k], Vector()) / len(moved[k]) if k in moved else vert for k, vert in enumerate(verts)]


def drops(
    spots: list[tuple[float, float, float]], material: bpy.types.Material, flat: float = 0.35, *, coarse: float = 1.0
) -> bpy.types.Object:
    """Spilt drops on the tray: (x, y, radius) each; faces ``coarse`` times as long and wide."""
    verts: list[Vector] = []
    faces: list[list[int]] = []
    for number, (x, y, radius) in enumerate(spots):
        first = len(verts)
        rings, around = round(14 / coarse), round(64 / coarse)
        for i in range(rings + 1):
            share = i / rings
            for k in range(around):
                angle = 2 * np.pi * k / around
                out = share * radius * (1 + 0.25 * noise.noise(Vector((np.cos(angle), np.sin(angle), number * 7.7))))
                verts.append(
                    Vector(
                        (
                            x + out * np.cos(angle),
                            y + out * np.sin(angle),
                            radius * flat * (1 - share**2) ** 0.8 - 0.005,
                        )
                    )
                )
        for i in range(rings):
            for k in range(around):
                a, b = first + i * around, first + (i + 1) * around
                faces.append([a + k, b + k, b + (k + 1) % around, a + (k + 1) % around])
    return dress(mesh("drops", verts, faces), material)


def spatter(
    seed: int,
    at: tuple[float, float],
    count: int,
    reach: float,
    material: bpy.types.Material,
    *,
    flat: float = 0.2,
    coarse: float = 1.0,
) -> bpy.types.Object:
    """What fell off around the spot ``at``: a few large drops, many small ones."""
    dice = np.random.default_rng(seed)
    places = dice.normal(at, reach, (count, 2))
    sizes = np.clip(dice.lognormal(-1.9, 0.7, count), 0.05, 0.8)
    spots = [(float(x), float(y), float(r)) for (x, y), r in zip(places, sizes, strict=True)]
    return drops(spots, material, flat, coarse=coarse)
