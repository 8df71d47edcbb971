"""Meshes from numbers: surfaces of revolution, flat outlines bent in space, and moving them about. Unit: 1 cm."""

from collections.abc import Callable, Sequence
from math import cos, pi, sin

import bmesh
import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector
from mathutils.geometry import delaunay_2d_cdt

Point2 = tuple[float, float]
Radius = Callable[[float, float, float], float]


def mesh(
    name: str,
    verts: Sequence[Sequence[float]] | np.ndarray,
    faces: Sequence[Sequence[int]] | np.ndarray,
    *,
    smooth: bool = True,
) -> bpy.types.Object:
    """A new object in the scene."""
    data = bpy.data.meshes.new(name)
    data.from_pydata([tuple(map(float, v)) for v in verts], [], [tuple(map(int, f)) for f in faces])
    data.validate()
    data.shade_smooth() if smooth else data.shade_flat()
    thing = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def soften(points: Sequence[Point2], step: float = 0.05, width: float = 0.1) -> list[Point2]:
    """The polyline in steps of ``step``, its corners rounded over about ``width``; the ends stay."""
    path = np.asarray(points, float)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.linspace(0, along[-1], max(8, int(along[-1] / step)))
    fine = np.stack([np.interp(at, along, path[:, k]) for k in (0, 1)], 1)
    reach = max(1, int(3 * width / step))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    kernel /= kernel.sum()
    # Mirrored ends keep the first and the last point where they are.
    before, after = 2 * fine[0] - fine[reach:0:-1], 2 * fine[-1] - fine[-2 : -reach - 2 : -1]
    padded = np.concatenate([before, fine, after])
    return [tuple(p) for p in np.stack([np.convolve(padded[:, k], kernel, "valid") for k in (0, 1)], 1)]


def follow(points: Sequence[Point2], width: float = 0.3) -> Callable[[float], float]:
    """A soft function y(x) through about these points (x rising)."""
    xs, ys = zip(*soften(points, 0.05, width), strict=True)
    return lambda x: float(np.interp(x, xs, ys))


def lathe(name: str, profile: Sequence[Point2], segments: int = 160, radius: Radius | None = None) -> bpy.types.Object:
    """Turn a profile of (r, z) about the z axis; ``radius(r, z, angle)`` may reshape it. Upward: outward faces."""
    verts, faces = [], []
    for r, z in profile:
        for k in range(segments):
            angle = 2 * pi * k / segments
            bent = max(0.002, radius(r, z, angle) if radius else r)
            verts.append((bent * cos(angle), bent * sin(angle), z))
    for i in range(len(profile) - 1):
        for k in range(segments):
            following = (k + 1) % segments
            low, high = i * segments, (i + 1) * segments
            faces.append((low + k, low + following, high + following, high + k))
    return mesh(name, verts, faces)


def sheet(
    name: str, outline: Sequence[Point2], height: Callable[[float, float], float], step: float, thick: float
) -> bpy.types.Object:
    """A flat outline filled with a fine net, lifted to ``height(x, y)``, with a thickness and rounded edges."""
    rim = np.asarray(outline)
    low, high = rim.min(0), rim.max(0)
    inside = [Vector((x, y)) for x in np.arange(low[0], high[0], step) for y in np.arange(low[1], high[1], step)]
    points = [Vector(p) for p in outline] + inside
    border = [(k, (k + 1) % len(outline)) for k in range(len(outline))]
    verts, _, faces, *_ = delaunay_2d_cdt(points, border, [], 1, 1e-4)
    used = sorted({i for face in faces for i in face})
    index = {old: new for new, old in enumerate(used)}
    net = [(verts[i].x, verts[i].y, height(verts[i].x, verts[i].y)) for i in used]
    thing = mesh(name, net, [[index[i] for i in face] for face in faces])
    wall = thing.modifiers.new("wall", "SOLIDIFY")
    wall.thickness, wall.offset, wall.use_even_offset = thick, 0, True
    edge = thing.modifiers.new("edge", "BEVEL")
    edge.width, edge.segments, edge.limit_method, edge.angle_limit = thick * 0.3, 3, "ANGLE", 1.0
    return apply_modifiers(thing)


def apply_modifiers(thing: bpy.types.Object) -> bpy.types.Object:
    """Turn the object's modifiers into plain mesh."""
    shown = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
    data = bpy.data.meshes.new_from_object(shown)
    thing.modifiers.clear()
    thing.data = data
    data.shade_smooth()
    return thing


def refine(thing: bpy.types.Object, levels: int = 1) -> bpy.types.Object:
    """Cut every face into four, ``levels`` times, without moving anything."""
    cut = thing.modifiers.new("cut", "SUBSURF")
    cut.subdivision_type, cut.levels = "SIMPLE", levels
    return apply_modifiers(thing)


def corners(things: Sequence[bpy.types.Object]) -> np.ndarray:
    """All vertices of these objects, n x 3 (their data is kept in world coordinates)."""
    parts = []
    for thing in things:
        flat = np.empty(3 * len(thing.data.vertices))
        thing.data.vertices.foreach_get("co", flat)
        parts.append(flat.reshape(-1, 3))
    return np.concatenate(parts)


def place(things: Sequence[bpy.types.Object], turn: Sequence[float] = (0, 0, 0), *, sink: float = 0.0) -> None:
    """Turn these objects as one (degrees about x, y, z) and set them down on the tray, in the middle."""
    move(things, Euler([a * pi / 180 for a in turn]).to_matrix().to_4x4())
    points = corners(things)
    middle = (points.min(0) + points.max(0)) / 2
    move(things, Matrix.Translation((-middle[0], -middle[1], -points[:, 2].min() - sink)))


def move(things: Sequence[bpy.types.Object], matrix: Matrix) -> None:
    for thing in things:
        thing.data.transform(matrix)
        thing.data.update()


def displace(thing: bpy.types.Object, by: Callable[[Vector, Vector], Vector]) -> bpy.types.Object:
    """Move every vertex by ``by(position, normal)``."""
    moved = [v.co + by(v.co, v.normal) for v in thing.data.vertices]
    thing.data.vertices.foreach_set("co", np.asarray(moved).ravel())
    thing.data.update()
    return thing


def below(thing: bpy.types.Object, level: float, name: str, shrink: float = 0.03) -> bpy.types.Object:
    """What fills a hollow object up to the height ``level``: its inside, cut off flat."""
    data = thing.data.copy()
    body = bmesh.new()
    body.from_mesh(data)
    inward = [(v, v.co - v.normal * shrink) for v in body.verts]
    for vert, co in inward:
        vert.co = co
    everything = body.verts[:] + body.edges[:] + body.faces[:]
    bmesh.ops.bisect_plane(body, geom=everything, plane_co=(0, 0, level), plane_no=(0, 0, 1), clear_outer=True)
    bmesh.ops.holes_fill(body, edges=body.edges[:], sides=0)
    bmesh.ops.recalc_face_normals(body, faces=body.faces[:])
    for face in body.faces:
        face.smooth = abs(face.normal.z) < 0.99
    body.to_mesh(data)
    body.free()
    fill = bpy.data.objects.new(name, data)
    data.materials.clear()
    bpy.context.scene.collection.objects.link(fill)
    return fill


def dress(thing: bpy.types.Object, material: bpy.types.Material) -> bpy.types.Object:
    thing.data.materials.clear()
    thing.data.materials.append(material)
    return thing
