"""What a random scene shows, drawn from its number alone. Needs no Blender.

Of every BLOCK scenes in a row half show plastic, as many of each waste type, a third of them dirty; the other half
show foreign objects, which have no cleanliness.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Cleanliness = Literal["clean", "dirty", ""]
Colour = tuple[float, float, float]
Dice = np.random.Generator

SEED = 2026
BLOCK = 18
PLASTIC: dict[str, tuple[str, ...]] = {
    "bottle": ("soda_bottle", "water_bottle", "flask", "jug"),
    "cup": ("tumbler", "ribbed_cup", "printed_cup"),
    "cutlery": ("fork", "spoon", "knife"),
}
"""Plastic items by waste type."""
FOREIGN: dict[str, str] = {
    "can": "metal",
    "tin": "metal",
    "foil": "metal",
    "metal_cutlery": "metal",
    "glass_bottle": "glass",
    "jar": "glass",
    "drinking_glass": "glass",
    "wine_glass": "glass",
    "paper_cup": "paper",
    "paper_ball": "paper",
    "sheet": "paper",
    "napkin": "paper",
    "box": "cardboard",
    "card": "cardboard",
    "tube": "cardboard",
    "mug": "ceramic",
    "wooden_cutlery": "wood",
}
"""Foreign items with their material."""
GROUNDS: dict[str, int] = {
    "machine": 6,
    "whitetray": 2,
    "greytray": 2,
    "blacktray": 2,
    "bluetray": 2,
    "beigetray": 2,
    "steel": 2,
    "plain": 4,
    "wood": 4,
    "stone": 2,
    "terrazzo": 1,
    "tablecloth": 1,
    "napkin": 1,
    "concrete": 2,
    "carpet": 1,
    "grass": 1,
    "sand": 1,
    "asphalt": 1,
}
"""Grounds with their weight."""
FRAMES = ((256, 192), (256, 192), (192, 256), (224, 224))
"""Sizes of pictures in pixels, equally likely."""

_HOLLOW = (*PLASTIC["bottle"], *PLASTIC["cup"])
_UPRIGHT = (*_HOLLOW, "can", "tin", "glass_bottle", "jar", "drinking_glass", "wine_glass", "paper_cup", "mug", "tube")
_SOFT = (*_HOLLOW, "can", "paper_cup", "tube")
_OPEN = (*PLASTIC["cup"], "drinking_glass", "wine_glass", "paper_cup", "mug")


@dataclass(frozen=True)
class Lamp:
    """A square lamp: place and side in cm, share of all the light, colour."""

    place: tuple[float, float, float]
    side: float
    share: float
    colour: Colour


@dataclass(frozen=True)
class View:
    """Where the camera stands (degrees), how much of the frame the item spans, and how far off its middle it lies."""

    azimuth: float
    elevation: float
    roll: float
    fill: float
    shift: tuple[float, float]
    frame: tuple[int, int]


@dataclass(frozen=True)
class Scene:
    """One picture. ``cleanliness`` is empty for foreign objects, which may hold ``residue`` nevertheless."""

    number: int
    waste_type: str
    cleanliness: Cleanliness
    item: str
    material: str
    residue: bool
    crush: float
    """How crushed or bent the item is, from 0 to 1."""
    stand: Literal["up", "down", "lying"]
    turn: tuple[float, float]
    """About its own axis and about the vertical, in degrees."""
    ground: str
    lamps: tuple[Lamp, ...]
    light: float
    """How bright the lamps are altogether."""
    surround: tuple[Colour, float]
    """Colour and strength of the light from everywhere."""
    hand: bool
    view: View

    @property
    def name(self) -> str:
        """The file name of the picture, without its ending."""
        return f"{self.number:06d}-{self.item.replace('_', '-')}"

    def dice(self) -> Dice:
        """Random numbers for the details of the scene, always the same ones."""
        return np.random.default_rng((SEED, self.number, 1))


def scene(number: int) -> Scene:
    """The scene of this number, from 0."""
    waste_type, cleanliness = _labels(number)
    dice = np.random.default_rng((SEED, number))
    if waste_type == "negative":
        item = str(dice.choice(list(FOREIGN)))
        material, residue = FOREIGN[item], bool(dice.random() < 0.25)
    else:
        item = str(dice.choice(PLASTIC[waste_type]))
        material, residue = "plastic", cleanliness == "dirty"
    ground = str(dice.choice(list(GROUNDS), p=np.array(list(GROUNDS.values())) / sum(GROUNDS.values())))
    crush = float(dice.uniform(0.25, 1)) if item in _SOFT and dice.random() < 0.45 else 0.0
    return Scene(
        number,
        waste_type,
        cleanliness,
        item,
        material,
        residue,
        crush,
        _stand(item, crush, dice),
        (float(dice.uniform(0, 360)), float(dice.uniform(0, 360))),
        ground,
        _lamps(dice),
        float(dice.uniform(0.75, 1.3)),
        (_warmth(dice), float(dice.uniform(0.1, 0.6))),
        bool(dice.random() < 0.12),
        _view(ground, dice),
    )


def _labels(number: int) -> tuple[str, Cleanliness]:
    """Waste type and cleanliness, in the same proportions in every block."""
    block, place = divmod(number, BLOCK)
    each = BLOCK // 2 // len(PLASTIC)
    labels: list[tuple[str, Cleanliness]] = [("negative", "")] * (BLOCK // 2)
    for waste_type in PLASTIC:
        labels += [(waste_type, "clean") for _ in range(each - each // 3)]
        labels += [(waste_type, "dirty") for _ in range(each // 3)]
    order = np.random.default_rng((SEED, block, 2)).permutation(BLOCK)
    return labels[int(order[place])]


def _stand(item: str, crush: float, dice: Dice) -> Literal["up", "down", "lying"]:
    if item not in _UPRIGHT:
        return "up"
    draw = dice.random()
    if draw < (0.75 if crush > 0.4 else 0.45):
        return "lying"
    return "down" if item in _OPEN and draw > 0.92 else "up"


def _warmth(dice: Dice) -> Colour:
    """Between the light of a bulb and that of a clouded sky."""
    cold = float(dice.normal(0, 0.5))
    return (min(1.0, 1 - 0.16 * cold), 0.96, min(1.0, 1 + 0.3 * cold) if cold < 0 else 1.0)


def _lamps(dice: Dice) -> tuple[Lamp, ...]:
    count = int(dice.integers(1, 4))
    shares = dice.dirichlet([1.5] * count)
    lamps = []
    for share in shares:
        around, up, far = dice.uniform(0, 2 * np.pi), np.radians(dice.uniform(28, 85)), dice.uniform(45, 75)
        place = far * np.array([np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up)])
        side = float(np.exp(dice.uniform(np.log(4), np.log(45))))
        lamps.append(Lamp((float(place[0]), float(place[1]), float(place[2])), side, float(share), _warmth(dice)))
    return tuple(lamps)


def _view(ground: str, dice: Dice) -> View:
    above = dice.random() < 0.3
    elevation = float(dice.uniform(80, 90) if above else dice.uniform(18, 75))
    azimuth, roll = float(dice.uniform(0, 360)), float(dice.normal(0, 5))
    if ground == "machine":
        # Its walls leave one side open.
        azimuth, elevation = float(dice.uniform(-115, -65)), max(elevation, 32.0)
    fill = float(dice.uniform(0.42, 0.95))
    free = 0.85 * (1 - fill)
    shift = (float(dice.uniform(-free, free)), float(dice.uniform(-free, free)))
    return View(azimuth, elevation, roll, fill, shift, FRAMES[int(dice.integers(len(FRAMES)))])
