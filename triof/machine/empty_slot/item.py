"""Finds the item among the pixels that differ from the empty slot: its box, and whether it reaches out."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triof.machine.empty_slot.pictures import TOLERANCE, Values

CELL = 4
"""Side in pixels of the squares in which differences are counted."""
CELL_SHARE = 0.25
"""Share of a cell's pixels that differ in a cell of the item."""
_SMALLEST_CELLS = 2
_LEAST_OF_LARGEST = 0.05
"""Smaller groups of cells, relative to the largest one, are crumbs and not a part of the item."""
_CONTACT, _CONTACT_PIXELS, _CONTACT_DEPTH = 20.0, 5, 16
"""An item reaches out of the picture if it differs by so many grey levels in so many pixels along its edge, and goes on
inwards for so many; a drop does not."""
_SHARP = 0.3
"""Least step of the difference at its flanks, relative to it; a shadow's is smaller."""


class Box(NamedTuple):
    """A part of a picture, relative to its sides: 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float

    def rounded(self) -> list[float]:
        """Return the sides to write down."""
        return [round(side, 3) for side in self]


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


def groups_of(cells: NDArray[np.bool_]) -> Sequence[Sequence[tuple[int, int]]]:
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


def pixels_of(cells: Sequence[tuple[int, int]], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a mask of the cells' pixels, of this shape."""
    mask = np.zeros((-(-shape[0] // CELL), -(-shape[1] // CELL)), bool)
    rows, columns = zip(*cells, strict=True)
    mask[list(rows), list(columns)] = True
    return np.kron(mask, np.ones((CELL, CELL), bool))[: shape[0], : shape[1]]


def box_of(mask: NDArray[np.bool_]) -> Box:
    """Return the smallest box around all pixels of the mask, of which there is one at least."""
    height, width = mask.shape
    rows, columns = (np.flatnonzero(mask.any(axis=axis)).tolist() for axis in (1, 0))
    return Box(columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)


def goes_on(item: Values) -> bool:
    """Return whether the item goes on beyond the picture's edge; ``item`` is its difference to the empty slot."""
    sides = (item, item[::-1], item.T, item.T[::-1])
    return any(_leaves(side) for side in sides)


def _leaves(item: Values) -> bool:
    """Return whether the item goes on beyond the first row: wide, deep and with sharp flanks, unlike a shadow."""
    outermost = item[:2].min(axis=0)
    for first, last in _runs(outermost > _CONTACT):
        inwards = item[:_CONTACT_DEPTH, max(0, first - 2) : last + 2]
        is_deep = bool((inwards > TOLERANCE).any(axis=1).all())
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
