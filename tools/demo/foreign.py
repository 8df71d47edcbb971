"""What people put in by mistake: a can, a glass bottle, a jar, paper, a box."""

from collections.abc import Sequence
from math import cos, pi, radians, sin

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector, noise

from tools.demo.dirt import tint
from tools.demo.materials import Colour, glass, kraft, metal, painted, paper, plastic
from tools.demo.shapes import apply_modifiers, dress, lathe, mesh, move, soften

GREEN = (0.18, 0.42, 0.12)
BROWN = (0.55, 0.22, 0.04)


def can(
    colour: Colour = (0.55, 0.02, 0.03), accent: Colour = (0.9, 0.9, 0.88), *, coarse: float = 1.0
) -> list[bpy.types.Object]:
    """A 33 cl drink can: printed body, bare ends, tab and a dark opening; faces ``coarse`` times as long and wide."""
    body = [(2.6, 0.15), (2.72, 0.35), (3.28, 1.1), (3.3, 1.4), (3.3, 10.2), (3.2, 10.6), (2.72, 11.45)]
    wall = lathe("can", soften(body, 0.05 * coarse, 0.12), round(360 / coarse))

    def shade(co: Vector) -> Colour:
        if co.z < 0.9 or co.z > 11.0:
            return (0.8, 0.8, 0.8)
        angle = np.arctan2(co.y, co.x)
        sweep = co.z - 5.6 - 1.6 * sin(angle * 1.0 + 0.4)
        return accent if abs(sweep) < 0.55 or 0.95 < sweep < 1.15 else colour

    dress(tint(wall, shade), painted("print", 0.25, 0.75))
    lid = [
        (2.72, 11.4),
        (2.75, 11.6),
        (2.66, 11.68),
        (2.55, 11.6),
        (2.45, 11.15),
        (2.3, 11.1),
        (2.25, 11.28),
        (0.01, 11.3),
    ]
    foot = [(0.01, 0.9), (1.5, 0.7), (2.3, 0.1), (2.5, 0.05), (2.65, 0.2)]
    bare = metal()
    ends = [dress(lathe("end", soften(p, 0.04 * coarse, 0.04), round(200 / coarse)), bare) for p in (lid, foot)]
    mouth = disc("mouth", 0.95, 0.7, (1.15, 0, 11.315))
    rim = ring("score", 1.02, 0.77, 0.05, (1.15, 0, 11.32))
    tab = [
        ring("tab", 0.62, 0.45, 0.09, (-0.55, 0, 11.48)),
        ring("tab", 0.5, 0.42, 0.12, (0.18, 0, 11.46)),
        disc("rivet", 0.26, 0.26, (0, 0, 11.52)),
    ]
    dress(mouth, plastic((0.01, 0.01, 0.01), 0.6))
    return [wall, *ends, mouth, *(dress(part, bare) for part in [rim, *tab])]


def disc(name: str, a: float, b: float, at: tuple[float, float, float]) -> bpy.types.Object:
    verts = [(at[0] + a * cos(2 * pi * k / 48), at[1] + b * sin(2 * pi * k / 48), at[2]) for k in range(48)]
    return mesh(name, verts, [tuple(range(48))])


def ring(name: str, a: float, b: float, thick: float, at: tuple[float, float, float]) -> bpy.types.Object:
    """A flattened torus with half axes a and b."""
    verts, faces = [], []
    for k in range(64):
        u = 2 * pi * k / 64
        for j in range(12):
            v = 2 * pi * j / 12
            verts.append(
                (at[0] + (a + thick * cos(v)) * cos(u), at[1] + (b + thick * cos(v)) * sin(u), at[2] + thick * sin(v))
            )
            n = (k + 1) % 64
            faces.append((k * 12 + j, n * 12 + j, n * 12 + (j + 1) % 12, k * 12 + (j + 1) % 12))
    return mesh(name, verts, faces)


def hollow(outer: list[tuple[float, float]], wall: float) -> list[tuple[float, float]]:
    """A closed profile: up the outside, over the lip, down the inside, which stands ``wall`` further in."""
    inner = [(max(0.01, r - wall), z + (wall * 1.6 if r < 2.4 and z < 1.5 else 0)) for r, z in reversed(outer)]
    return outer + inner


def glass_bottle(
    colour: Colour, depth: float = 6.0, paper_label: Colour | None = (0.8, 0.76, 0.62), *, coarse: float = 1.0
) -> list[bpy.types.Object]:
    """A beer bottle with thick walls and a paper label."""
    outer = [(0.01, 0.5), (1.8, 0.3), (2.7, 0.0), (3.0, 0.3), (3.05, 1.0), (3.05, 12.2), (2.8, 13.8), (1.9, 15.8),
             (1.45, 17.6), (1.32, 21.2), (1.3, 21.5),
             (1.5, 21.55), (1.5, 22.1), (1.36, 22.2), (1.36, 22.9), (1.2, 23.0)]  # fmt: skip
    wall = lathe("glass", soften(hollow(outer, 0.3), 0.07 * coarse, 0.1), round(160 / coarse))
    things = [dress(wall, glass(colour, depth))]
    if paper_label:
        rows = [(3.09, 3.6 + 0.06 * coarse * k) for k in range(round(110 / coarse) + 1)]
        band = lathe("label", rows, round(360 / coarse))

        def shade(co: Vector) -> Colour:
            angle, z = np.arctan2(co.y, co.x), (co.z - 3.6) / 6.6
            if z < 0.05 or z > 0.95 or 0.09 < z < 0.11 or 0.89 < z < 0.91:
                return (0.25, 0.16, 0.05)
            oval = ((angle % pi - pi / 2) / 0.75) ** 2 + ((z - 0.52) / 0.3) ** 2
            return (0.3, 0.03, 0.03) if oval < 0.8 or 0.95 < oval < 1.1 else paper_label

        things.append(dress(tint(band, shade), painted("print", 0.6, bump=0.1)))
    return things


def jar(lid: Colour | None = (0.75, 0.55, 0.15), *, coarse: float = 1.0) -> list[bpy.types.Object]:
    """A jam jar of clear glass, with or without its metal lid."""
    outer = [
        (0.01, 0.35),
        (2.6, 0.25),
        (3.3, 0.0),
        (3.75, 0.4),
        (3.8, 1.2),
        (3.8, 8.4),
        (3.6, 9.3),
        (3.05, 9.9),
        (3.0, 10.1),
        (3.12, 10.3),
        (3.0, 10.5),
        (3.12, 10.9),
        (3.0, 11.3),
    ]
    wall = lathe("jar", soften(hollow(outer, 0.26), 0.06 * coarse, 0.08), round(180 / coarse))
    things = [dress(wall, glass((0.86, 0.95, 0.91), 0.35))]
    if lid:
        profile = soften(
            [(3.3, 10.0), (3.4, 10.1), (3.35, 11.3), (3.2, 11.5), (2.9, 11.4), (0.01, 11.35)], 0.05 * coarse, 0.05
        )
        top = lathe("lid", profile, round(240 / coarse), lambda r, z, a: r + 0.04 * cos(60 * a) * (r > 3.2 and z < 11))
        things.append(dress(top, metal(lid, 0.25)))
    return things


def crease(points: np.ndarray, seed: int, lengths: Sequence[float], sharp: float, lift: float = 1.0) -> np.ndarray:
    """Fold the points once for every length: a zigzag across a random direction, so flat facets with sharp edges."""
    dice = np.random.default_rng(seed)
    moved = points.copy()
    for length in lengths:
        normal, shift = dice.normal(size=(2, 3))
        shift[2] *= lift
        place = moved @ (normal / np.linalg.norm(normal)) / length + dice.uniform()
        moved += np.abs(place - np.round(place))[:, None] * 2 * length * sharp * shift / np.linalg.norm(shift)
    return moved


def crumpled_sheet(
    seed: int = 3,
    wide: float = 21.0,
    tall: float = 15.0,
    *,
    coarse: float = 1.0,
    colour: Colour = (0.86, 0.85, 0.82),
    lines: bool = True,
) -> list[bpy.types.Object]:
    """A page that was crumpled and opened again, with grey lines like print on it."""
    n, m = round(260 / coarse), round(190 / coarse)
    u, v = np.meshgrid(np.linspace(-0.5, 0.5, n), np.linspace(-0.5, 0.5, m), indexing="ij")
    flat = np.stack([u.ravel() * wide, v.ravel() * tall, np.zeros(n * m)], 1)
    bent = crease(flat, seed, (9, 7, 6, 5, 4, 4, 3, 3, 2.5, 2, 2, 1.6, 1.3), 0.1, 6.0)
    curl = np.hypot(u.ravel(), v.ravel())
    bent[:, 2] += 6 * curl**3
    faces = [
        (i * m + j, (i + 1) * m + j, (i + 1) * m + j + 1, i * m + j + 1) for i in range(n - 1) for j in range(m - 1)
    ]
    page = mesh("page", bent, faces, smooth=False)
    dice = np.random.default_rng(seed)
    ends = dice.uniform(0.3, 0.42, 60)

    def ink(index: int) -> Colour:
        x, y = u.ravel()[index], v.ravel()[index]
        row = int((y + 0.5) * 24)
        inked = -0.42 < x < ends[row] and 2 < row < 22 and row % 7 and abs(((y + 0.5) * 24) % 1 - 0.5) < 0.22
        word = noise.noise(Vector((x * 60, row * 5.3, 0))) > -0.25
        return (0.25, 0.25, 0.27) if lines and inked and word else colour

    values = np.array([(*ink(k), 1.0) for k in range(n * m)], np.float32)
    page.data.attributes.new("print", "FLOAT_COLOR", "POINT").data.foreach_set("color", values.ravel())
    return [dress(page, paper("print"))]


def paper_ball(seed: int = 5, radius: float = 5.0, *, subdivisions: int = 7) -> list[bpy.types.Object]:
    """A page crushed into a wad."""
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=subdivisions, radius=radius)
    ball = bpy.context.object
    flat = np.array([v.co for v in ball.data.vertices])
    bent = crease(
        flat, seed, [radius * k for k in (1.3, 1.2, 1.1, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25)], 0.2
    )
    ball.data.vertices.foreach_set("co", bent.ravel())
    ball.data.shade_flat()
    page = [
        (0.3, 0.3, 0.32) if abs((y * 2.2) % 1 - 0.5) < 0.16 and y % 3 > 0.6 and abs(x) < 3 else (0.86, 0.85, 0.82)
        for x, y, _ in flat
    ]
    shades = iter(page)
    tint(ball, lambda co: next(shades))
    return [dress(ball, paper("print"))]


def board(name: str, wide: float, tall: float, material: bpy.types.Material, at: Matrix) -> bpy.types.Object:
    """One panel of cardboard, hinged at its lower edge (y = 0), warped a little."""
    n, m = 24, 18
    verts = [
        (wide * (i / n - 0.5), tall * j / m, 0.12 * noise.noise(Vector((i * 0.2, j * 0.2, wide + at[0][3]))))
        for i in range(n + 1)
        for j in range(m + 1)
    ]
    faces = [
        (i * (m + 1) + j, (i + 1) * (m + 1) + j, (i + 1) * (m + 1) + j + 1, i * (m + 1) + j + 1)
        for i in range(n)
        for j in range(m)
    ]
    panel = mesh(name, verts, faces)
    wall = panel.modifiers.new("wall", "SOLIDIFY")
    wall.thickness, wall.offset = 0.32, 0
    apply_modifiers(panel)
    panel.data.shade_flat()
    move([panel], at)
    return dress(panel, material)


def box(wide: float = 15.0, deep: float = 11.0, tall: float = 7.0) -> list[bpy.types.Object]:
    """An open cardboard box, its four flaps bent outwards."""
    brown, things = kraft(), []
    things.append(board("floor", wide, deep, brown, Matrix.Translation((0, -deep / 2, 0.16))))
    sides = [(0, deep / 2, wide, 35), (90, wide / 2, deep, 60), (180, deep / 2, wide, 52), (270, wide / 2, deep, 22)]
    for turn, off, length, flap in sides:
        around = Euler((0, 0, radians(turn))).to_matrix().to_4x4()
        upright = around @ Matrix.Translation((0, -off, 0.16)) @ Matrix.Rotation(radians(90), 4, "X")
        things.append(board("side", length, tall, brown, upright))
        hinge = around @ Matrix.Translation((0, -off, tall)) @ Matrix.Rotation(radians(180 + flap), 4, "X")
        things.append(
            board("flap", length - 0.5, 5.2 if length == wide else 4.6, brown, hinge @ Matrix.Diagonal((1, 1, -1, 1)))
        )
    return things
