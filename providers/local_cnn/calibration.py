"""From logits on photos that were not trained on to probabilities and thresholds worth believing."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from providers.base import LABELS, Task

Numbers = NDArray[np.floating]
Classes = NDArray[np.integer]
"""Index of the right label of each photo."""

_TEMPERATURES = np.geomspace(0.2, 5.0, 81)

REQUIRED_PRECISION: Mapping[str, float] = {
    "bottle": 0.98,
    "cup": 0.98,
    "cutlery": 0.98,
    "other": 0.98,
    "clean": 0.97,
    "dirty": 0.85,
}
"""How often a label must be right from its threshold on. A wrong tick spoils a spool and a good item sent back costs
a person's patience, so all are high; "dirty" is lower because its labels are noisy and a wash costs little."""

_LOWEST_THRESHOLD, _HIGHEST_THRESHOLD = 0.5, 0.98


def softmax(logits: Numbers, temperature: float = 1.0) -> Numbers:
    """(n, labels) to probabilities of the same shape."""
    scaled = np.asarray(logits, np.float64) / temperature
    exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: Numbers = exponents / exponents.sum(axis=1, keepdims=True)
    return probabilities


def log_loss(probabilities: Numbers, classes: Classes) -> float:
    """Mean negative logarithm of the probability of the right label."""
    right = probabilities[np.arange(len(classes)), classes]
    return float(-np.log(np.maximum(right, 1e-12)).mean())


def fit_temperature(logits: Numbers, classes: Classes) -> float:
    """The temperature with the lowest log loss."""
    losses = [log_loss(softmax(logits, temperature), classes) for temperature in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def fit_thresholds(task: Task, probabilities: Numbers, classes: Classes) -> dict[str, float]:
    """For each label the lowest probability from which it is right as often as REQUIRED_PRECISION asks."""
    return {
        label: _threshold(probabilities[:, index], classes == index, REQUIRED_PRECISION[label])
        for index, label in enumerate(LABELS[task])
    }


def _threshold(probability: Numbers, right: NDArray[np.bool_], precision: float) -> float:
    order = np.argsort(-probability, kind="stable")
    precisions = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precisions >= precision)
    lowest = probability[order][enough[-1]] if len(enough) else 1.0
    return round(float(np.clip(lowest, _LOWEST_THRESHOLD, _HIGHEST_THRESHOLD)), 3)
