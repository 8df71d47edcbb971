"""The head: a regularised softmax regression on features of the frozen backbone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from providers.local_cnn import calibration

Floats = NDArray[np.float32]

_STEPS = 250
_LEARNING_RATE = 0.01
_PENALTIES = (0.1, 0.4, 1.2)


@dataclass(frozen=True)
class Head:
    """``logits = features @ kernel + bias``; kernel is (features, labels)."""

    kernel: Floats
    bias: Floats

    def logits(self, features: Floats) -> Floats:
        """Return the logits of features (n, features): (n, labels)."""
        return features @ self.kernel + self.bias


def fit(
    features: Floats, targets: Floats, weights: Floats, val_features: Floats, val_classes: NDArray[np.int64]
) -> Head:
    """Fit heads with several penalties and return the one with the lowest calibrated log loss on ``val``.

    ``targets`` are (n, labels) smoothed probabilities, ``weights`` (n,) the weight of each photo.
    """
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-3
    standard = (features - mean) / scale
    heads = []
    for penalty in _PENALTIES:
        kernel, bias = _descend(standard, targets, weights, penalty)
        kernel = kernel / scale[:, None]
        heads.append(Head(kernel, bias - mean @ kernel))
    return min(heads, key=lambda head: calibrated_loss(head.logits(val_features), val_classes))


def calibrated_loss(logits: Floats, classes: NDArray[np.int64], counted_to: NDArray[np.int64] | None = None) -> float:
    """Return the log loss at the best temperature, which calibration cannot reduce.

    ``counted_to`` as in :func:`.calibration.softmax`.
    """
    temperature = calibration.fit_temperature(logits, classes, counted_to)
    return calibration.log_loss(calibration.softmax(logits, temperature, counted_to), classes)


def _descend(features: Floats, targets: Floats, weights: Floats, penalty: float) -> tuple[Floats, Floats]:
    """Minimise the loss with Adam on the whole set at once."""
    size = features.shape[1]
    table = np.zeros((size + 1, targets.shape[1]), np.float32)
    first, second = np.zeros_like(table), np.zeros_like(table)
    shares = (weights / weights.sum())[:, None]
    for step in range(1, _STEPS + 1):
        errors = (calibration.softmax(features @ table[:size] + table[size]) - targets).astype(np.float32) * shares
        gradient = np.vstack([features.T @ errors + penalty / targets.shape[1] * table[:size], errors.sum(axis=0)])
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        rate = _LEARNING_RATE * (1 - step / _STEPS)
        table -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    return table[:size], table[size]
