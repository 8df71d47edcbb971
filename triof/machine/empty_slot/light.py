"""Compensates a lamp that drifts: a plane of gain for each channel, fitted on pixels that show no item."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triof.machine.empty_slot.pictures import BORDER, TOLERANCE, Background, Values

OUTLIER = 12.0
"""Difference in grey levels from which a pixel is not used to fit the lamp."""
_STEP = 4
"""Distance in pixels of those from which the light is found."""
FEWEST = 30
"""Pixels that are too few to find the light from them."""
_FITS = 3
_RIDGE = 1e-3
_DARKEST, _BRIGHTEST = 4.0, 250.0
"""Grey levels outside of which a camera clips."""


class SampleGrid(NamedTuple):
    """Pixels of a coarse grid."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    design: Values
    """(pixels, 3): 1, and where each lies across and along the picture, -0.5 to 0.5."""
    border: NDArray[np.bool_]


@cache
def sample_grid(size: tuple[int, int]) -> SampleGrid:
    """Return the grid for pictures of this size (width, height)."""
    width, height = size
    rows, columns = (each.ravel() for each in np.mgrid[1:height:_STEP, 1:width:_STEP])
    design = np.stack([np.ones(len(rows)), columns / width - 0.5, rows / height - 0.5], axis=1).astype(np.float32)
    wide = BORDER * min(size)
    border = np.minimum(np.minimum(rows, height - rows), np.minimum(columns, width - columns)) < wide
    return SampleGrid(rows, columns, design, border)


def gain_of(planes: Values, size: tuple[int, int]) -> Values:
    """Return the gain of each pixel: (channels, height, width)."""
    width, height = size
    y, x = (np.arange(height) / height - 0.5)[None, :, None], (np.arange(width) / width - 0.5)[None, None, :]
    constant, across, along = planes[:, :, None, None].astype(np.float32)
    gain: Values = constant + across * x.astype(np.float32) + along * y.astype(np.float32)
    return gain


def fit(before: Values, after: Values, samples: SampleGrid, chosen: NDArray[np.bool_]) -> Values:
    """Return the gain of each channel as a plane (3, channels): least squares over the chosen pixels, outliers out."""
    if chosen.sum() < FEWEST:
        return np.array([[1, 1, 1], [0, 0, 0], [0, 0, 0]], np.float32)
    before, after, design = before[:, chosen], after[:, chosen], samples.design[chosen]
    gain = median(after) / np.maximum(median(before), 1)
    planes = np.stack([gain, np.zeros(3), np.zeros(3)]).astype(np.float32)
    for _ in range(_FITS):
        residual = np.abs(after - before * (design @ planes).T).max(axis=0)
        near = residual <= max(TOLERANCE, 2.5 * float(median(residual)))
        if near.sum() < FEWEST:
            break
        scaled = design[near][None] * before[:, near, None]
        turned = scaled.transpose(0, 2, 1)
        # The ridge keeps an even tray, seen in a part, from a slope that nothing bears out.
        ridge = _RIDGE * (before[:, near] ** 2).sum(axis=1)[:, None, None] * np.diag([0.0, 1.0, 1.0])
        planes = np.linalg.solve(turned @ scaled + ridge, turned @ after[:, near, None])[:, :, 0].T.astype(np.float32)
    return planes


def fit_beside_item(background: Background, now: Values, samples: SampleGrid, planes: Values) -> Values:
    """Return the light fitted on all pixels that show no item by the light that was fitted on the border."""
    before, after = (each[:, samples.rows, samples.columns] for each in (background.pixels, now))
    alike = np.abs(before * (samples.design @ planes).T - after).max(axis=0) < OUTLIER
    return fit(before, after, samples, alike & usable_pixels(before, after))


def usable_pixels(before: Values, after: Values) -> NDArray[np.bool_]:
    """Return which pixels are neither black nor clipped in either picture."""
    darkest, brightest = np.minimum(before, after).min(axis=0), np.maximum(before, after).max(axis=0)
    usable: NDArray[np.bool_] = (darkest > _DARKEST) & (brightest < _BRIGHTEST)
    return usable


def median(values: Values) -> Values:
    """Return the upper median along the last axis."""
    # numpy's own first imports masked arrays, which takes tenths of a second.
    middle = values.shape[-1] // 2
    return np.partition(values, middle, axis=-1)[..., middle]
