"""Build a planned scene in Blender, cheaply, and render it."""

from math import log2, radians
from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler, Matrix

from tools.demo import grounds, hand_poses, stage
from tools.demo.hands import Rig, hand, skin, sleeve
from tools.demo.shapes import corners, move, place
from tools.views import plastic_items, residue
from tools.views.foreign_items import BUILDERS
from tools.views.look import colour
from tools.views.plan import PLASTIC, Dice, Scene

BUILD = {
    **BUILDERS,
    **dict.fromkeys(PLASTIC["bottle"], plastic_items.bottle),
    **dict.fromkeys(PLASTIC["cup"], plastic_items.cup),
    **dict.fromkeys(PLASTIC["cutlery"], plastic_items.cutlery),
}
BRIGHTNESS = 15.0
"""Watts per square centimetre of distance of all lamps together, for ``light`` 1."""


def empty(shown: Scene, samples: int) -> None:
    """An empty scene with one thread, few rays and short paths."""
    stage.empty_scene(samples, 100)
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.resolution_x, render.resolution_y = shown.view.frame
    render.threads_mode, render.threads = "FIXED", 1
    render.image_settings.compression = 0
    cycles.use_adaptive_sampling = False
    cycles.denoising_quality = "FAST"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 18, 2, 2
    cycles.transmission_bounces, cycles.transparent_max_bounces = 16, 16
    scene.view_settings.exposure = 0.0


def ground(shown: Scene, dice: Dice) -> None:
    """What the item lies on."""
    if shown.ground == "plain":
        tone, rough = colour(dice, 0.45), float(dice.uniform(0.3, 0.9))
        grounds.flat(lambda make: make.solid(tone, rough), dice)
    elif shown.ground == "grass":
        grounds.lawn(dice, 0, count=9000, tall=2.2, reach=30)
    elif shown.ground in grounds.TRAYS:
        grounds.tray(grounds.TRAYS[shown.ground], dice, sizes=(0.9, 1.5), shift_by=3.0, segments=72)
    elif shown.ground == "machine":
        grounds.machine(dice, 0, segments=72)
    else:
        grounds.KINDS[shown.ground][0](dice, int(dice.integers(12)))


def lights(shown: Scene) -> None:
    """The planned lamps, dimmer where the machine has its own, and light from everywhere."""
    bright = BRIGHTNESS * shown.light * (0.4 if shown.ground == "machine" else 1.0)
    for lamp in shown.lamps:
        # What arrives falls with the square of the distance.
        watts = bright * lamp.share * sum(x * x for x in lamp.place)
        stage.lamp(lamp.place, (lamp.side, lamp.side), watts, lamp.colour)
    tone, strength = shown.surround
    stage.walls(strength, grounds.scaled(tone, 0.15), tone)


def coarsen() -> None:
    """Leave out of all textures what is finer than a pixel of about 1 mm: noise of many octaves costs half the time."""
    for material in bpy.data.materials:
        for node in material.node_tree.nodes:
            if node.bl_idname == "ShaderNodeTexNoise":
                detail, scale = node.inputs["Detail"], node.inputs["Scale"].default_value
                detail.default_value = min(detail.default_value, max(0.0, log2(4 / scale)))


def put_down(things: residue.Things, shown: Scene, dice: Dice) -> None:
    """Turn the item about its axis, stand it, turn it over or lay it down, and turn it on the ground."""
    axis, yaw = shown.turn
    move(things, Matrix.Rotation(radians(axis), 4, "Z"))
    lean = 0.0
    if shown.stand == "lying":
        lean = 90 + float(dice.uniform(0, 7) if "cup" in shown.item or shown.item == "tumbler" else dice.normal(0, 2))
    elif shown.stand == "down":
        lean = 180.0
    move(things, Matrix.Rotation(radians(lean), 4, "X"))
    place(things, (0, 0, yaw))


def reach(rig: Rig, shown: Scene, dice: Dice, item: np.ndarray) -> None:
    """A hand that has just let go of the item, or is about to take it, from one side of the camera."""
    name = str(dice.choice(["relaxed", "reaching", "pinching", "open", "half", "pointing"]))
    tone = hand_poses.TONES[int(dice.integers(len(hand_poses.TONES)))]
    parts = [hand(rig, hand_poses.POSES[name], dice, skin(*tone), 1)]
    if dice.random() < 0.5:
        parts.append(sleeve(rig, float(dice.uniform(0.5, 8)), colour(dice, 0.2), float(dice.uniform(0, 50))))
    left = dice.random() < 0.5
    mirror = Matrix.Diagonal((-1.0 if left else 1.0, 1.0, 1.0, 1.0))
    upright = Matrix(((0, -1, 0, 0), (0, 0, -1, 0), (1, 0, 0, 0), (0, 0, 0, 1)))
    swung = Euler([radians(a) for a in (dice.uniform(-25, -5), dice.normal(0, 25), 0)], "YXZ").to_matrix().to_4x4()
    move(parts, mirror @ swung @ upright)
    if left:
        for part in parts:
            part.data.flip_normals()
    points = corners(parts[:1])
    wide = float(np.hypot(item[:, 0], item[:, 1]).max())
    tip = points[points[:, 1].argmax()]
    near = points[points[:, 1] > tip[1] - 12]
    rise = float(dice.uniform(0.2, 4)) - near[:, 2].min() + float(dice.uniform(0, 0.6)) * float(item[:, 2].max())
    move(parts, Matrix.Translation((-tip[0], -tip[1] - wide * float(dice.uniform(0.1, 0.9)), rise)))
    side = float(dice.uniform(25, 130)) * (1 if dice.random() < 0.5 else -1)
    move(parts, Matrix.Rotation(radians(shown.view.azimuth + 90 + side), 4, "Z"))


def build(shown: Scene, samples: int, rig: Rig | None) -> int:
    """Build the scene; returns the seed for the noise of the sensor."""
    dice = shown.dice()
    empty(shown, samples)
    food = residue.draw(dice) if shown.residue else None
    things = BUILD[shown.item](shown, dice, food)
    put_down(things, shown, dice)
    item = corners(things)
    if food:
        if shown.item in PLASTIC["bottle"] and not food.is_soil and dice.random() < 0.6:
            plastic_items.drink(things, dice, food)
        if dice.random() < 0.4:
            residue.spilt(dice, food)
    view = shown.view
    stage.camera(things, view.azimuth, view.elevation, view.fill, view.roll, frame=view.frame)
    lens = bpy.context.scene.camera.data
    lens.shift_x, lens.shift_y = (
        share / 2 * side / max(view.frame) for share, side in zip(view.shift, view.frame, strict=True)
    )
    if shown.hand and rig:
        reach(rig, shown, dice, item)
    ground(shown, dice)
    lights(shown)
    coarsen()
    return shown.number


def render(shown: Scene, target: Path, samples: int, rig: Rig | None) -> None:
    """Build the scene and save it as a JPEG."""
    seed = build(shown, samples, rig)
    stage.expose(target, seed)
