"""A hand from a rigged model: bent at its joints, with a fore-arm, a sleeve, skin and nails. Unit: 1 cm.

At rest the model's fingers point to -z, the back of the (right) hand to +x, the thumb to +y.
"""

from dataclasses import dataclass, field
from math import radians
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from tools.demo.dirt import cloud
from tools.demo.materials import Colour, Shader, shaded
from tools.demo.shapes import apply_modifiers, dress, mesh

FINGERS = ("index-finger", "middle-finger", "ring-finger", "pinky-finger")
PHALANXES = ("phalanx-proximal", "phalanx-intermediate", "phalanx-distal")
THUMB = ("thumb-metacarpal", "thumb-phalanx-proximal", "thumb-phalanx-distal")
ARM = 30.0
PALM_LINES = (
    ((3.4, -1.6), (2.2, -0.9), (0.6, 0.6), (-0.1, 2.6), (0.2, 4.2)),
    ((3.4, -1.5), (1.4, -0.9), (-0.8, -0.3), (-2.6, 0.6)),
    ((0.6, -3.3), (-0.6, -2.5), (-2.2, -1.9), (-4.0, -1.5)),
)


@dataclass(frozen=True)
class Rig:
    """The model at rest: a mesh, how much each joint pulls each vertex, and the joints' places and axes."""

    verts: np.ndarray
    faces: list[tuple[int, ...]]
    weights: np.ndarray
    names: list[str]
    heads: np.ndarray
    axes: np.ndarray


@dataclass(frozen=True)
class Pose:
    """Angles in degrees: per finger bending at knuckle, middle and last joint and turning sideways."""

    index: tuple[float, float, float, float] = (8, 12, 8, 0)
    middle: tuple[float, float, float, float] = (10, 14, 9, 0)
    ring: tuple[float, float, float, float] = (12, 16, 10, 0)
    pinky: tuple[float, float, float, float] = (12, 18, 10, 0)
    thumb: tuple[float, float, float, float] = (0, 5, 8, 0)
    wrist: tuple[float, float] = (0, 0)
    jitter: float = field(default=4.0)


def load(model: Path) -> Rig:
    """Read the GLB, join the vertices that its texture seams had split, and lengthen the wrist to a fore-arm."""
    before = set(bpy.data.objects)
    bpy.ops.import_scene.gltf(filepath=str(model))
    new = [thing for thing in bpy.data.objects if thing not in before]
    body = next(thing for thing in new if thing.type == "MESH" and thing.vertex_groups)
    bones = next(thing for thing in new if thing.type == "ARMATURE").data.bones
    names = [group.name for group in body.vertex_groups]
    every = np.array([vert.co for vert in body.data.vertices]) * 100
    _, first, joined = np.unique(every.round(3), axis=0, return_index=True, return_inverse=True)
    weights = np.zeros((len(first), len(names) + 1))
    for row, old in enumerate(first):
        for group in body.data.vertices[int(old)].groups:
            weights[row, group.group] = group.weight
    weights /= weights.sum(1, keepdims=True)
    triangles = [tuple(int(joined.ravel()[i]) for i in face.vertices) for face in body.data.polygons]
    heads = np.array([bones[name].head_local for name in names]) * 100
    axes = np.array([bones[name].matrix_local.to_3x3() for name in names])
    for thing in new:
        bpy.data.objects.remove(thing)
    rig = Rig(every[first], [t for t in triangles if len(set(t)) == 3], weights, names, heads, axes)
    return _with_arm(rig)


def _with_arm(rig: Rig) -> Rig:
    """Take the flat end off the wrist and draw its rim out into a fore-arm that stays when the wrist bends."""
    verts, weights, wrist = rig.verts, rig.weights.copy(), rig.names.index("wrist")
    faces = [face for face in rig.faces if not _is_end(verts[list(face)])]
    rim = _rim(faces)
    share = np.clip((verts[:, 2] - 3.5) / 3.5, 0, 1) * weights[:, wrist]
    weights[:, wrist] -= share
    weights[:, -1] += share
    edge = verts[rim]
    middle = edge.mean(0)
    offset = edge - middle
    angle = np.arctan2(offset[:, 1] / 2.8, offset[:, 0] / 2.1)
    last, rings = list(rim), [verts]
    for far in np.linspace(0.8, ARM, 24):
        blend = min(1.0, far / 5)
        swell = 1 + 0.42 * np.sin(min(1.0, far / 24) * np.pi / 2) ** 1.6
        oval = np.stack([2.0 * swell * np.cos(angle), 2.75 * swell**0.85 * np.sin(angle)], 1)
        ring = edge.copy()
        ring[:, :2] = middle[:2] + (1 - blend) * offset[:, :2] + blend * oval
        ring[:, 2] += far
        first = sum(map(len, rings))
        rings.append(ring)
        following = list(range(first, first + len(ring)))
        count = len(ring)
        faces += [(last[k], last[(k + 1) % count], following[(k + 1) % count], following[k]) for k in range(count)]
        last = following
    more = np.zeros((24 * len(rim), weights.shape[1]))
    more[:, -1] = 1
    names = [*rig.names, "forearm"]
    heads = np.vstack([rig.heads, rig.heads[wrist]])
    axes = np.concatenate([rig.axes, rig.axes[[wrist]]])
    return Rig(np.concatenate(rings), faces, np.vstack([weights, more]), names, heads, axes)


def _is_end(corners: np.ndarray) -> bool:
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    return bool(corners[:, 2].min() > 5.5 and normal[2] > 0.75 * np.linalg.norm(normal))


def _rim(faces: list[tuple[int, ...]]) -> list[int]:
    """The open edge, vertex after vertex, against the direction of its faces."""
    edges = {(face[k], face[(k + 1) % len(face)]) for face in faces for k in range(len(face))}
    onward = {b: a for a, b in edges if (b, a) not in edges}
    rim = [next(iter(onward))]
    while onward[rim[-1]] != rim[0]:
        rim.append(onward[rim[-1]])
    return rim


def _turn(centre: np.ndarray, axis: np.ndarray, degrees: float) -> np.ndarray:
    """The 4x4 rotation about an axis through ``centre``."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = radians(degrees)
    whole = np.eye(4)
    whole[:3, :3] = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    whole[:3, 3] = centre - whole[:3, :3] @ centre
    return whole


def bend(rig: Rig, pose: Pose, dice: np.random.Generator) -> np.ndarray:
    """Where the vertices go in this pose, every joint a little off by chance."""
    moves = {"forearm": np.eye(4)}

    def joint(name: str, parent: str, flex: float = 0.0, side: float = 0.0, twist: float = 0.0) -> None:
        at = rig.names.index(name)
        flex, side = dice.normal((flex, side), (pose.jitter, pose.jitter * 0.25))
        move = moves[parent]
        for column, degrees in ((1, side), (0, -flex), (2, twist)):
            move = move @ _turn(rig.heads[at], rig.axes[at][:, column], degrees)
        moves[name] = move

    joint("wrist", "forearm", *pose.wrist)
    for finger, angles in zip(FINGERS, (pose.index, pose.middle, pose.ring, pose.pinky), strict=True):
        moves[f"{finger}-metacarpal"] = moves["wrist"]
        parent = f"{finger}-metacarpal"
        for phalanx, flex, side in zip(PHALANXES, angles[:3], (angles[3], 0, 0), strict=True):
            joint(f"{finger}-{phalanx}", parent, flex, side)
            parent = f"{finger}-{phalanx}"
        moves[f"{finger}-tip"] = moves[parent]
    joint(THUMB[0], "wrist", pose.thumb[0], pose.thumb[3], -pose.thumb[0] * 0.6)
    joint(THUMB[1], THUMB[0], pose.thumb[1])
    joint(THUMB[2], THUMB[1], pose.thumb[2])
    moves["thumb-tip"] = moves[THUMB[2]]
    verts = _knuckles(rig, pose)
    matrices = np.array([moves[name] for name in rig.names])
    whole = np.einsum("vj,jab->vab", rig.weights, matrices)
    return np.einsum("vab,vb->va", whole, np.c_[verts, np.ones(len(verts))])[:, :3]


def _knuckles(rig: Rig, pose: Pose) -> np.ndarray:
    """The resting vertices with the bones standing out where fingers bend, which plain skinning flattens."""
    verts = rig.verts.copy()
    for finger, angles in zip(FINGERS, (pose.index, pose.middle, pose.ring, pose.pinky), strict=True):
        for phalanx, angle, size in ((0, angles[0], 0.75), (1, angles[1], 0.6)):
            at = rig.names.index(f"{finger}-{PHALANXES[phalanx]}")
            up = rig.axes[at][:, 1]
            local = rig.verts - rig.heads[at]
            near = np.exp(-((np.linalg.norm(local - up * 0.5, axis=1) / size) ** 2)) * (local @ up > 0)
            verts += np.outer(near * (0.1 + 0.5 * max(0.0, angle) / 90), up)
    return verts


def hand(
    rig: Rig, pose: Pose, dice: np.random.Generator, skin: bpy.types.Material, levels: int = 2
) -> bpy.types.Object:
    """The posed hand as a smooth mesh that carries what the skin needs to know."""
    thing = mesh("hand", bend(rig, pose, dice), rig.faces)
    rest = mesh("rest", rig.verts, rig.faces)
    normals = np.array([vert.normal for vert in rest.data.vertices])
    bpy.data.objects.remove(rest)
    thing.data.attributes.new("rest", "FLOAT_VECTOR", "POINT").data.foreach_set("vector", rig.verts.ravel())
    thing.data.attributes.new("facing", "FLOAT", "POINT").data.foreach_set("value", normals[:, 0].copy())
    smooth = thing.modifiers.new("smooth", "SUBSURF")
    smooth.levels = levels
    apply_modifiers(thing)
    count = len(thing.data.vertices)
    at, back = np.empty(3 * count), np.empty(count)
    thing.data.attributes["rest"].data.foreach_get("vector", at)
    thing.data.attributes["facing"].data.foreach_get("value", back)
    for name, values in _marks(rig, at.reshape(-1, 3), back).items():
        layer = thing.data.attributes.new(name, "FLOAT", "POINT")
        layer.data.foreach_set("value", np.clip(values, 0, 1).astype(np.float32))
    return dress(thing, skin)


def _marks(rig: Rig, at: np.ndarray, back: np.ndarray) -> dict[str, np.ndarray]:
    """Palm, nails, redder knuckles and creases, 0 to 1 for every vertex at rest."""
    nail, red, crease = np.zeros(len(at)), np.zeros(len(at)), np.zeros(len(at))
    for number, name in enumerate(rig.names):
        local = (at - rig.heads[number]) @ rig.axes[number]
        near = np.exp(-((np.linalg.norm(local, axis=1) / 1.4) ** 2))
        if name.endswith("tip"):
            wide = 0.56 if "pinky" not in name else 0.44
            round_ = (local[:, 0] / wide) ** 4 + ((local[:, 2] + 0.25) / 0.72) ** 4
            nail = np.maximum(nail, np.clip(local[:, 1] * 6 - 0.2, 0, 1) * np.clip((1.15 - round_) * 4, 0, 1))
            red = np.maximum(red, 0.5 * near)
        elif "phalanx" in name:
            red = np.maximum(red, 0.9 * near * (back > 0))
            for shift in (-0.28, 0.0, 0.3) if "proximal" not in name else (0.0,):
                line = np.exp(-(((local[:, 2] - shift) / 0.09) ** 2)) * (near > 0.25)
                crease = np.maximum(crease, line * np.where(back > 0, 0.0 if "proximal" in name else 0.5, 0.7))
    palm = np.clip(0.5 - back * 1.4, 0, 1) * np.clip((9 - at[:, 2]) / 3, 0, 1)
    for line in PALM_LINES:
        points = np.array(line)
        fine = np.stack([np.interp(np.linspace(0, len(line) - 1, 60), range(len(line)), points[:, k]) for k in (0, 1)])
        far = np.hypot(at[:, 1, None] - fine[0], at[:, 2, None] - fine[1]).min(1)
        crease = np.maximum(crease, np.exp(-((far / 0.08) ** 2)) * palm * 0.6)
    return {"palm": palm, "nail": nail, "red": red, "crease": crease * (1 - nail)}


def skin(tone: Colour, palm: Colour) -> bpy.types.Material:
    """Skin of this colour with a paler palm, mottled, with creases, pores and shiny nails."""
    make = Shader("skin")
    flush = (min(1.0, tone[0] * 1.02), tone[1] * 0.72, tone[2] * 0.68)
    nails = tuple(0.55 * t + 0.45 * p for t, p in zip(tone, (0.86, 0.6, 0.52), strict=True))
    mottled = make.ramp(
        make.noise(0.8, 6.0), shaded(tone, lambda c: c * 0.92), shaded(tone, lambda c: min(1, c * 1.05))
    )
    colour = mottled
    layers = (("palm", palm, 0.9), ("red", flush, 0.75), ("nail", nails, 0.9))
    for name, over, most in layers:
        share = make.math("MULTIPLY", make.attribute(name), most)
        colour = make.add("Mix", {0: share, 6: colour, 7: over}, data_type="RGBA").outputs[2]
    dark = make.math("MULTIPLY", make.attribute("crease"), 0.3)
    colour = make.add("Mix", {0: dark, 6: colour, 7: tuple(c * 0.3 for c in flush)}, data_type="RGBA").outputs[2]
    relief = make.math("SUBTRACT", make.math("MULTIPLY", make.noise(2.2, 8.0), 0.6), make.attribute("crease"))
    normal = make.bump(relief, 0.35, 0.1)
    rough = make.math("SUBTRACT", 0.52, make.math("MULTIPLY", make.attribute("nail"), 0.25))
    soft = {"Subsurface_Weight": 0.18, "Subsurface_Radius": (0.5, 0.2, 0.12), "Subsurface_Scale": 1.0}
    return make.finish(make.solid(colour, rough, Normal=normal, **soft))


def sleeve(rig: Rig, start: float, colour: Colour, seed: float) -> bpy.types.Object:
    """A plain sleeve around the fore-arm from ``start`` cm behind the wrist on, with a hem and loose folds."""
    arm = rig.verts[rig.weights[:, -1] > 0.999]
    middle = arm[arm[:, 2] > 12].mean(0)
    verts, faces, around = [], [], 64
    steps = np.concatenate([[0.0, 0.15, 0.9, 1.1], np.linspace(1.4, ARM - start, 60)])
    for far in steps:
        z = 7.5 + start + far
        loose = 0.55 + 0.18 * (0.15 <= far <= 0.9) + 0.035 * far
        for k in range(around):
            angle = 2 * np.pi * k / around
            grow = 1 + 0.4 * np.sin(min(1.0, (start + far) / 24) * np.pi / 2) ** 1.6
            unit = Vector((np.cos(angle), np.sin(angle), z * 0.14))
            fold = cloud(unit, 1.6, seed) * 0.5 * min(1.0, far / 2) + 0.12 * cloud(unit, 4.0, seed)
            wide = loose + fold
            verts.append(
                (
                    middle[0] + (2.1 * grow + wide) * unit.x,
                    middle[1] + (2.85 * grow + wide) * unit.y,
                    z + 0.15 * unit.x,
                )
            )
    for i in range(len(steps) - 1):
        for k in range(around):
            a, b, n = i * around, (i + 1) * around, (k + 1) % around
            faces.append((a + k, a + n, b + n, b + k))
    thing = mesh("sleeve", verts, faces)
    wall = thing.modifiers.new("wall", "SOLIDIFY")
    wall.thickness, wall.offset = 0.18, 1
    make = Shader("cloth")
    weave = make.noise(9.0, 6.0)
    tone = make.ramp(make.noise(0.8, 4.0), shaded(colour, lambda c: c * 0.85), colour)
    cloth = make.finish(make.solid(tone, 0.95, Normal=make.bump(weave, 0.35, 0.08), Sheen_Weight=0.2))
    return dress(apply_modifiers(thing), cloth)
