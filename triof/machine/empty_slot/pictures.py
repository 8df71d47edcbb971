"""Reduced pictures of the slot, as arrays: (channels, height, width), 0 to 255."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Values = NDArray[np.float32]
SIDE = 192
"""Longer side in pixels at which pictures are compared."""
BORDER = 0.1
"""Width of the border, relative to the shorter side."""
TOLERANCE = 7.0
"""Difference in grey levels that noise and JPEG leave in a reduced picture."""
_FARTHEST = 0.03
"""Largest shift of the camera that is compensated, relative to the longer side."""
_EDGE = 6.0
"""Steepness of an edge, in grey levels per pixel."""
_EDGE_PIXELS = 400
"""Pixels by which a shift is found."""


class Background:
    """The empty slot, reduced: ``pixels`` (3, height, width), 0 to 255."""

    def __init__(self, pixels: Values) -> None:
        self.pixels = pixels
        self.strength = edges(pixels)
        self.edges = _strongest(self.strength, self.size)
        """Rows and columns by which a shift of the camera is found."""
        self.low, self.high = _extreme(pixels, np.minimum), _extreme(pixels, np.maximum)
        """Range of each pixel's neighbourhood, which allows for a camera that trembles by a pixel."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the reduced picture."""
        return self.pixels.shape[2], self.pixels.shape[1]

    def shifted(self, right: int, down: int) -> "Background":
        """Return the background as a camera sees it that was moved; its edge is repeated where nothing is known."""
        _, height, width = self.pixels.shape
        rows = np.clip(np.arange(height) - down, 0, height - 1)
        columns = np.clip(np.arange(width) - right, 0, width - 1)
        pixels: Values = self.pixels[:, rows][:, :, columns]
        return Background(pixels)


def reduced_size(width: int, height: int) -> tuple[int, int]:
    """Return the size at which pictures of this size are compared."""
    scale = SIDE / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def reduced(picture: Image.Image, size: tuple[int, int]) -> Values:
    """Return the picture at ``size`` as an array (3, height, width)."""
    small = np.asarray(picture.resize(size, Image.Resampling.BOX, reducing_gap=2.0))
    return np.ascontiguousarray(small.transpose(2, 0, 1), np.float32)


def outside_range(low: Values, high: Values, gain: Values, now: Values) -> Values:
    """Return by how many grey levels pixels lie outside of the range of the empty slot in this light: no channels."""
    over = now - np.minimum(high * gain, 255)
    under = np.minimum(low * gain, 255) - now
    outside: Values = np.maximum(np.maximum(over, under).max(axis=0), 0)
    return outside


def edges(pixels: Values) -> Values:
    """Return the steepness of the picture: (height, width)."""
    down, right = np.gradient(pixels.mean(axis=0))
    edges: Values = np.abs(down) + np.abs(right)
    return edges


def strength_nearby(now: Values) -> Values:
    """Return the steepest edge at most a pixel away from each pixel."""
    strength: Values = _extreme(edges(now)[None], np.maximum)[0]
    return strength


def smoothed(values: Values) -> Values:
    """Return the mean of each pixel and its four neighbours, of the next pixels at the edge."""
    framed = np.pad(values, 1, mode="edge")
    around = framed[:-2, 1:-1] + framed[2:, 1:-1] + framed[1:-1, :-2] + framed[1:-1, 2:]
    return ((values + around) / 5).astype(np.float32)


def farthest_shift(size: tuple[int, int]) -> int:
    """Return the largest shift in pixels that is looked for."""
    return max(1, round(_FARTHEST * max(size)))


def _extreme(pixels: Values, of: np.ufunc) -> Values:
    """Return the least or the largest value of each pixel's neighbourhood."""
    found = pixels.copy()
    of(found[:, 1:], pixels[:, :-1], out=found[:, 1:])
    of(found[:, :-1], pixels[:, 1:], out=found[:, :-1])
    rows = found.copy()
    of(found[:, :, 1:], rows[:, :, :-1], out=found[:, :, 1:])
    of(found[:, :, :-1], rows[:, :, 1:], out=found[:, :, :-1])
    return found


def _strongest(strength: Values, size: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the strongest edges near the border, where no item lies."""
    width, height = size
    y, x = np.arange(height)[:, None], np.arange(width)[None, :]
    far, reach = np.minimum(np.minimum(y, height - 1 - y), np.minimum(x, width - 1 - x)), farthest_shift(size)
    near = (far >= reach) & (far < reach + 2 * BORDER * min(size)) & (strength > _EDGE)
    rows, columns = np.nonzero(near)
    strongest = np.argsort(-strength[rows, columns], kind="stable")[:_EDGE_PIXELS]
    return rows[strongest], columns[strongest]
