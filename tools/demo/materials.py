"""Materials as small node trees: plastics, glass, metal, paper, liquids. Nothing is read from a file."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import bpy

Colour = tuple[float, float, float]
Socket: TypeAlias = bpy.types.NodeSocket


def shaded(colour: Colour, change: Callable[[float], float]) -> Colour:
    """The colour with each of its channels changed."""
    red, green, blue = colour
    return change(red), change(green), change(blue)


class Shader:
    """A material under construction; every method returns the socket that the next one takes."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()

    def add(self, kind: str, inputs: Mapping[Any, Any] | None = None, **settings: Any) -> bpy.types.Node:
        """A node with these inputs (values or sockets) and settings."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for name, value in settings.items():
            setattr(node, name, value)
        for key, value in (inputs or {}).items():
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, node.inputs[key])
            else:
                node.inputs[key].default_value = (*value, 1.0) if _is_colour(node.inputs[key], value) else value
        return node

    def math(self, operation: str, a: Socket | float, b: Socket | float = 0.0, *, clamp: bool = False) -> Socket:
        """One sum of two values."""
        return self.add("Math", {0: a, 1: b}, operation=operation, use_clamp=clamp).outputs[0]

    def attribute(self, name: str) -> Socket:
        """A number that the mesh carries."""
        return self.add("Attribute", attribute_name=name).outputs["Fac"]

    def colours(self, name: str) -> Socket:
        """Colours that the mesh carries."""
        return self.add("Attribute", attribute_name=name).outputs["Color"]

    def noise(self, scale: float, detail: float = 4.0, stretch: Colour = (1, 1, 1)) -> Socket:
        """Cloudy values about 0.5, ``scale`` to the centimetre."""
        where = self.add("TexCoord").outputs["Object"]
        where = self.add("VectorMath", {0: where, 1: stretch}, operation="MULTIPLY").outputs[0]
        return self.add("TexNoise", {"Vector": where, "Scale": scale, "Detail": detail}).outputs["Fac"]

    def ramp(self, fac: Socket, a: Colour, b: Colour, low: float = 0.3, high: float = 0.7) -> Socket:
        """From colour ``a`` to ``b`` while ``fac`` goes from low to high."""
        t = self.add("MapRange", {"Value": fac, "From Min": low, "From Max": high}).outputs[0]
        return self.add("Mix", {0: t, 6: a, 7: b}, data_type="RGBA").outputs[2]

    def bump(self, height: Socket, strength: float, distance: float = 0.1) -> Socket:
        """A normal bent by this relief."""
        return self.add("Bump", {"Height": height, "Strength": strength, "Distance": distance}).outputs[0]

    def mix(self, fac: Socket | float, a: Socket, b: Socket) -> Socket:
        """``a`` where ``fac`` is 0, ``b`` where it is 1."""
        return self.add("MixShader", {0: fac, 1: a, 2: b}).outputs[0]

    def solid(self, colour: Colour | Socket, rough: float = 0.4, **inputs: Any) -> Socket:
        """Principled BSDF; keyword arguments name its inputs with underscores for spaces."""
        named = {key.replace("_", " "): value for key, value in inputs.items()}
        return self.add("BsdfPrincipled", {"Base Color": colour, "Roughness": rough, **named}).outputs[0]

    def film(self, tint: Colour, edge: Colour, rough: float, shine: float, normal: Socket | None = None) -> Socket:
        """A thin clear wall: it bends no light, mirrors at a glance and looks deeper in colour towards its edges."""
        bent: dict[str | int, Any] = {"Normal": normal} if normal else {}
        facing = self.add("LayerWeight", {"Blend": 0.5, **bent}).outputs["Facing"]
        deep = self.math("POWER", facing, 3.0)
        through = self.add("Mix", {0: deep, 6: tint, 7: edge}, data_type="RGBA").outputs[2]
        mirror = self.math("MULTIPLY_ADD", self.math("POWER", facing, 4.0), 7 * shine, clamp=True)
        mirror.node.inputs[2].default_value = shine
        clear = self.add("BsdfTransparent", {"Color": through}).outputs[0]
        gloss = self.add("BsdfGlossy", {"Color": (1, 1, 1), "Roughness": rough, **bent}).outputs[0]
        return self.mix(mirror, clear, gloss)

    def milk(self, colour: Colour | Socket, rough: float = 0.4) -> Socket:
        """A thin wall that scatters light to both sides."""
        back = self.add("BsdfTranslucent", {"Color": colour}).outputs[0]
        return self.mix(0.3, self.solid(colour, rough), back)

    def finish(self, surface: Socket) -> bpy.types.Material:
        """The material with this surface."""
        self.add("OutputMaterial", {"Surface": surface})
        return self.material


def _is_colour(socket: Socket, value: Any) -> bool:
    return socket.type == "RGBA" and len(value) == 3


def pet(
    tint: Colour = (0.96, 0.985, 0.99), edge: Colour = (0.3, 0.38, 0.42), dirt: Colour | None = None
) -> bpy.types.Material:
    """Clear bottle plastic; with ``dirt`` the attribute "dirt" says how much of the wall is covered by it."""
    make = Shader("pet")
    wavy = make.bump(make.noise(0.9, 2.0), 0.25, 0.25)
    clear = make.film(tint, edge, 0.03, 0.075, wavy)
    if dirt is None:
        return make.finish(clear)
    speckled = make.ramp(make.noise(3.0), shaded(dirt, lambda c: c * 0.6), dirt)
    return make.finish(make.mix(make.attribute("dirt"), clear, make.milk(speckled, 0.7)))


def tumbler(colour: Colour = (0.93, 0.95, 0.96), haze: float = 0.1, dirt: Colour | None = None) -> bpy.types.Material:
    """Cup plastic from clear (haze 0) over frosted (0.5) to opaque (1)."""
    make = Shader("tumbler")
    clear = make.film(shaded(colour, lambda c: 0.5 + c / 2), shaded(colour, lambda c: c * 0.55), 0.06, 0.035)
    wall = make.mix(haze, clear, make.milk(colour, 0.3))
    if dirt is None:
        return make.finish(wall)
    speckled = make.ramp(make.noise(2.0), shaded(dirt, lambda c: c * 0.5), dirt)
    return make.finish(make.mix(make.attribute("dirt"), wall, make.milk(speckled, 0.5)))


def plastic(colour: Colour = (0.76, 0.76, 0.74), rough: float = 0.28, dirt: Colour | None = None) -> bpy.types.Material:
    """White or coloured polystyrene, a little translucent."""
    make = Shader("plastic")
    soft = {"Subsurface_Weight": 0.35, "Subsurface_Radius": (0.25, 0.22, 0.2), "Subsurface_Scale": 1.0}
    wall = make.solid(colour, rough, **soft)
    if dirt is None:
        return make.finish(wall)
    speckled = make.ramp(make.noise(2.5), shaded(dirt, lambda c: c * 0.6), dirt)
    return make.finish(make.mix(make.attribute("dirt"), wall, make.solid(speckled, 0.45)))


def sauce(colour: Colour, deep: Colour, rough: float = 0.16) -> bpy.types.Material:
    """Wet food: lumpy, with lighter and deeper places."""
    make = Shader("sauce")
    lumps = make.noise(4.0, 6.0)
    tone = make.ramp(make.noise(1.4), deep, colour)
    bent = make.bump(lumps, 0.5, 0.05)
    soft = {"Subsurface_Weight": 0.2, "Subsurface_Radius": (0.2, 0.08, 0.04), "Subsurface_Scale": 1.0}
    return make.finish(make.solid(tone, rough, Normal=bent, **soft))


def soil(colour: Colour = (0.17, 0.1, 0.055)) -> bpy.types.Material:
    make = Shader("soil")
    grain = make.noise(9.0, 8.0)
    tone = make.ramp(grain, shaded(colour, lambda c: c * 0.45), shaded(colour, lambda c: min(1, c * 1.5)))
    return make.finish(make.solid(tone, 0.85, Normal=make.bump(grain, 1.0, 0.2)))


def liquid(colour: Colour, deep: Colour) -> bpy.types.Material:
    """A cloudy drink, wet on top."""
    make = Shader("liquid")
    facing = make.add("LayerWeight", {"Blend": 0.4}).outputs["Facing"]
    tone = make.ramp(
        make.math("ADD", make.math("MULTIPLY", make.noise(0.8), 0.6), make.math("MULTIPLY", facing, 0.4)), deep, colour
    )
    return make.finish(make.solid(tone, 0.06, Coat_Weight=0.5))


def glass(colour: Colour, depth: float = 1.0) -> bpy.types.Material:
    """Real glass with walls: refracts, and colours light by the way it goes inside."""
    make = Shader("glass")
    surface = make.add("BsdfRefraction", {"Color": (1, 1, 1), "Roughness": 0.0, "IOR": 1.5}).outputs[0]
    mirror = make.add("BsdfGlossy", {"Color": (1, 1, 1), "Roughness": 0.01}).outputs[0]
    fresnel = make.add("Fresnel", {"IOR": 1.5}).outputs[0]
    body = make.mix(fresnel, surface, mirror)
    # Light reaches the tray through the glass without caustics, which few samples cannot resolve.
    shadow = make.add("LightPath").outputs["Is Shadow Ray"]
    passing = make.add("BsdfTransparent", {"Color": tuple(0.35 + 0.6 * c for c in colour)}).outputs[0]
    volume = make.add("VolumeAbsorption", {"Color": colour, "Density": depth}).outputs[0]
    make.add("OutputMaterial", {"Surface": make.mix(shadow, body, passing), "Volume": volume})
    return make.material


def metal(colour: Colour = (0.86, 0.87, 0.88), rough: float = 0.22) -> bpy.types.Material:
    make = Shader("metal")
    brushed = make.bump(make.noise(6.0, 6.0, (1, 1, 12)), 0.06, 0.05)
    return make.finish(make.solid(colour, rough, Metallic=1.0, Normal=brushed))


def painted(attribute: str, rough: float = 0.3, metallic: float = 0.0, bump: float = 0.0) -> bpy.types.Material:
    """Print: the colours come from the mesh."""
    make = Shader("print")
    extra = {"Normal": make.bump(make.noise(5.0, 6.0), bump, 0.1)} if bump else {}
    return make.finish(make.solid(make.colours(attribute), rough, Metallic=metallic, **extra))


def paper(attribute: str) -> bpy.types.Material:
    make = Shader("paper")
    back = make.add("BsdfTranslucent", {"Color": make.colours(attribute)}).outputs[0]
    return make.finish(
        make.mix(0.15, make.solid(make.colours(attribute), 0.8, Normal=make.bump(make.noise(12.0), 0.08, 0.05)), back)
    )


def kraft(colour: Colour = (0.42, 0.27, 0.15)) -> bpy.types.Material:
    """Brown corrugated cardboard: fibres, and the flutes showing faintly through the liner."""
    make = Shader("kraft")
    fibre = make.noise(2.5, 10.0, (1, 1, 3))
    tone = make.ramp(fibre, shaded(colour, lambda c: c * 0.82), shaded(colour, lambda c: c * 1.12))
    where = make.add("TexCoord").outputs["Object"]
    flutes = make.add("TexWave", {"Vector": where, "Scale": 0.45, "Distortion": 0.4}, bands_direction="X").outputs[
        "Fac"
    ]
    return make.finish(make.solid(tone, 0.85, Normal=make.bump(flutes, 0.1, 0.05)))
