"""The card of a bundle that a training has made: temperature, thresholds, and what its photos of ``val`` are like."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from providers.base import LABELS, Task
from providers.local_cnn import backbone, calibration
from providers.local_cnn.bundle import BundleCard, Input, Reference, TaskCard, counted_to
from providers.local_cnn.training import embedding, training_set
from providers.local_cnn.training.head import Floats
from providers.local_cnn.training.hyperparameters import Hyperparameters
from providers.local_cnn.training.training_set import TOLD, UNKNOWN, Classes, Pictures
from providers.local_cnn.training.tuning import spans_of
from providers.photo_statistics import SIDE, measured


def trained_card(
    tasks: Sequence[Task],
    model: bytes,
    hyperparameters: Hyperparameters,
    *,
    val: Pictures,
    logits: Floats,
    classes: Mapping[Task, Classes],
    reached: Mapping[str, float],
) -> BundleCard:
    """Build the card of the bundle; ``logits`` are those of all tasks for the photos of ``val`` and perhaps more."""
    sha256 = hashlib.sha256(model).hexdigest()
    first, *others = (
        _task_card(task, logits[:, span], classes[task], val=val, hyperparameters=hyperparameters, reached=reached)
        for task, span in spans_of(tasks).items()
    )
    return BundleCard(
        **dict(first),
        version=f"{'-'.join(tasks)}-{date.today().isoformat()}-{sha256[:8]}",
        input=Input(width=hyperparameters.input_side, height=hyperparameters.input_side, range=backbone.INPUT_RANGE),
        embedding=embedding.SIZE,
        sha256=sha256,
        trained_on=hyperparameters.model_dump(),
        also=tuple(others),
    )


def _task_card(
    task: Task,
    logits: Floats,
    classes: Classes,
    *,
    val: Pictures,
    hyperparameters: Hyperparameters,
    reached: Mapping[str, float],
) -> TaskCard:
    known, columns = classes != UNKNOWN, counted_to(task, TOLD[task])
    temperature = calibration.fit_temperature(logits[known], classes[known], columns)
    probabilities = calibration.softmax(logits, temperature, columns)
    return TaskCard(
        task=task,
        labels=TOLD[task],
        reference=_reference(task, val, probabilities[: len(val.subjects)]),
        temperature=round(temperature, 4),
        thresholds=calibration.fit_thresholds(
            probabilities[known], classes[known], LABELS[task], hyperparameters.costs
        ),
        metrics={"training": dict(reached)},
    )


def _reference(task: Task, val: Pictures, probabilities: calibration.Numbers) -> Reference:
    """Return the statistics of ``val``."""
    small = (training_set.resized(seen.picture, SIDE) for seen in val.subjects)
    statistics = np.array([measured(pixels) for pixels in small])
    believed = probabilities.argmax(axis=1)
    shares = np.bincount(believed, minlength=len(LABELS[task])) / len(believed)
    brightness, sharpness = zip(statistics.mean(axis=0), statistics.std(axis=0), strict=True)
    top = probabilities.max(axis=1)
    return Reference(
        photos=len(believed),
        brightness=_rounded(*brightness),
        sharpness=_rounded(*sharpness),
        probability=_rounded(top.mean(), top.std()),
        labels={label: round(float(share), 4) for label, share in zip(LABELS[task], shares, strict=True)},
    )


def _rounded(mean: float, deviation: float) -> tuple[float, float]:
    return round(float(mean), 4), round(float(deviation), 4)
