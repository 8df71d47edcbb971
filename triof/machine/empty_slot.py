"""Compares a picture of the slot with a reference picture of the empty slot; pure functions on arrays.

Pictures are reduced to ``SIDE`` pixels. A lamp that drifts is compensated by a plane of gain for each channel, fitted
on the pixels that show no item, a camera that was shaken by a shift of some pixels, found on the picture's border.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Values = NDArray[np.float32]

SIDE = 192
"""Longer side in pixels at which pictures are compared."""
_CELL = 4
"""Side in pixels of the squares in which differences are counted."""
_BORDER = 0.1
"""Width of the border, relative to the shorter side."""
_TOLERANCE = 7.0
"""Difference in grey levels that noise and JPEG leave in a reduced picture."""
_OUTLIER = 12.0
"""Difference in grey levels from which a pixel is not used to fit the lamp."""
_FARTHEST = 0.03
"""Largest shift of the camera that is compensated, relative to the longer side."""
_ALIGNED = 0.985
"""Share of the border that matches, below which a shift of the camera is looked for."""
_EDGE = 6.0
"""Steepness of an edge, in grey levels per pixel."""
_EDGE_PIXELS = 400
"""Pixels by which a shift is found."""
_STEP = 4
"""Distance in pixels of those from which the light is found."""
_FEWEST = 30
"""Pixels that are too few to find the light from them."""
_FITS = 3
_RIDGE = 1e-3
_SAME_VIEW = 0.6
"""Smallest share of the border that has to match the reference."""
_DARKEST, _BRIGHTEST = 4.0, 250.0
"""Grey levels outside of which a camera clips."""
_DARKEST_SHADOW = 0.4
"""Least brightness of a shadow, relative to the slot without it."""
_TINT = 25.0
"""Largest difference in grey levels of a shadow's colour from the slot's own."""
_SOFT = 4.0
"""Steepness of a shadow's rim, in grey levels per pixel."""
_CELL_SHARE = 0.25
"""Share of a cell's pixels that differ in a cell of the item."""
_SMALLEST_CELLS = 2
_LEAST_OF_LARGEST = 0.05
"""Smaller groups of cells, relative to the largest one, are crumbs and not a part of the item."""
_CONTACT, _CONTACT_PIXELS, _CONTACT_DEPTH = 20.0, 5, 16
"""An item reaches out of the picture if it differs by so many grey levels in so many pixels along its edge, and goes on
inwards for so many; a drop does not."""
_SHARP = 0.3
"""Least step of the difference at its flanks, relative to it; a shadow's is smaller."""

State = Literal["empty", "item", "reaches_out", "unclear", "other_view"]
"""``unclear``: something differs, too little to be an item; ``other_view``: the border does not match."""


class Box(NamedTuple):
    """A part of a picture, relative to its sides: 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float

    def rounded(self) -> list[float]:
        """Return the sides to write down."""
        return [round(side, 3) for side in self]


@dataclass(frozen=True)
class Comparison:
    """What a picture shows beside the empty slot."""

    state: State
    box: Box | None = None
    """The item's box, without a margin, if the state is ``item`` or ``reaches_out``."""
    matching: float = 1.0
    """Share of the border that matches the reference."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Shift of the camera to the right and down, relative to the picture's sides."""


class Background:
    """The empty slot, reduced: ``pixels`` (3, height, width), 0 to 255."""

    def __init__(self, pixels: Values) -> None:
        self.pixels = pixels
        self.strength = _edges(pixels)
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


class _Samples(NamedTuple):
    """Pixels of a coarse grid."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    design: Values
    """(pixels, 3): 1, and where each lies across and along the picture, -0.5 to 0.5."""
    border: NDArray[np.bool_]


def reduced_size(width: int, height: int) -> tuple[int, int]:
    """Return the size at which pictures of this size are compared."""
    scale = SIDE / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def reduced(picture: Image.Image, size: tuple[int, int]) -> Values:
    """Return the picture at ``size`` as an array (3, height, width)."""
    small = np.asarray(picture.resize(size, Image.Resampling.BOX, reducing_gap=2.0))
    return np.ascontiguousarray(small.transpose(2, 0, 1), np.float32)


def compare(background: Background, now: Values) -> Comparison:
    """Compare a reduced picture of the slot with the empty slot; takes some milliseconds."""
    samples, shift = _samples(background.size), (0, 0)
    planes, matching = _on_border(background, now, samples)
    if matching < _ALIGNED:
        found = _shift(background, now)
        moved = background.shifted(*found)
        again, better = _on_border(moved, now, samples)
        if better > matching:
            background, shift, planes, matching = moved, found, again, better
    width, height = background.size
    moved_by = shift[0] / width, shift[1] / height
    if matching < _SAME_VIEW:
        return Comparison("other_view", None, matching, moved_by)
    gain = _gain(_fitted_beside_item(background, now, samples, planes), background.size)
    different = _difference(background, gain, now)
    without_shadow = np.where(_is_shadow(background.pixels * gain, now), 0, different).astype(np.float32)
    return _found(_smoothed(different), _smoothed(without_shadow), matching, moved_by)


def nearest(backgrounds: Sequence[Background], now: Values) -> Background:
    """Return the background whose border is most like that of ``now``; all have its size."""
    if len(backgrounds) == 1:
        return backgrounds[0]
    samples = _samples(backgrounds[0].size)
    rows, columns = samples.rows[samples.border], samples.columns[samples.border]
    borders = np.stack([each.pixels[:, rows, columns] for each in backgrounds])
    wanted = now[:, rows, columns]
    ratios: Values = (wanted / np.maximum(borders, 1)).astype(np.float32)
    gains = _median(ratios.reshape(len(borders), -1))
    unlike = np.minimum(np.abs(borders * gains[:, None, None] - wanted), _OUTLIER).mean(axis=(1, 2))
    strength = _strength_nearby(now)
    missing = np.array([1 - _edges_found(each, strength) for each in backgrounds])
    return backgrounds[int((unlike / _OUTLIER + missing).argmin())]


def with_margin(box: Box, margin: float, aspect: float, narrowest: float = 0.75) -> Box:
    """Return the box enlarged on each side by ``margin`` of its longer side, moved into the picture where it can be.

    ``aspect`` is the picture's width by its height. The shorter side becomes at least ``narrowest`` of the longer one,
    as networks see the box as a square.
    """
    width, height = (box.right - box.left) * aspect, box.bottom - box.top
    longer = max(width, height)
    width, height = (max(side, narrowest * longer) + 2 * margin * longer for side in (width, height))
    wide, high = min(1.0, width / aspect), min(1.0, height)
    left = min(max((box.left + box.right - wide) / 2, 0.0), 1 - wide)
    top = min(max((box.top + box.bottom - high) / 2, 0.0), 1 - high)
    return Box(left, top, left + wide, top + high)


@cache
def _samples(size: tuple[int, int]) -> _Samples:
    width, height = size
    rows, columns = (each.ravel() for each in np.mgrid[1:height:_STEP, 1:width:_STEP])
    design = np.stack([np.ones(len(rows)), columns / width - 0.5, rows / height - 0.5], axis=1).astype(np.float32)
    wide = _BORDER * min(size)
    border = np.minimum(np.minimum(rows, height - rows), np.minimum(columns, width - columns)) < wide
    return _Samples(rows, columns, design, border)


def _on_border(background: Background, now: Values, samples: _Samples) -> tuple[Values, float]:
    """Return the light fitted on the border alone, and the share of the border that matches then."""
    at = samples.rows, samples.columns
    before, after = background.pixels[:, *at], now[:, *at]
    planes = _fitted(before, after, samples, samples.border & _usable(before, after))
    low, high = background.low[:, *at], background.high[:, *at]
    outside = _outside(low, high, (samples.design @ planes).T, after)
    matching = float((outside[samples.border] < _TOLERANCE).mean())
    return planes, min(matching, _edges_found(background, _strength_nearby(now)))


def _edges_found(background: Background, strength: Values) -> float:
    """Return the share of the background's edges near the border that are in a picture of this strength of edges."""
    rows, columns = background.edges
    if len(rows) < _FEWEST:
        return 1.0
    return float((strength[rows, columns] > background.strength[rows, columns] / 2).mean())


def _strength_nearby(now: Values) -> Values:
    """Return the steepest edge at most a pixel away from each pixel."""
    strength: Values = _extreme(_edges(now)[None], np.maximum)[0]
    return strength


def _fitted_beside_item(background: Background, now: Values, samples: _Samples, planes: Values) -> Values:
    """Return the light fitted on all pixels that show no item by the light that was fitted on the border."""
    before, after = (each[:, samples.rows, samples.columns] for each in (background.pixels, now))
    alike = np.abs(before * (samples.design @ planes).T - after).max(axis=0) < _OUTLIER
    return _fitted(before, after, samples, alike & _usable(before, after))


def _usable(before: Values, after: Values) -> NDArray[np.bool_]:
    darkest, brightest = np.minimum(before, after).min(axis=0), np.maximum(before, after).max(axis=0)
    usable: NDArray[np.bool_] = (darkest > _DARKEST) & (brightest < _BRIGHTEST)
    return usable


def _fitted(before: Values, after: Values, samples: _Samples, chosen: NDArray[np.bool_]) -> Values:
    """Return the gain of each channel as a plane (3, channels): least squares over the chosen pixels, outliers out."""
    if chosen.sum() < _FEWEST:
        return np.array([[1, 1, 1], [0, 0, 0], [0, 0, 0]], np.float32)
    before, after, design = before[:, chosen], after[:, chosen], samples.design[chosen]
    gain = _median(after) / np.maximum(_median(before), 1)
    planes = np.stack([gain, np.zeros(3), np.zeros(3)]).astype(np.float32)
    for _ in range(_FITS):
        residual = np.abs(after - before * (design @ planes).T).max(axis=0)
        near = residual <= max(_TOLERANCE, 2.5 * float(_median(residual)))
        if near.sum() < _FEWEST:
            break
        scaled = design[near][None] * before[:, near, None]
        turned = scaled.transpose(0, 2, 1)
        # The ridge keeps an even tray, seen in a part, from a slope that nothing bears out.
        ridge = _RIDGE * (before[:, near] ** 2).sum(axis=1)[:, None, None] * np.diag([0.0, 1.0, 1.0])
        planes = np.linalg.solve(turned @ scaled + ridge, turned @ after[:, near, None])[:, :, 0].T.astype(np.float32)
    return planes


def _median(values: Values) -> Values:
    # numpy's own first imports masked arrays, which takes tenths of a second.
    middle = values.shape[-1] // 2
    return np.partition(values, middle, axis=-1)[..., middle]


def _shift(background: Background, now: Values) -> tuple[int, int]:
    """Return by how many pixels ``now`` lies to the right of, and below, the background, by its edges."""
    rows, columns = background.edges
    if len(rows) < _FEWEST:
        return 0, 0
    after, wanted = _edges(now), background.strength[rows, columns]
    reach = _reach(background.size)

    def unlike(shift: tuple[int, int]) -> float:
        return float(np.minimum(np.abs(after[rows + shift[1], columns + shift[0]] - wanted), _OUTLIER).mean())

    span = range(-reach, reach + 1)
    nearest_first = sorted(product(span, span), key=lambda shift: abs(shift[0]) + abs(shift[1]))
    return min(nearest_first, key=unlike)


def _reach(size: tuple[int, int]) -> int:
    return max(1, round(_FARTHEST * max(size)))


def _strongest(strength: Values, size: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the strongest edges near the border, where no item lies."""
    width, height = size
    y, x = np.arange(height)[:, None], np.arange(width)[None, :]
    far, reach = np.minimum(np.minimum(y, height - 1 - y), np.minimum(x, width - 1 - x)), _reach(size)
    near = (far >= reach) & (far < reach + 2 * _BORDER * min(size)) & (strength > _EDGE)
    rows, columns = np.nonzero(near)
    strongest = np.argsort(-strength[rows, columns], kind="stable")[:_EDGE_PIXELS]
    return rows[strongest], columns[strongest]


def _edges(pixels: Values) -> Values:
    """Return the steepness of the picture: (height, width)."""
    down, right = np.gradient(pixels.mean(axis=0))
    edges: Values = np.abs(down) + np.abs(right)
    return edges


def _gain(planes: Values, size: tuple[int, int]) -> Values:
    width, height = size
    y, x = (np.arange(height) / height - 0.5)[None, :, None], (np.arange(width) / width - 0.5)[None, None, :]
    constant, across, along = planes[:, :, None, None].astype(np.float32)
    gain: Values = constant + across * x.astype(np.float32) + along * y.astype(np.float32)
    return gain


def _difference(background: Background, gain: Values, now: Values) -> Values:
    """Return how far each pixel is from all of its neighbourhood in the empty slot, in grey levels: (height, width)."""
    return _outside(background.low, background.high, gain, now)


def _outside(low: Values, high: Values, gain: Values, now: Values) -> Values:
    over = now - np.minimum(high * gain, 255)
    under = np.minimum(low * gain, 255) - now
    outside: Values = np.maximum(np.maximum(over, under).max(axis=0), 0)
    return outside


def _is_shadow(lit: Values, now: Values) -> NDArray[np.bool_]:
    """Return where the slot is only darker: in its own colour, and without an edge, as items have."""
    before, after = lit.mean(axis=0), now.mean(axis=0)
    share = after / np.maximum(before, 1)
    tinted = np.abs(now - lit * share).max(axis=0)
    steepness = _edges(_smoothed(after - before)[None])
    is_shadow: NDArray[np.bool_] = (share < 1) & (share > _DARKEST_SHADOW) & (tinted < _TINT) & (steepness < _SOFT)
    return is_shadow


def _extreme(pixels: Values, of: np.ufunc) -> Values:
    """Return the least or the largest value of each pixel's neighbourhood."""
    found = pixels.copy()
    of(found[:, 1:], pixels[:, :-1], out=found[:, 1:])
    of(found[:, :-1], pixels[:, 1:], out=found[:, :-1])
    rows = found.copy()
    of(found[:, :, 1:], rows[:, :, :-1], out=found[:, :, 1:])
    of(found[:, :, :-1], rows[:, :, 1:], out=found[:, :, :-1])
    return found


def _smoothed(values: Values) -> Values:
    """Return the mean of each pixel and its four neighbours, of the next pixels at the edge."""
    framed = np.pad(values, 1, mode="edge")
    around = framed[:-2, 1:-1] + framed[2:, 1:-1] + framed[1:-1, :-2] + framed[1:-1, 2:]
    return ((values + around) / 5).astype(np.float32)


def _found(different: Values, without_shadow: Values, matching: float, shift: tuple[float, float]) -> Comparison:
    height, width = different.shape
    strong = without_shadow > _TOLERANCE
    rows, columns = -(-height // _CELL), -(-width // _CELL)
    framed = np.zeros((rows * _CELL, columns * _CELL), bool)
    framed[:height, :width] = strong
    cells = framed.reshape(rows, _CELL, columns, _CELL).mean(axis=(1, 3)) >= _CELL_SHARE
    groups = _groups(cells)
    if not groups:
        is_clear = not cells.any() and different.max() < 2 * _TOLERANCE
        return Comparison("empty" if is_clear else "unclear", None, matching, shift)
    item = _pixels_of([cell for group in groups for cell in group], different.shape)
    # Drops of what was spilt may lie at the edge.
    largest = _pixels_of(max(groups, key=len), different.shape)
    state: State = "reaches_out" if _goes_on(np.where(largest, without_shadow, 0)) else "item"
    return Comparison(state, _box(strong & item), matching, shift)


def _pixels_of(cells: Sequence[tuple[int, int]], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.zeros((-(-shape[0] // _CELL), -(-shape[1] // _CELL)), bool)
    rows, columns = zip(*cells, strict=True)
    mask[list(rows), list(columns)] = True
    return np.kron(mask, np.ones((_CELL, _CELL), bool))[: shape[0], : shape[1]]


def _groups(cells: NDArray[np.bool_]) -> Sequence[Sequence[tuple[int, int]]]:
    """Return the groups of neighbouring cells, without crumbs."""
    left = {(int(row), int(column)) for row, column in zip(*np.nonzero(cells), strict=True)}
    groups = []
    while left:
        group, edge = [], [left.pop()]
        while edge:
            row, column = edge.pop()
            group.append((row, column))
            near = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
            left -= near
            edge += near
        groups.append(group)
    largest = max(map(len, groups), default=0)
    return [group for group in groups if len(group) >= max(_SMALLEST_CELLS, _LEAST_OF_LARGEST * largest)]


def _box(mask: NDArray[np.bool_]) -> Box:
    height, width = mask.shape
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return Box(columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)


def _goes_on(item: Values) -> bool:
    """Return whether the item goes on beyond the picture's edge; ``item`` is its difference to the empty slot."""
    sides = (item, item[::-1], item.T, item.T[::-1])
    return any(_leaves(side) for side in sides)


def _leaves(item: Values) -> bool:
    """Return whether the item goes on beyond the first row: wide, deep and with sharp flanks, unlike a shadow."""
    outermost = item[:2].min(axis=0)
    for first, last in _runs(outermost > _CONTACT):
        inwards = item[:_CONTACT_DEPTH, max(0, first - 2) : last + 2]
        is_deep = bool((inwards > _TOLERANCE).any(axis=1).all())
        if last - first >= _CONTACT_PIXELS and is_deep and _is_sharp(outermost, first, last):
            return True
    return False


def _is_sharp(row: Values, first: int, last: int) -> bool:
    """Return whether the difference rises within some pixels on both sides, or the picture ends there."""
    least = _SHARP * float(row[first:last].mean())
    steps = np.abs(np.diff(row))
    flanks = [steps[max(0, at - 3) : at + 3] for at in (first - 1, last - 1) if 2 < at < len(steps) - 3]
    return all(flank.max() >= least for flank in flanks)


def _runs(row: NDArray[np.bool_]) -> Iterable[tuple[int, int]]:
    """Return begin and end of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]])))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
