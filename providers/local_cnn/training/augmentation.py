"""Augmentation: random views of a training photo, turned, moved, relit, on another ground, soiled.

The ground reveals the label of many photos (clean items are cut out on white, dirty ones lie outdoors, negatives lie on
one grey table). Therefore every item that can be cut out is laid on other grounds, in all classes alike.
"""

import math
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from providers.base import Pixels
from providers.local_cnn.training.cutout import Cutout, cut_out
from providers.local_cnn.training.scenes import Scenery
from providers.local_cnn.training.stains import Colours, Shares, soiled

KEPT_SIDE = 320
"""Longer side in pixels of the stored copy of a photo."""
_MOST_COVERED = 0.4
"""Largest share of a view that a hand may cover, so that the item remains visible."""


@dataclass(frozen=True)
class Outline:
    """A :class:`Cutout` with a compressed mask."""

    png: bytes
    ground: NDArray[np.float32]
    divisible: bool

    @property
    def cutout(self) -> Cutout:
        """Decode the outline, if there is one; not cached."""
        return Cutout(Image.open(BytesIO(self.png)).convert("L"), self.ground, self.divisible)


@dataclass(frozen=True)
class Subject:
    """A compressed training photo, and the outline of its item if it could be found."""

    jpeg: bytes
    outline: Outline | None
    fill: tuple[int, int, int]
    """Median colour of the photo's border."""

    @property
    def picture(self) -> Image.Image:
        """Decode the photo: RGB, at most KEPT_SIDE pixels long; not cached."""
        return opened(self.jpeg)

    @property
    def cutout(self) -> Cutout | None:
        """Decode the outline, if there is one; not cached."""
        return self.outline.cutout if self.outline else None


@dataclass(frozen=True)
class _Frame:
    """The position of the view in the photo: the affine matrix of ``Image.transform``."""

    matrix: tuple[float, ...]
    reduction: int


def kept(picture: Image.Image) -> bytes:
    """Return a JPEG of at most KEPT_SIDE pixels to keep in memory, some 30 KB instead of 200 KB of pixels."""
    small = picture.convert("RGB")
    small.thumbnail((KEPT_SIDE, KEPT_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return _compressed(small, "JPEG", quality=95, subsampling=0)


def opened(jpeg: bytes) -> Image.Image:
    """Decode a photo compressed by :func:`kept`."""
    return Image.open(BytesIO(jpeg)).convert("RGB")


def subject(jpeg: bytes) -> Subject:
    """Find the outline of a kept photo, for all of its views. Raises ProviderMisconfigured if OpenCV is missing."""
    picture = opened(jpeg)
    found = cut_out(picture)
    outline = Outline(_compressed(found.alpha, "PNG"), found.ground, found.divisible) if found else None
    return Subject(jpeg, outline, border_colour(picture))


def uncut(jpeg: bytes) -> Subject:
    """Return a kept photo without an outline, to be shown only as it is."""
    return Subject(jpeg, None, (0, 0, 0))


def view(
    seen: Subject,
    side: int,
    scenery: Scenery,
    rng: Generator,
    *,
    other_ground: float,
    held: float = 0.0,
    stained: bool = False,
) -> Pixels:
    """Return a random view: (side, side, 3).

    ``other_ground`` is the probability of another ground for an item that was cut out, ``held`` that of a hand
    beside or on it; ``stained`` soils it if it was cut out.
    """
    original, cutout = seen.picture, seen.cutout
    frame = _frame(original.size, cutout, side, rng)
    picture = _relit(_taken(original, frame, side, seen.fill), rng)
    pixels: Colours = np.asarray(picture, np.float32)
    if cutout:
        alpha = _shares(_taken(cutout.alpha, frame, side, 0))
        if stained:
            pixels = soiled(pixels, alpha, rng)
        if rng.random() < other_ground:
            pixels = laid_on(pixels, alpha, cutout, scenery.ground(side, rng), rng)
    if rng.random() < held and (hand := scenery.hand(rng)):
        pixels = _held(pixels, hand, rng)
    return photographed(_recoloured(pixels, rng), rng)


def empty(side: int, scenery: Scenery, rng: Generator) -> Pixels:
    """Return an empty slot, or one with only a hand: (side, side, 3)."""
    ground = scenery.slot(side, rng)
    if rng.random() < 0.5 and (hand := scenery.hand(rng)):
        ground = _with_hand(ground, hand, rng)
    return photographed(ground, rng)


def laid_on(pixels: Colours, alpha: Shares, cutout: Cutout, ground: Colours, rng: Generator) -> Colours:
    """Lay the item in ``alpha`` on another ``ground``; all arrays have the same size.

    Clear items show their ground: if the old one can be divided out, half of the views do so.
    """
    shadow = _blurred(alpha, rng.uniform(2, 8), tuple(rng.integers(-6, 7, 2)))
    shaded = ground * (1 - rng.uniform(0, 0.5) * shadow[..., None])
    item = pixels
    if cutout.divisible:
        # A white cup would disappear without some of its own colour.
        clear = rng.uniform(0.4, 1.0) if rng.random() < 0.5 else 0.0
        # The old ground often shows near the outline, which would reveal the source of the item.
        through = 1 - (1 - clear) * _core(alpha)[..., None]
        item = pixels * (1 - through) + through * np.minimum(pixels / cutout.ground, 1.05) * shaded
    laid: Colours = (shaded + alpha[..., None] * (item - shaded)).astype(np.float32)
    return laid


def border_colour(picture: Image.Image) -> tuple[int, int, int]:
    """Return the median colour of the outermost twentieth of ``picture`` on all sides."""
    small = np.asarray(picture.resize((40, 40), Image.Resampling.BOX))
    border = np.concatenate([small[:2].reshape(-1, 3), small[-2:].reshape(-1, 3), small[:, 0], small[:, -1]])
    red, green, blue = (int(channel) for channel in np.median(border, axis=0))
    return red, green, blue


def photographed(pixels: Colours, rng: Generator) -> Pixels:
    """Simulate a cheap camera in a dark canteen: a colour cast, dimness, noise, JPEG blocks."""
    pixels = pixels * rng.normal(1, 0.04, 3).astype(np.float32)
    if rng.random() < 0.2:
        pixels = pixels * rng.uniform(0.4, 0.85)
    if rng.random() < 0.3:
        pixels = pixels + rng.normal(0, rng.uniform(1, 14), pixels.shape).astype(np.float32)
    finished = np.clip(pixels, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        jpeg = BytesIO()
        Image.fromarray(finished).save(jpeg, "JPEG", quality=int(rng.integers(25, 92)))
        finished = np.asarray(Image.open(jpeg).convert("RGB"))
    return finished


def _frame(size: tuple[int, int], cutout: Cutout | None, side: int, rng: Generator) -> _Frame:
    """Combine turn, zoom, stretch, shift and mirror, so that pixels are interpolated once."""
    width, height = size
    turned = rng.random() < 0.7
    angle = rng.uniform(0, 2 * math.pi) if turned else rng.normal(0, 0.08)
    # A turned tall item needs a square frame; an upright one keeps the machine's stretch.
    frame = (max(width, height),) * 2 if turned else (width, height)
    centre, zoom = np.array([width, height]) * (0.5 + rng.normal(0, 0.05, 2)), math.exp(rng.uniform(-0.35, 0.25))
    if cutout and rng.random() < 0.5 and (box := cutout.alpha.getbbox()):
        # Random size, as the size of an item in the photo reveals the photo's source.
        left, top, right, bottom = box
        share = max((right - left) / frame[0], (bottom - top) / frame[1])
        zoom = share / rng.uniform(0.35, 1.1)
        centre = np.array([left + right, top + bottom]) / 2 + rng.normal(0, 0.06, 2) * zoom * np.array(frame)
    stretch = math.exp(rng.normal(0, 0.1))
    per_x = frame[0] / side * zoom * stretch * rng.choice([-1, 1])
    per_y = frame[1] / side * zoom / stretch
    reduction = max(1, round(min(abs(per_x), per_y) / 1.3))
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = np.array([[cos * per_x, -sin * per_y], [sin * per_x, cos * per_y]])
    offset = centre - matrix @ np.array([side / 2, side / 2])
    affine = np.column_stack([matrix, offset]).ravel() / reduction
    return _Frame(tuple(float(number) for number in affine), reduction)


def _taken(picture: Image.Image, frame: _Frame, side: int, fill: int | tuple[int, int, int]) -> Image.Image:
    source = picture.reduce(frame.reduction) if frame.reduction > 1 else picture
    return source.transform(
        (side, side), Image.Transform.AFFINE, frame.matrix, Image.Resampling.BILINEAR, fillcolor=fill
    )


def _relit(picture: Image.Image, rng: Generator) -> Image.Image:
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = enhancer(picture).enhance(float(rng.uniform(0.75, 1.25)))
    if rng.random() < 0.25:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 2.0))))
    return picture


def _recoloured(pixels: Colours, rng: Generator) -> Colours:
    """Change colours as between cameras or prints: paler, more colourful, tinted, flatter."""
    coloured: NDArray[np.floating] = pixels
    if rng.random() < 0.5:
        grey = coloured.mean(axis=2, keepdims=True)
        coloured = grey + (coloured - grey) * rng.uniform(0.2, 1.6)
    if rng.random() < 0.4:
        coloured = coloured * rng.normal(1, 0.12, 3)
    if rng.random() < 0.3:
        coloured = 255 * (np.clip(coloured, 0, 255) / 255) ** math.exp(rng.uniform(-0.5, 0.5))
    return coloured.astype(np.float32)


def _held(pixels: Colours, hand: Image.Image, rng: Generator) -> Colours:
    """Add a hand to ``pixels``, unless it would cover too much of them."""
    held = _with_hand(pixels, hand, rng)
    covered = np.abs(held - pixels).mean(axis=2) > 20
    return held if covered.mean() < _MOST_COVERED else pixels


def _with_hand(ground: Colours, hand: Image.Image, rng: Generator) -> Colours:
    """Add ``hand``, reaching in from any side in any size."""
    side = len(ground)
    size = rng.uniform(0.5, 1.2) * side / max(hand.size)
    scaled = hand.resize((max(1, round(hand.width * size)), max(1, round(hand.height * size))))
    turned = scaled.rotate(float(rng.uniform(0, 360)), Image.Resampling.BILINEAR, expand=True)
    layer = Image.new("RGBA", (side, side))
    at = rng.uniform(-0.25, 0.75, 2) * side if size > 0.8 * side / max(hand.size) else rng.uniform(-0.1, 0.5, 2) * side
    layer.paste(turned, (int(at[0]), int(at[1])))
    alpha = _shares(layer.getchannel("A"))
    shaded = ground * (1 - 0.3 * _blurred(alpha, 6)[..., None])
    colours = np.asarray(layer.convert("RGB"), np.float32) * rng.uniform(0.7, 1.15)
    return (shaded + alpha[..., None] * (colours - shaded)).astype(np.float32)


def _compressed(picture: Image.Image, kind: str, **options: int) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _core(alpha: Shares) -> Shares:
    """Return the area well inside the outline."""
    core: Shares = np.clip((_blurred(alpha, len(alpha) / 64) - 0.6) * 2.5, 0, 1).astype(np.float32)
    return core


def _blurred(alpha: Shares, radius: float, shift: tuple[int, ...] = (0, 0)) -> Shares:
    blurred = _image(alpha).filter(ImageFilter.GaussianBlur(float(radius)))
    # Cropping beyond an edge adds zeros, while rolling would bring in the other side.
    left, top = map(int, shift)
    return _shares(blurred.crop((left, top, left + blurred.width, top + blurred.height)))


def _image(alpha: Shares) -> Image.Image:
    return Image.fromarray((alpha * 255).astype(np.uint8))


def _shares(alpha: Image.Image) -> Shares:
    return (np.asarray(alpha) / 255).astype(np.float32)
