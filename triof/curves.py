"""The arithmetic behind the curves and counts of a report: pure functions of probabilities and hits."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt

import numpy as np
from numpy.typing import NDArray

BINS = 10
_Z_95 = 1.96


@dataclass(frozen=True)
class PrecisionRecall:
    """One label against the rest: a point for each probability from which one could believe it, highest first."""

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    average_precision: float
    """Area under the steps of the curve; 0 where no photo carries the label."""


@dataclass(frozen=True)
class Bin:
    """The answers whose top probability falls between ``low`` and ``high``: promised and come true, both 0 to 1."""

    low: float
    high: float
    count: int
    promised: float
    true: float


def precision_recall(probabilities: Sequence[float], hits: Sequence[bool]) -> PrecisionRecall:
    """The curve of one label from its probability for each photo, and whether the photo carries it."""
    given, carried = np.asarray(probabilities, float), np.asarray(hits, bool)
    order = np.argsort(-given, kind="stable")
    given, carried = given[order], carried[order]
    # Photos of one probability are believed together, or not at all.
    last = np.flatnonzero(np.append(np.diff(given) != 0, True)) if len(given) else np.zeros(0, int)
    found = np.cumsum(carried)[last]
    recall = found / max(int(carried.sum()), 1)
    precision = found / (last + 1)
    area = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return PrecisionRecall(given[last], precision, recall, area)


def reliability(probabilities: Sequence[float], hits: Sequence[bool]) -> tuple[Bin, ...]:
    """Ten bins of equal width, the empty ones too."""
    promised, true = np.asarray(probabilities, float), np.asarray(hits, float)
    bins = np.minimum((promised * BINS).astype(int), BINS - 1)
    return tuple(_bin(index, promised[bins == index], true[bins == index]) for index in range(BINS))


def calibration_error(probabilities: Sequence[float], hits: Sequence[bool]) -> float:
    """Mean distance between what was promised and what came true, over bins of equal width."""
    gaps = (bin_.count * abs(bin_.promised - bin_.true) for bin_ in reliability(probabilities, hits))
    return sum(gaps) / len(probabilities)


def interval(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a ``share`` seen in ``count`` independent tries, at least one."""
    spread = _Z_95**2 / count
    centre = (share + spread / 2) / (1 + spread)
    half = _Z_95 * sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def chance_of_split(one: int, other: int) -> float:
    """How likely fair coins part at least as unevenly as ``one`` against ``other`` (exact, two-sided)."""
    tosses, fewer = one + other, min(one, other)
    return float(min(1.0, 2 * sum(comb(tosses, heads) for heads in range(fewer + 1)) / 2**tosses))


def _bin(index: int, promised: NDArray[np.float64], true: NDArray[np.float64]) -> Bin:
    means = (float(promised.mean()), float(true.mean())) if len(promised) else (0.0, 0.0)
    return Bin(index / BINS, (index + 1) / BINS, len(promised), *means)
