"""Calibration: temperature and thresholds from the logits of photos that were not trained on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from providers.costs import Costs

Numbers = NDArray[np.floating]
Classes = NDArray[np.integer]
"""Index of the correct label of each photo."""

_TEMPERATURES = np.geomspace(0.2, 5.0, 81)

_LOWEST_THRESHOLD, _HIGHEST_THRESHOLD = 0.5, 0.995


def softmax(logits: Numbers, temperature: float = 1.0, counted_to: Classes | None = None) -> Numbers:
    """Return the probabilities of logits (n, numbers), or (n, labels) if several numbers count to one label.

    ``counted_to`` (numbers,) gives the label of each number (:attr:`.bundle.TaskCard.counted_to`).
    """
    scaled = np.asarray(logits, np.float64) / temperature
    exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: Numbers = exponents / exponents.sum(axis=1, keepdims=True)
    if counted_to is None:
        return probabilities
    summed: Numbers = probabilities @ np.eye(int(counted_to.max()) + 1)[counted_to]
    return summed


def log_loss(probabilities: Numbers, classes: Classes) -> float:
    """Return the mean negative logarithm of the probability of the correct label."""
    right = probabilities[np.arange(len(classes)), classes]
    return float(-np.log(np.maximum(right, 1e-12)).mean())


def fit_temperature(logits: Numbers, classes: Classes, counted_to: Classes | None = None) -> float:
    """Return the temperature with the lowest log loss; ``counted_to`` as in :func:`softmax`."""
    losses = [log_loss(softmax(logits, temperature, counted_to), classes) for temperature in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def fit_thresholds(probabilities: Numbers, classes: Classes, labels: Sequence[str], costs: Costs) -> dict[str, float]:
    """Return for each label the probability from which accepting it costs less than asking."""
    return {
        label: _threshold(probabilities[:, index], classes == index, costs.ask, costs.of_mistake(label))
        for index, label in enumerate(labels)
    }


def _threshold(probability: Numbers, right: NDArray[np.bool_], ask: float, mistake: float) -> float:
    """Return, of the thresholds that cost about as little as the cheapest, the one nearest to 1 - ask / mistake.

    About as little is within one standard error (Breiman et al. 1984), as a few hundred photos cannot distinguish
    closer thresholds. With perfect calibration, 1 - ask / mistake would be the cheapest (Chow 1970).
    """
    promised = float(np.clip(1 - ask / mistake, _LOWEST_THRESHOLD, _HIGHEST_THRESHOLD))
    said = probability >= _LOWEST_THRESHOLD
    if not said.any():
        return round(promised, 3)
    tried = np.unique(np.clip([*probability[said], promised], _LOWEST_THRESHOLD, _HIGHEST_THRESHOLD))
    believed = probability[said][None, :] >= tried[:, None]
    costs = np.where(believed, np.where(right[said], 0.0, mistake), ask)
    totals = costs.mean(axis=1)
    cheapest = int(np.argmin(totals))
    differences = costs - costs[cheapest]
    hardly = totals - totals[cheapest] <= differences.std(axis=1) / np.sqrt(differences.shape[1])
    good = tried[hardly]
    return round(float(good[np.argmin(np.abs(good - promised))]), 3)
