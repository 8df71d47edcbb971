"""The machine's inside: tray, lamps and camera, and the exposure that becomes a JPEG."""

import tempfile
from collections.abc import Sequence
from math import cos, radians, sin
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector
from PIL import Image

from tools.demo.materials import Colour, Shader, shaded
from tools.demo.shapes import corners, dress, lathe, soften

WIDTH, HEIGHT = 960, 720
LENS, SENSOR = 45.0, 36.0


def empty_scene(samples: int, scale: int) -> None:
    """A new scene with Cycles set up for few samples and denoising."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    cycles.device, cycles.samples, cycles.seed = "CPU", samples, 7
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_prefilter, cycles.denoising_quality = "FAST", "BALANCED"
    cycles.use_adaptive_sampling, cycles.adaptive_threshold = True, 0.02
    cycles.max_bounces, cycles.diffuse_bounces, cycles.transparent_max_bounces = 8, 3, 24
    cycles.use_light_tree = False
    cycles.sample_clamp_indirect, cycles.caustics_refractive, cycles.caustics_reflective = 4.0, False, False
    render.resolution_x, render.resolution_y, render.resolution_percentage = WIDTH, HEIGHT, scale
    render.image_settings.file_format = "PNG"
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.exposure = 0.1


def tray(colour: Colour = (0.5, 0.53, 0.56), segments: int = 240) -> bpy.types.Object:
    """A shallow tray with rounded corners and a sloping rim."""
    path = [
        (0.0001, 0),
        (0.5, 0),
        (0.94, 0),
        (0.97, 0.05),
        (1, 0.7),
        (1.03, 2.6),
        (1.04, 3),
        (1.1, 3.1),
        (1.13, 2.9),
        (1.13, -3),
    ]
    rings = soften([(share * 20, z) for share, z in path], 0.25, 0.15)

    def corner(r: float, z: float, angle: float) -> float:
        # A superellipse is a rectangle with round corners.
        return r * (abs(cos(angle) / 1.1) ** 9 + abs(sin(angle) / 0.85) ** 9) ** (-1 / 9)

    floor = lathe("tray", rings, segments, corner)
    make = Shader("tray")
    tone = make.ramp(make.noise(0.35, 2.0), shaded(colour, lambda c: c * 0.94), colour)
    return dress(floor, make.finish(make.solid(tone, 0.5)))


def lamp(where: Sequence[float], size: tuple[float, float], watts: float, colour: Colour = (1, 1, 1)) -> None:
    """A soft box shining at the middle of the tray."""
    data = bpy.data.lights.new("lamp", "AREA")
    data.shape, data.size, data.size_y, data.energy, data.color = "RECTANGLE", *size, watts, colour
    thing = bpy.data.objects.new("lamp", data)
    thing.location = where
    thing.rotation_euler = (-Vector(where)).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(thing)


def lights(power: float = 1.0) -> None:
    """Two lamps under the lid, one weaker at the front, and the pale walls around."""
    lamp((-26, 14, 44), (30, 22), 26000 * power, (1.0, 0.97, 0.93))
    lamp((30, 4, 34), (8, 34), 9000 * power, (0.93, 0.97, 1.0))
    lamp((4, -40, 30), (26, 8), 5000 * power)
    walls(0.7 * power)


def walls(strength: float, dark: Colour = (0.34, 0.34, 0.35), bright: Colour = (0.9, 0.92, 0.95)) -> None:
    """Light from everywhere, in dark and bright patches, which shiny things mirror."""
    world = bpy.data.worlds.new("walls")
    world.use_nodes = True
    tree = world.node_tree
    where = tree.nodes.new("ShaderNodeTexCoord")
    patches = tree.nodes.new("ShaderNodeTexNoise")
    patches.inputs["Scale"].default_value, patches.inputs["Detail"].default_value = 1.6, 1.0
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.38, 0.62
    ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = (*dark, 1), (*bright, 1)
    tree.links.new(where.outputs["Generated"], patches.inputs["Vector"])
    tree.links.new(patches.outputs["Fac"], ramp.inputs[0])
    tree.links.new(ramp.outputs[0], tree.nodes["Background"].inputs["Color"])
    tree.nodes["Background"].inputs["Strength"].default_value = strength
    world.cycles.sampling_method = "NONE"
    bpy.context.scene.world = world


def camera(
    things: Sequence[bpy.types.Object],
    azimuth: float,
    elevation: float,
    fill: float,
    roll: float = 0.0,
    *,
    frame: tuple[int, int] = (WIDTH, HEIGHT),
) -> None:
    """Look at the objects from this direction (degrees), so near that they span ``fill`` of the frame."""
    around, up = radians(azimuth), radians(elevation)
    back = Vector((cos(around) * cos(up), sin(around) * cos(up), sin(up)))
    turn = back.to_track_quat("Z", "Y").to_matrix() @ Matrix.Rotation(radians(roll), 3, "Z")
    points = corners(things) @ np.array(turn)
    half = SENSOR / 2 / LENS * np.array(frame) / max(frame)
    middle, distance = points.mean(0), 60.0
    for _ in range(30):
        depth = distance - (points[:, 2] - middle[2])
        seen = (points[:, :2] - middle[:2]) / depth[:, None] / half
        low, high = seen.min(0), seen.max(0)
        middle[:2] += (low + high) / 2 * half * distance
        distance *= float(((high - low) / 2).max()) / fill
    data = bpy.data.cameras.new("camera")
    data.lens, data.sensor_width, data.clip_end = LENS, SENSOR, 500
    data.dof.use_dof, data.dof.focus_distance, data.dof.aperture_fstop = True, distance, 0.3
    eye = bpy.data.objects.new("camera", data)
    place = turn.to_4x4()
    place.translation = turn @ Vector(middle) + back * distance
    eye.matrix_world = place
    bpy.context.scene.collection.objects.link(eye)
    bpy.context.scene.camera = eye


def hide_all_but_tray() -> None:
    """Leave the empty tray, as the camera sees it that was placed for an item."""
    for thing in bpy.context.scene.objects:
        thing.hide_render = thing.type == "MESH" and thing.name != "tray"


def expose(target: Path, seed: int, quality: int = 88) -> None:
    """Render, add a little sensor noise and shading towards the corners, and save without any metadata."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.png"
        bpy.context.scene.render.filepath = str(raw)
        bpy.ops.render.render(write_still=True)
        with Image.open(raw) as opened:
            picture = np.asarray(opened.convert("RGB"), np.float32)
    rows, columns = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    picture *= (1 - 0.05 * (x * x + y * y))[..., None]
    picture += np.random.default_rng(seed).normal(0, 1.6, (rows, columns, 1))
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(target, quality=quality, optimize=True)
