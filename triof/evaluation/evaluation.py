"""Evaluation of a provider, through the same code path as in the machine."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from providers.base import LABELS, Prediction, Provider, Task
from triof.datasets.photo_dataset import DatasetError, LabelledPhoto, Unreadable, decode
from triof.evaluation import curves
from triof.evaluation.curves import Figure, Numbers, Weights
from triof.settings.sections.photo import DEFAULT_LIMITS, PhotoLimits

Confusion = NDArray[np.int64]
"""``confusion[right, said]``, in the order of LABELS."""

_TIMEOUT = 30.0
CLEAN_REFUSED = 0.05
"""Tolerated share of clean items that are refused."""


@dataclass(frozen=True)
class EvaluatedPhoto:
    """The prediction for one labelled photo, without the photo. Without a label only :attr:`said` is known."""

    item: LabelledPhoto
    prediction: Prediction

    @property
    def right(self) -> str:
        """The true label."""
        return self.item.labels[self.prediction.task]

    @property
    def said(self) -> str:
        """The predicted label."""
        return self.prediction.label

    @property
    def hit(self) -> bool:
        """Whether the prediction is right."""
        return self.said == self.right

    @property
    def accepted(self) -> bool:
        """Whether its probability reaches the model's threshold, if it has one."""
        return self.prediction.probability >= self.prediction.thresholds.get(self.said, 0.0)


Answers = tuple[list[EvaluatedPhoto], list[Unreadable]]
"""Predictions, and the photos that could not be read."""


@dataclass(frozen=True)
class LabelMetrics:
    """Metrics between 0 and 1; ``support`` is the number of photos with the label."""

    precision: float
    recall: float
    f1: float
    support: int
    average_precision: float
    """Area under the precision-recall curve; 0 if no photo has the label."""


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one provider on one split."""

    task: Task
    provider: str
    model_version: str
    photos: int
    groups: int
    accuracy: float
    macro_f1: float
    """Mean F1 of the labels that occur or were predicted."""
    group_accuracy: float
    """Mean over the groups of near-duplicates of their accuracy."""
    calibration_error: float
    """Expected calibration error over ten bins of the top probability."""
    figures: Mapping[str, Figure]
    """Figures by display name; those about a label without photos are left out."""
    labels: Mapping[str, LabelMetrics]
    confusion: tuple[tuple[int, ...], ...]
    """Rows: true label; columns: predicted label."""
    unreadable: tuple[str, ...]
    answers: tuple[EvaluatedPhoto, ...] = field(repr=False)
    """The predictions behind the metrics."""

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-serialisable values."""
        numbers = asdict(replace(self, answers=()))
        del numbers["answers"]
        return numbers


def evaluate(
    provider: Provider,
    task: Task,
    photos: Sequence[LabelledPhoto],
    on_photo: Callable[[], None] = lambda: None,
    limits: PhotoLimits = DEFAULT_LIMITS,
) -> Evaluation:
    """Evaluate ``provider`` on every photo within ``limits``.

    Raises DatasetError if none can be read, and the errors of the provider.
    """
    return measure(task, *ask({task: provider}, photos, on_photo, limits, everything=True)[task])


def ask(
    providers: Mapping[Task, Provider],
    photos: Sequence[LabelledPhoto],
    on_photo: Callable[[], None] = lambda: None,
    limits: PhotoLimits = DEFAULT_LIMITS,
    *,
    everything: bool = False,
) -> dict[Task, Answers]:
    """Return each task's predictions for the photos with its label, or for ``everything``; and the skipped photos.

    A photo is decoded once and shown to one provider after the other, so a network that answers for several tasks runs
    once for it, as in the machine.
    """
    paths = {task: {item.path for item in photos if everything or task in item.labels} for task in providers}
    answers: dict[Task, list[EvaluatedPhoto]] = {task: [] for task in providers}
    unreadable: list[Unreadable] = []
    side = max(provider.needed_side for provider in providers.values())
    for item, photo in decode(photos, limits, needed_side=side, unreadable=unreadable):
        for task, provider in providers.items():
            if everything or task in item.labels:
                answers[task].append(EvaluatedPhoto(item, provider.predict(photo, timeout=_TIMEOUT)))
        on_photo()
    return {task: (answers[task], [one for one in unreadable if one.path in paths[task]]) for task in providers}


def measure(task: Task, answers: Sequence[EvaluatedPhoto], unreadable: Sequence[Unreadable]) -> Evaluation:
    """Compute the metrics of ``answers``. Raises DatasetError if there are none."""
    if not answers:
        raise DatasetError(f"None of the {len(unreadable)} photos could be read: check their files.")
    confusion = confusion_matrix(task, (answer.right for answer in answers), (answer.said for answer in answers))
    found = figures(task, answers)
    return Evaluation(
        task=task,
        provider=answers[0].prediction.provider,
        model_version=answers[0].prediction.model_version,
        photos=len(answers),
        groups=len(by_group(answers)),
        accuracy=found["accuracy"].value,
        macro_f1=found["macro F1"].value,
        group_accuracy=found["accuracy per group"].value,
        calibration_error=found["calibration error"].value,
        figures=found,
        labels=label_metrics(task, confusion, answers),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        unreadable=tuple(f"{item.path}: {item.reason}" for item in unreadable),
        answers=tuple(answers),
    )


def figures(task: Task, answers: Sequence[EvaluatedPhoto]) -> dict[str, Figure]:
    """Return the main figures, with 95 % intervals by the cluster bootstrap (:func:`.curves.resampled`)."""
    groups = [answer.item.group for answer in answers]
    weights, hits = curves.resampled(groups), [answer.hit for answer in answers]
    promised = [answer.prediction.probability for answer in answers]
    numbers = {
        "accuracy": accuracy(weights, answers),
        **(_of_types(weights, answers) if task == "waste_type" else {}),
        "macro F1": macro_f1(weights, task, answers),
        "accuracy per group": curves.share_by_group(weights, hits, groups),
        **(_of_dirt(weights, answers) if task == "cleanliness" else {}),
        "calibration error": curves.calibration_error(weights, promised, hits),
        **_of_belief(weights, answers),
    }
    # A number about a label without photos is meaningless.
    return {name: curves.figure(rows) for name, rows in numbers.items() if not np.isnan(rows[0])}


def accuracy(weights: Weights, answers: Sequence[EvaluatedPhoto]) -> Numbers:
    """Return the share of right predictions."""
    return curves.share(weights, [answer.hit for answer in answers], [True] * len(answers))


def macro_f1(weights: Weights, task: Task, answers: Sequence[EvaluatedPhoto]) -> Numbers:
    """Return the mean F1 of the labels that occur or were predicted, for each row separately.

    Other labels are left out: as 0 they would lower every mean, and every resample without a rare
    label would lower the interval.
    """
    right = _positions(task, (answer.right for answer in answers))
    said = _positions(task, (answer.said for answer in answers))
    means: Numbers = np.nanmean(curves.f1(curves.confusions(weights, right, said, len(LABELS[task]))), axis=-1)
    return means


def confusion_matrix(task: Task, right: Iterable[str], said: Iterable[str]) -> Confusion:
    """Count every pair of true and predicted label."""
    rows, columns = _positions(task, right), _positions(task, said)
    once = np.ones((1, len(rows)))
    confusion: Confusion = curves.confusions(once, rows, columns, len(LABELS[task]))[0].astype(np.int64)
    return confusion


def label_metrics(task: Task, confusion: Confusion, answers: Sequence[EvaluatedPhoto]) -> dict[str, LabelMetrics]:
    """Return the metrics of every label; 0 for a label that neither occurs nor is predicted."""
    hits, rows, columns = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    f1 = np.nan_to_num(curves.f1(confusion))
    return {
        label: LabelMetrics(
            precision=float(hits[index] / max(columns[index], 1)),
            recall=float(hits[index] / max(rows[index], 1)),
            f1=float(f1[index]),
            support=int(rows[index]),
            average_precision=precision_recall(answers, label).average_precision,
        )
        for index, label in enumerate(LABELS[task])
    }


def precision_recall(answers: Sequence[EvaluatedPhoto], label: str) -> curves.PrecisionRecall:
    """Return the curve of ``label`` against the rest."""
    probabilities = [answer.prediction.scores[label] for answer in answers]
    return curves.precision_recall(probabilities, [answer.right == label for answer in answers])


def by_group(answers: Iterable[EvaluatedPhoto]) -> dict[str, list[EvaluatedPhoto]]:
    """Group the predictions by group of near-duplicates."""
    groups: dict[str, list[EvaluatedPhoto]] = {}
    for answer in answers:
        groups.setdefault(answer.item.group, []).append(answer)
    return groups


def share_right(answers: Sequence[EvaluatedPhoto]) -> float:
    """Return the accuracy, 0 to 1, of at least one prediction."""
    return sum(answer.hit for answer in answers) / len(answers)


def _of_types(weights: Weights, answers: Sequence[EvaluatedPhoto]) -> dict[str, Numbers]:
    """Return figures of errors that spoil filament, and of errors that annoy people."""
    foreign = [answer.right == "other" for answer in answers]
    plastic = [not is_foreign for is_foreign in foreign]
    turned_away = [answer.said == "other" for answer in answers]
    return {
        "plastic accuracy": curves.share(weights, [answer.hit for answer in answers], plastic),
        "plastic turned away": curves.share(weights, turned_away, plastic),
        "foreign caught": curves.share(weights, turned_away, foreign),
    }


def _of_dirt(weights: Weights, answers: Sequence[EvaluatedPhoto]) -> dict[str, Numbers]:
    dirty = [answer.right == "dirty" for answer in answers]
    if all(dirty):
        return {}
    probabilities = [answer.prediction.scores["dirty"] for answer in answers]
    caught = curves.caught(weights, probabilities, dirty, refused=CLEAN_REFUSED)
    return {f"dirty caught at {CLEAN_REFUSED * 100:.0f} % of clean refused": caught}


def _of_belief(weights: Weights, answers: Sequence[EvaluatedPhoto]) -> dict[str, Numbers]:
    """Return figures of predictions above the thresholds, if the model has some."""
    if not any(answer.prediction.thresholds for answer in answers):
        return {}
    all_of_them = [True] * len(answers)
    wrongly = [answer.accepted and not answer.hit for answer in answers]
    return {
        "believed": curves.share(weights, [answer.accepted for answer in answers], all_of_them),
        "believed and wrong": curves.share(weights, wrongly, all_of_them),
    }


def _positions(task: Task, labels: Iterable[str]) -> list[int]:
    return [LABELS[task].index(label) for label in labels]
