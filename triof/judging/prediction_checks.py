"""Checks that a provider's answer is what ``providers/base.py`` promises, before anything calculates with it."""

import math
from collections.abc import Iterator
from numbers import Real
from typing import Any

from providers.base import LABELS, Prediction, Task

_SUM_TOLERANCE = 0.05
"""Largest deviation of the probabilities' sum from 1, as vendors round them."""
_TOLERANCE = 1e-3
"""Largest deviation from 0 to 1 of a single probability, by sums of rounded parts."""


LONGEST_NAME = 128
"""Characters of a provider's name and of a model's version that the journal holds."""


def mistake_in(prediction: Prediction, task: Task) -> str | None:
    """Return what makes no sense in the answer; None if it can be used.

    An object that is no prediction raises any error.
    """
    return next(_mistakes(prediction, task), None)


def _mistakes(prediction: Prediction, task: Task) -> Iterator[str]:
    scores, distance = prediction.scores, prediction.unfamiliarity
    if set(scores) != set(LABELS[task]) or prediction.label not in scores:
        yield f"{prediction.label!r} with scores {scores}"
    thresholds = {f"threshold of {label}": value for label, value in prediction.thresholds.items()}
    named = {"probability": prediction.probability, "nothing": prediction.nothing, **scores, **thresholds}
    for name, value in named.items():
        if not _is_number(value) or not -_TOLERANCE <= value <= 1 + _TOLERANCE:
            yield f"{name} is {value!r}, which is no probability"
    if abs(sum(scores.values()) - 1) > _SUM_TOLERANCE:
        yield f"the probabilities are {sum(scores.values()):.3f} together, not 1"
    if distance is not None and not (_is_number(distance) and distance >= 0):
        yield f"the unfamiliarity is {distance!r}, which is no distance"
    # Otherwise the verdict could not be written, and the deposit would end.
    for what, text in (("name", prediction.provider), ("model version", prediction.model_version)):
        if len(text) > LONGEST_NAME or "\0" in text:
            yield f"the {what} has more than {LONGEST_NAME} characters, or one that no database stores"
    if not all(map(_is_number, prediction.embedding)):
        yield "the embedding holds something that is no number"


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and math.isfinite(value)
