"""The arithmetic behind the curves and counts of a report: pure functions of probabilities and hits.

Precision and recall, reliability and the cluster bootstrap are worked out here and nowhere else, in numpy alone: a
machine without the ``data`` extra has no scikit-learn, and scipy's bootstrap draws single photos, not groups.
What carries an interval is a function of weights: how often each photo counts, in the photos themselves and in every
resample of them. All resamples are worked out at once, a row for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
"""How often each photo counts, a column each: first row once each, as they are; the others are resamples."""
Numbers = NDArray[np.float64]
"""One number for each row of weights; NaN where a row holds none of the photos that the number is about."""

BINS = 10
RESAMPLES = 2000
_SEED = 1993
_HAIR = 1e-9
"""Above a limit that rounding has moved."""


@dataclass(frozen=True)
class Figure:
    """A number measured on photos, and its 95 % interval."""

    value: float
    low: float
    high: float


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
    """The curve of one label from its probability for each photo, and whether the photo carries it.

    As ``precision_recall_curve`` and ``average_precision_score`` of scikit-learn, in descending order of probability.
    """
    order, last = _ranked(probabilities)
    carried = np.asarray(hits, bool)[order]
    found = np.cumsum(carried)[last]
    recall = found / max(int(carried.sum()), 1)
    precision = found / (last + 1)
    area = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return PrecisionRecall(np.asarray(probabilities, float)[order][last], precision, recall, area)


def reliability(probabilities: Sequence[float], hits: Sequence[bool]) -> tuple[Bin, ...]:
    """Ten bins of equal width, the empty ones too (scikit-learn's ``calibration_curve`` leaves those out)."""
    promised, true = np.asarray(probabilities, float), np.asarray(hits, float)
    bins = _bins(probabilities)
    return tuple(_bin(index, promised[bins == index], true[bins == index]) for index in range(BINS))


def resampled(groups: Sequence[str]) -> Weights:
    """The photos, whose ``groups`` these are, and 2,000 resamples of them; always the same ones.

    This is the cluster bootstrap (Efron & Tibshirani, An Introduction to the Bootstrap, 1993): whole groups are drawn
    with replacement, as many as there are, since photos of one group are no independent witnesses.
    """
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    drawn = np.random.default_rng(_SEED).multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    return np.vstack([np.ones(len(groups)), drawn[:, group]])


def figure(numbers: Numbers) -> Figure:
    """The number of the photos themselves, and the interval that holds it in 95 % of the resamples (percentiles)."""
    low, high = np.nanpercentile(numbers[1:], (2.5, 97.5))
    return Figure(float(numbers[0]), float(low), float(high))


def share(weights: Weights, hits: Sequence[bool], among: Sequence[bool]) -> Numbers:
    """How many of the photos ``among`` are hits."""
    return _divided(weights @ (np.asarray(hits, float) * np.asarray(among, float)), weights @ np.asarray(among, float))


def share_by_group(weights: Weights, hits: Sequence[bool], groups: Sequence[str]) -> Numbers:
    """The mean over the groups of their shares of hits."""
    _, group, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    part = 1 / sizes[group]
    return _divided(weights @ (np.asarray(hits, float) * part), weights @ part)


def confusions(weights: Weights, right: Sequence[int], said: Sequence[int], labels: int) -> NDArray[np.float64]:
    """For each row of weights the counts ``[right, said]``, of labels counted from 0."""
    cells = np.eye(labels**2)[np.asarray(right, int) * labels + np.asarray(said, int)]
    counts: NDArray[np.float64] = (weights @ cells).reshape(-1, labels, labels)
    return counts


def f1(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Of every label, in the last axis; NaN for one that never occurs and is never said."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return _divided(2 * hits, confusion.sum(axis=-1) + confusion.sum(axis=-2))


def calibration_error(weights: Weights, probabilities: Sequence[float], hits: Sequence[bool]) -> Numbers:
    """Mean distance between what was promised and what came true, over bins of equal width.

    It cannot fall below 0, and every resample adds chance to it: its interval lies rather high.
    """
    gaps = np.asarray(probabilities, float) - np.asarray(hits, float)
    by_bin = np.eye(BINS)[_bins(probabilities)] * gaps[:, None]
    return _divided(np.abs(weights @ by_bin).sum(axis=1), weights.sum(axis=1))


def caught(weights: Weights, probabilities: Sequence[float], hits: Sequence[bool], *, refused: float) -> Numbers:
    """The largest share of the hits that any threshold catches while it refuses at most ``refused`` of the others."""
    order, last = _ranked(probabilities)
    carried = np.asarray(hits, float)[order]
    ranked = weights[:, order]
    found = np.cumsum(ranked * carried, axis=1)
    wrong = np.cumsum(ranked * (1 - carried), axis=1)
    allowed = wrong[:, last] <= refused * wrong[:, -1:] + _HAIR
    return _divided(np.where(allowed, found[:, last], 0).max(axis=1), found[:, -1])


def _ranked(probabilities: Sequence[float]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The photos from the highest probability down; and where in this order one could stop.

    Photos of one probability are believed together, or not at all.
    """
    order = np.argsort(-np.asarray(probabilities, float), kind="stable")
    given = np.asarray(probabilities, float)[order]
    return order, np.flatnonzero(np.append(np.diff(given) != 0, True)[: len(given)])


def _bins(probabilities: Sequence[float]) -> NDArray[np.intp]:
    bins: NDArray[np.intp] = np.minimum((np.asarray(probabilities, float) * BINS).astype(int), BINS - 1)
    return bins


def _divided(parts: NDArray[Any], wholes: NDArray[Any]) -> Numbers:
    shares: Numbers = np.divide(parts, wholes, out=np.full(parts.shape, np.nan), where=wholes > 0)
    return shares


def _bin(index: int, promised: NDArray[np.float64], true: NDArray[np.float64]) -> Bin:
    means = (float(promised.mean()), float(true.mean())) if len(promised) else (0.0, 0.0)
    return Bin(index / BINS, (index + 1) / BINS, len(promised), *means)
