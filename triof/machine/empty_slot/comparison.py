"""Compares a reduced picture of the slot with the empty slot.

The light is compensated first, and a shift of the camera by some pixels, found on the picture's border.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from triof.machine.empty_slot.item import CELL, CELL_SHARE, Box, box_of, goes_on, groups_of, pixels_of
from triof.machine.empty_slot.light import (
    FEWEST,
    OUTLIER,
    SampleGrid,
    fit,
    fit_beside_item,
    gain_of,
    median,
    sample_grid,
    usable_pixels,
)
from triof.machine.empty_slot.pictures import (
    TOLERANCE,
    Background,
    Values,
    edges,
    farthest_shift,
    outside_range,
    smoothed,
    strength_nearby,
)

State = Literal["empty", "item", "reaches_out", "unclear", "other_view"]
"""``unclear``: something differs, too little to be an item; ``other_view``: the border does not match."""
_ALIGNED = 0.985
"""Share of the border that matches, below which a shift of the camera is looked for."""
_SAME_VIEW = 0.6
"""Smallest share of the border that has to match the reference."""
_DARKEST_SHADOW = 0.4
"""Least brightness of a shadow, relative to the slot without it."""
_TINT = 25.0
"""Largest difference in grey levels of a shadow's colour from the slot's own."""
_SOFT = 4.0
"""Steepness of a shadow's rim, in grey levels per pixel."""


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


def compare(background: Background, now: Values) -> Comparison:
    """Compare a reduced picture of the slot with the empty slot; takes some milliseconds."""
    samples, shift = sample_grid(background.size), (0, 0)
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
    gain = gain_of(fit_beside_item(background, now, samples, planes), background.size)
    different = outside_range(background.low, background.high, gain, now)
    without_shadow = np.where(_is_shadow(background.pixels * gain, now), 0, different).astype(np.float32)
    return _found(smoothed(different), smoothed(without_shadow), matching, moved_by)


def nearest(backgrounds: Sequence[Background], now: Values) -> Background:
    """Return the background whose border is most like that of ``now``; all have its size."""
    if len(backgrounds) == 1:
        return backgrounds[0]
    samples = sample_grid(backgrounds[0].size)
    rows, columns = samples.rows[samples.border], samples.columns[samples.border]
    borders = np.stack([each.pixels[:, rows, columns] for each in backgrounds])
    wanted = now[:, rows, columns]
    ratios: Values = (wanted / np.maximum(borders, 1)).astype(np.float32)
    gains = median(ratios.reshape(len(borders), -1))
    unlike = np.minimum(np.abs(borders * gains[:, None, None] - wanted), OUTLIER).mean(axis=(1, 2))
    strength = strength_nearby(now)
    missing = np.array([1 - _edges_found(each, strength) for each in backgrounds])
    return backgrounds[int((unlike / OUTLIER + missing).argmin())]


def _on_border(background: Background, now: Values, samples: SampleGrid) -> tuple[Values, float]:
    """Return the light fitted on the border alone, and the share of the border that matches then."""
    at = samples.rows, samples.columns
    before, after = background.pixels[:, *at], now[:, *at]
    planes = fit(before, after, samples, samples.border & usable_pixels(before, after))
    low, high = background.low[:, *at], background.high[:, *at]
    outside = outside_range(low, high, (samples.design @ planes).T, after)
    matching = float((outside[samples.border] < TOLERANCE).mean())
    return planes, min(matching, _edges_found(background, strength_nearby(now)))


def _edges_found(background: Background, strength: Values) -> float:
    """Return the share of the background's edges near the border that are in a picture of this strength of edges."""
    rows, columns = background.edges
    if len(rows) < FEWEST:
        return 1.0
    return float((strength[rows, columns] > background.strength[rows, columns] / 2).mean())


def _shift(background: Background, now: Values) -> tuple[int, int]:
    """Return by how many pixels ``now`` lies to the right of, and below, the background, by its edges."""
    rows, columns = background.edges
    if len(rows) < FEWEST:
        return 0, 0
    after, wanted = edges(now), background.strength[rows, columns]
    reach = farthest_shift(background.size)

    def unlike(shift: tuple[int, int]) -> float:
        return float(np.minimum(np.abs(after[rows + shift[1], columns + shift[0]] - wanted), OUTLIER).mean())

    span = range(-reach, reach + 1)
    nearest_first = sorted(product(span, span), key=lambda shift: abs(shift[0]) + abs(shift[1]))
    return min(nearest_first, key=unlike)


def _is_shadow(lit: Values, now: Values) -> NDArray[np.bool_]:
    """Return where the slot is only darker, nearly in its own colour, and without an edge, as items have."""
    before, after = lit.mean(axis=0), now.mean(axis=0)
    share = after / np.maximum(before, 1)
    tinted = np.abs(now - lit * share).max(axis=0)
    steepness = edges(smoothed(after - before)[None])
    is_shadow: NDArray[np.bool_] = (share < 1) & (share > _DARKEST_SHADOW) & (tinted < _TINT) & (steepness < _SOFT)
    return is_shadow


def _found(different: Values, without_shadow: Values, matching: float, shift: tuple[float, float]) -> Comparison:
    """Return what the differences in grey levels mean, with and without those of shadows: (height, width) each."""
    height, width = different.shape
    strong = without_shadow > TOLERANCE
    rows, columns = -(-height // CELL), -(-width // CELL)
    framed = np.zeros((rows * CELL, columns * CELL), bool)
    framed[:height, :width] = strong
    cells = framed.reshape(rows, CELL, columns, CELL).mean(axis=(1, 3)) >= CELL_SHARE
    groups = groups_of(cells)
    if not groups:
        is_clear = not cells.any() and different.max() < 2 * TOLERANCE
        return Comparison("empty" if is_clear else "unclear", None, matching, shift)
    item = pixels_of([cell for group in groups for cell in group], different.shape)
    # Drops of what was spilt may lie at the edge.
    largest = pixels_of(max(groups, key=len), different.shape)
    state: State = "reaches_out" if goes_on(np.where(largest, without_shadow, 0)) else "item"
    return Comparison(state, box_of(strong & item), matching, shift)
