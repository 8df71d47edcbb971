"""How often a provider is right: measured through the very path that serves the machine."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from providers.base import LABELS, Prediction, Provider, Task
from triof import curves
from triof.datasets import DatasetError, LabelledPhoto, Unreadable, decode

Confusion = NDArray[np.int64]
"""``confusion[right, said]``, in the order of LABELS."""

_TIMEOUT = 30.0


@dataclass(frozen=True)
class Answer:
    """What was said of one labelled photo; the photo itself is not kept."""

    item: LabelledPhoto
    prediction: Prediction

    @property
    def right(self) -> str:
        """The label that people gave."""
        return self.item.labels[self.prediction.task]

    @property
    def said(self) -> str:
        """The label that was said."""
        return self.prediction.label

    @property
    def hit(self) -> bool:
        """Whether that is right."""
        return self.said == self.right

    @property
    def believed(self) -> bool:
        """Whether its probability reaches the threshold that the model's maker chose, if any."""
        return self.prediction.probability >= self.prediction.thresholds.get(self.said, 0.0)


@dataclass(frozen=True)
class LabelMetrics:
    """Between 0 and 1; ``support`` is the number of photos that carry the label."""

    precision: float
    recall: float
    f1: float
    support: int
    average_precision: float
    """Over every threshold, the area under the curve of precision and recall; 0 where no photo carries the label."""


@dataclass(frozen=True)
class Evaluation:
    """The measure of one provider on one split."""

    task: Task
    provider: str
    model_version: str
    photos: int
    groups: int
    accuracy: float
    macro_f1: float
    group_accuracy: float
    """Each group of near-duplicates counts once, by the share of its photos that are right."""
    calibration_error: float
    """Expected calibration error over ten bins of the top probability."""
    believed: float
    """Share of the photos whose answer reaches the threshold of its label: the machine need not ask."""
    believed_accuracy: float
    """How many of those are right; 0 when there are none."""
    labels: Mapping[str, LabelMetrics]
    confusion: tuple[tuple[int, ...], ...]
    """Rows: what it is; columns: what was said."""
    unreadable: tuple[str, ...]
    answers: tuple[Answer, ...] = field(repr=False)
    """What all this was measured on."""

    def as_dict(self) -> dict[str, Any]:
        """The numbers as plain values, ready for JSON."""
        numbers = asdict(replace(self, answers=()))
        del numbers["answers"]
        return numbers


def evaluate(
    provider: Provider,
    task: Task,
    photos: Sequence[LabelledPhoto],
    on_photo: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Ask ``provider`` about every photo. Raises DatasetError when none can be read, and what the provider raises."""
    unreadable: list[Unreadable] = []
    answers = []
    for answer in _ask(provider, photos, unreadable):
        answers.append(answer)
        on_photo()
    return measure(task, answers, unreadable)


def measure(task: Task, answers: Sequence[Answer], unreadable: Sequence[Unreadable]) -> Evaluation:
    """The numbers behind one provider's ``answers``, wherever they come from. Raises DatasetError without any."""
    if not answers:
        raise DatasetError(f"None of the {len(unreadable)} photos could be read: check their files.")
    hits = [answer.hit for answer in answers]
    believed = [answer.hit for answer in answers if answer.believed]
    confusion = confusion_matrix(task, (answer.right for answer in answers), (answer.said for answer in answers))
    labels = label_metrics(task, confusion, answers)
    return Evaluation(
        task=task,
        provider=answers[0].prediction.provider,
        model_version=answers[0].prediction.model_version,
        photos=len(answers),
        groups=len(by_group(answers)),
        accuracy=float(np.mean(hits)),
        macro_f1=float(np.mean([metrics.f1 for metrics in labels.values()])),
        group_accuracy=float(np.mean([share_right(group) for group in by_group(answers).values()])),
        calibration_error=curves.calibration_error([answer.prediction.probability for answer in answers], hits),
        believed=len(believed) / len(answers),
        believed_accuracy=sum(believed) / max(len(believed), 1),
        labels=labels,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        unreadable=tuple(f"{item.path}: {item.reason}" for item in unreadable),
        answers=tuple(answers),
    )


def confusion_matrix(task: Task, right: Iterable[str], said: Iterable[str]) -> Confusion:
    """Count every pair of right and given label."""
    labels = LABELS[task]
    confusion = np.zeros((len(labels),) * 2, np.int64)
    for row, column in zip(right, said, strict=True):
        confusion[labels.index(row), labels.index(column)] += 1
    return confusion


def label_metrics(task: Task, confusion: Confusion, answers: Sequence[Answer]) -> dict[str, LabelMetrics]:
    """The metrics of every label; a label that never occurs and is never said has 0."""
    hits, rows, columns = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return {
        label: LabelMetrics(
            precision=float(hits[index] / max(columns[index], 1)),
            recall=float(hits[index] / max(rows[index], 1)),
            f1=float(2 * hits[index] / max(rows[index] + columns[index], 1)),
            support=int(rows[index]),
            average_precision=precision_recall(answers, label).average_precision,
        )
        for index, label in enumerate(LABELS[task])
    }


def precision_recall(answers: Sequence[Answer], label: str) -> curves.PrecisionRecall:
    """The curve of ``label`` against the rest."""
    probabilities = [answer.prediction.scores[label] for answer in answers]
    return curves.precision_recall(probabilities, [answer.right == label for answer in answers])


def by_group(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    """The answers by their group of near-duplicates."""
    groups: dict[str, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(answer.item.group, []).append(answer)
    return groups


def share_right(answers: Sequence[Answer]) -> float:
    """Between 0 and 1, of at least one answer."""
    return sum(answer.hit for answer in answers) / len(answers)


def _ask(provider: Provider, photos: Sequence[LabelledPhoto], unreadable: list[Unreadable]) -> Iterator[Answer]:
    for item, photo in decode(photos, needed_side=provider.needed_side, unreadable=unreadable):
        yield Answer(item, provider.predict(photo, timeout=_TIMEOUT))
