"""The hands that reach into the slot: which pose, from which side, in which skin, sleeve and light."""

from collections.abc import Callable
from dataclasses import dataclass
from math import radians

import bpy
import numpy as np
from mathutils import Euler, Matrix

from tools.demo import stage
from tools.demo.hands import Pose, Rig, hand, skin, sleeve
from tools.demo.materials import Colour
from tools.demo.shapes import corners, mesh, move

COUNT = 48
POSES = {
    "open": Pose((4, 6, 4, 5), (4, 6, 4, 0), (5, 7, 4, -4), (6, 8, 5, -8), (0, 0, 0, 0)),
    "together": Pose((8, 10, 6, -3), (9, 11, 7, 0), (9, 12, 7, 3), (10, 12, 7, 9), (12, 8, 8, -8), jitter=2.5),
    "relaxed": Pose((18, 28, 14, 0), (22, 30, 16, 0), (26, 34, 18, 0), (28, 36, 18, 0), (8, 12, 14, 0)),
    "half": Pose((45, 50, 30, 0), (48, 52, 32, 0), (50, 54, 34, 0), (52, 54, 34, 0), (15, 15, 20, 0)),
    "fist": Pose((82, 100, 62, 0), (86, 102, 60, 0), (88, 102, 60, 0), (88, 98, 58, 4), (20, 45, 64, 22), jitter=2.5),
    "pointing": Pose((6, 10, 6, 0), (78, 98, 55, 0), (84, 100, 55, 0), (86, 98, 55, 2), (28, 40, 60, 20)),
    "reaching": Pose((28, 30, 16, 7), (26, 34, 18, 1), (30, 36, 20, -4), (34, 38, 20, -9), (24, 4, 6, 4)),
    "pinching": Pose((42, 46, 22, 0), (36, 44, 24, 0), (34, 42, 22, -3), (32, 38, 20, -6), (32, 14, 22, -4)),
    "two": Pose((6, 8, 5, 6), (6, 8, 5, -5), (80, 98, 55, 0), (84, 96, 55, 2), (32, 36, 56, 20)),
    "hanging": Pose((34, 22, 12, 3), (36, 24, 14, 0), (38, 26, 14, -2), (38, 28, 14, -5), (10, 8, 12, 0), (32, 0)),
}
# Pose, turned about the fore-arm (0: palm down, 180: palm up), how far the fingers point up: each in two versions.
VIEWS: tuple[tuple[str, float, float], ...] = (
    ("open", 0, 0),
    ("open", 180, 5),
    ("together", 10, -12),
    ("together", 170, 8),
    ("relaxed", 0, -10),
    ("relaxed", 35, 0),
    ("relaxed", 160, 10),
    ("relaxed", 85, -5),
    ("half", 5, 8),
    ("half", 70, 0),
    ("half", 175, 5),
    ("fist", 0, 18),
    ("fist", 65, 5),
    ("fist", 180, 0),
    ("pointing", 0, 5),
    ("pointing", 60, -8),
    ("pointing", 175, 5),
    ("reaching", 15, 10),
    ("reaching", 55, -5),
    ("reaching", 150, 0),
    ("pinching", 125, 5),
    ("pinching", 75, 0),
    ("two", 5, 5),
    ("hanging", 20, 20),
)
# Poses whose fingers a camera over the elbow cannot see: their second version is seen from beyond the finger tips.
FACED = {"fist", "half", "pointing", "reaching", "hanging"}
# Back of the hand and palm.
TONES: tuple[tuple[Colour, Colour], ...] = (
    ((0.68, 0.45, 0.35), (0.72, 0.45, 0.37)),
    ((0.52, 0.29, 0.18), (0.64, 0.4, 0.3)),
    ((0.17, 0.075, 0.042), (0.42, 0.235, 0.17)),
    ((0.6, 0.37, 0.26), (0.67, 0.42, 0.33)),
    ((0.3, 0.145, 0.08), (0.5, 0.29, 0.21)),
    ((0.63, 0.37, 0.29), (0.7, 0.4, 0.33)),
    ((0.08, 0.036, 0.023), (0.36, 0.2, 0.145)),
    ((0.62, 0.38, 0.23), (0.7, 0.46, 0.32)),
    ((0.4, 0.21, 0.12), (0.58, 0.35, 0.25)),
)
CLOTHS: tuple[Colour, ...] = (
    (0.05, 0.08, 0.2),
    (0.7, 0.7, 0.68),
    (0.02, 0.02, 0.022),
    (0.35, 0.03, 0.04),
    (0.2, 0.21, 0.22),
    (0.08, 0.2, 0.1),
    (0.45, 0.33, 0.2),
    (0.2, 0.4, 0.6),
)


def strip() -> None:
    """A cool LED bar right above."""
    stage.lamp((0, 12, 40), (50, 4), 19000, (0.92, 0.97, 1.0))
    surround((0.75, 0.8, 0.85), 0.45)


def window() -> None:
    """Daylight from one side, a warm room on the other."""
    stage.lamp((-60, 5, 28), (40, 40), 44000, (0.95, 0.98, 1.0))
    stage.lamp((40, -20, 40), (20, 20), 7000, (1.0, 0.84, 0.66))
    surround((0.9, 0.78, 0.66), 0.35)


def bulb() -> None:
    """A small warm lamp behind the hand: hard shadows."""
    stage.lamp((18, 30, 42), (5, 5), 18000, (1.0, 0.9, 0.76))
    surround((1.0, 0.92, 0.84), 0.3)


def surround(colour: Colour, strength: float) -> None:
    """An even light from everywhere."""
    world = bpy.data.worlds.new("room")
    world.use_nodes = True
    inputs = world.node_tree.nodes["Background"].inputs
    inputs["Color"].default_value, inputs["Strength"].default_value = (*colour, 1.0), strength
    bpy.context.scene.world = world


LIGHTS: tuple[Callable[[], None], ...] = (lambda: stage.lights(0.75), strip, window, bulb)


@dataclass(frozen=True)
class Reach:
    """One picture: everything that makes it differ from the others."""

    view: tuple[str, float, float]
    left: bool
    tone: int
    light: int
    cloth: int | None
    shown: float
    yaw: float
    elevation: float
    seed: int


def reach(number: int) -> Reach:
    """Picture ``number`` of COUNT: tones, sides and lights in turn, angles by chance (always the same)."""
    dice = np.random.default_rng(9100 + number)
    second = number % 2
    facing = second and VIEWS[number // 2][0] in FACED
    cloth = int(dice.integers(len(CLOTHS))) if number % 5 in (1, 3) else None
    return Reach(
        view=VIEWS[number // 2],
        left=bool((number // 2 + second) % 2),
        tone=(number * 4 + number // 9) % len(TONES),
        light=(number + number // 4) % len(LIGHTS),
        cloth=cloth,
        shown=float(dice.uniform(13, 21) if cloth is not None else dice.uniform(8, 19)),
        yaw=float(dice.uniform(-32, 32)),
        elevation=float(dice.uniform(74, 89) if second else dice.uniform(57, 73)) + 30 * facing,
        seed=number,
    )


def build(rig: Rig, chosen: Reach) -> None:
    """Hand, sleeve, light and camera; the arm leaves the picture through its lower edge."""
    name, turn, pitch = chosen.view
    dice = np.random.default_rng(chosen.seed)
    things = [hand(rig, POSES[name], dice, skin(*TONES[chosen.tone]))]
    if chosen.cloth is not None:
        things.append(sleeve(rig, float(dice.uniform(0.5, chosen.shown - 10)), CLOTHS[chosen.cloth], chosen.seed))
    frame = corners(things[:1])
    things.append(mesh("frame", frame[frame[:, 2] < chosen.shown], []))
    mirror = Matrix.Diagonal((-1.0 if chosen.left else 1.0, 1.0, 1.0, 1.0))
    upright = Matrix(((0, -1, 0, 0), (0, 0, -1, 0), (1, 0, 0, 0), (0, 0, 0, 1)))
    swung = Euler([radians(a) for a in (pitch + dice.normal(0, 4), turn + dice.normal(0, 6), 0)], "YXZ")
    yawed = Matrix.Rotation(radians(chosen.yaw), 4, "Z")
    move(things, yawed @ mirror @ swung.to_matrix().to_4x4() @ upright)
    if chosen.left:
        for thing in things[:-1]:
            thing.data.flip_normals()
    LIGHTS[chosen.light]()
    if chosen.elevation <= 90:
        stage.camera(things[-1:], -90, chosen.elevation, 0.98)
    else:
        stage.camera(things[-1:], 90, 180 - chosen.elevation, 0.98, 180)
    bpy.data.objects.remove(things[-1])
