"""Curves, counts and intervals of a report: pure functions of probabilities and hits.

Precision and recall, reliability and the cluster bootstrap are implemented here in numpy: a
machine without the ``data`` extra has no scikit-learn, and scipy's bootstrap draws single photos, not groups.
A number with an interval is a function of weights: how often each photo counts, in the photos themselves and in every
resample. All resamples are computed at once, one row each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
"""(1 + resamples, photos): how often each photo counts; the first row is all ones."""
Numbers = NDArray[np.float64]
"""One number for each row of weights; NaN if a row has no relevant photo."""

BINS = 10
RESAMPLES = 2000
_SEED = 1993
_HAIR = 1e-9
"""Tolerance for rounding at a limit."""


@dataclass(frozen=True)
class Figure:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PrecisionRecall:
    """One label against the rest: a point for each possible threshold, highest first."""

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    average_precision: float
    """Area under the step curve; 0 if no photo has the label."""


@dataclass(frozen=True)
class Bin:
    """Predictions with a top probability between ``low`` and ``high``: mean probability and accuracy, 0 to 1."""

    low: float
    high: float
    count: int
    promised: float
    true: float


def precision_recall(probabilities: Sequence[float], hits: Sequence[bool]) -> PrecisionRecall:
    """Return the curve of one label from its probability for each photo, and whether the photo has the label.

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
    """Return ten bins of equal width, including empty ones, which scikit-learn's ``calibration_curve`` leaves out."""
    promised, true = np.asarray(probabilities, float), np.asarray(hits, float)
    bins = _bins(probabilities)
    return tuple(_bin(index, promised[bins == index], true[bins == index]) for index in range(BINS))


def resampled(groups: Sequence[str]) -> Weights:
    """Return the weights of photos with these ``groups``, and of 2,000 resamples with a fixed seed.

    This is the cluster bootstrap (Efron & Tibshirani, An Introduction to the Bootstrap, 1993): whole groups are drawn
    with replacement, as many as there are, since photos of one group are not independent.
    """
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    drawn = np.random.default_rng(_SEED).multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    return np.vstack([np.ones(len(groups)), drawn[:, group]])


def figure(numbers: Numbers) -> Figure:
    """Return the number of the photos themselves, and the percentile interval of 95 % of the resamples."""
    low, high = np.nanpercentile(numbers[1:], (2.5, 97.5))
    return Figure(float(numbers[0]), float(low), float(high))


def share(weights: Weights, hits: Sequence[bool], among: Sequence[bool]) -> Numbers:
    """Return the share of hits in the photos ``among``."""
    return _divided(weights @ (np.asarray(hits, float) * np.asarray(among, float)), weights @ np.asarray(among, float))


def share_by_group(weights: Weights, hits: Sequence[bool], groups: Sequence[str]) -> Numbers:
    """Return the mean over the groups of their shares of hits."""
    _, group, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    part = 1 / sizes[group]
    return _divided(weights @ (np.asarray(hits, float) * part), weights @ part)


def confusions(weights: Weights, right: Sequence[int], said: Sequence[int], labels: int) -> NDArray[np.float64]:
    """Return for each row of weights the counts ``[right, said]``, with labels numbered from 0."""
    cells = np.eye(labels**2)[np.asarray(right, int) * labels + np.asarray(said, int)]
    counts: NDArray[np.float64] = (weights @ cells).reshape(-1, labels, labels)
    return counts


def f1(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Return the F1 of every label, in the last axis; NaN for one that neither occurs nor is predicted."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return _divided(2 * hits, confusion.sum(axis=-1) + confusion.sum(axis=-2))


def calibration_error(weights: Weights, probabilities: Sequence[float], hits: Sequence[bool]) -> Numbers:
    """Return the expected calibration error: mean distance of probability and accuracy over bins of equal width.

    It cannot be below 0, and resampling adds noise, so its interval is biased upwards.
    """
    gaps = np.asarray(probabilities, float) - np.asarray(hits, float)
    by_bin = np.eye(BINS)[_bins(probabilities)] * gaps[:, None]
    return _divided(np.abs(weights @ by_bin).sum(axis=1), weights.sum(axis=1))


def caught(weights: Weights, probabilities: Sequence[float], hits: Sequence[bool], *, refused: float) -> Numbers:
    """Return the largest share of hits that a threshold catches while it refuses at most ``refused`` of the others."""
    order, last = _ranked(probabilities)
    carried = np.asarray(hits, float)[order]
    ranked = weights[:, order]
    found = np.cumsum(ranked * carried, axis=1)
    wrong = np.cumsum(ranked * (1 - carried), axis=1)
    allowed = wrong[:, last] <= refused * wrong[:, -1:] + _HAIR
    return _divided(np.where(allowed, found[:, last], 0).max(axis=1), found[:, -1])


def _ranked(probabilities: Sequence[float]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the photos by falling probability, and the positions of possible thresholds in this order.

    Photos of equal probability fall on one side of a threshold.
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
