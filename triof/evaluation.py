"""How often a provider is right: measured through the very path that serves the machine."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from providers.base import LABELS, Provider, Task
from triof.datasets import DatasetError, LabelledPhoto, Unreadable, decode

Confusion = NDArray[np.int64]
"""``confusion[right, said]``, in the order of LABELS."""

_BINS = 10
_TIMEOUT = 30.0


@dataclass(frozen=True)
class LabelMetrics:
    """Between 0 and 1; ``support`` is the number of photos that carry the label."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Evaluation:
    """The measure of one provider on one split."""

    task: Task
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

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Answer:
    group: str
    right: int
    said: int
    probability: float
    believed: bool
    model_version: str


def evaluate(
    provider: Provider,
    task: Task,
    photos: Sequence[LabelledPhoto],
    on_photo: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Ask ``provider`` about every photo. Raises DatasetError when none can be read, and what the provider raises."""
    unreadable: list[Unreadable] = []
    answers = []
    for answer in _ask(provider, task, photos, unreadable):
        answers.append(answer)
        on_photo()
    if not answers:
        raise DatasetError(f"None of the {len(photos)} photos could be read: check their files.")
    return _measure(task, answers, unreadable)


def confusion_matrix(task: Task, right: Iterable[int], said: Iterable[int]) -> Confusion:
    """Count every pair of right and given label."""
    confusion = np.zeros((len(LABELS[task]),) * 2, np.int64)
    for row, column in zip(right, said, strict=True):
        confusion[row, column] += 1
    return confusion


def label_metrics(task: Task, confusion: Confusion) -> dict[str, LabelMetrics]:
    """Precision, recall and F1 of every label; a label that never occurs and is never said has 0."""
    hits, rows, columns = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return {
        label: LabelMetrics(
            precision=float(hits[index] / max(columns[index], 1)),
            recall=float(hits[index] / max(rows[index], 1)),
            f1=float(2 * hits[index] / max(rows[index] + columns[index], 1)),
            support=int(rows[index]),
        )
        for index, label in enumerate(LABELS[task])
    }


def calibration_error(probabilities: Sequence[float], hits: Sequence[bool]) -> float:
    """Mean distance between what was promised and what came true, over bins of equal width."""
    promised, true = np.asarray(probabilities, float), np.asarray(hits, float)
    bins = np.minimum((promised * _BINS).astype(int), _BINS - 1)
    gaps = [abs(float((promised - true)[bins == bin_].sum())) for bin_ in range(_BINS)]
    return sum(gaps) / len(promised)


def _ask(
    provider: Provider, task: Task, photos: Sequence[LabelledPhoto], unreadable: list[Unreadable]
) -> Iterable[_Answer]:
    labels = LABELS[task]
    for item, photo in decode(photos, needed_side=provider.needed_side, unreadable=unreadable):
        said = provider.predict(photo, timeout=_TIMEOUT)
        yield _Answer(
            item.group,
            labels.index(item.labels[task]),
            labels.index(said.label),
            said.probability,
            said.probability >= said.thresholds.get(said.label, 0.0),
            said.model_version,
        )


def _measure(task: Task, answers: Sequence[_Answer], unreadable: Sequence[Unreadable]) -> Evaluation:
    hits = [answer.right == answer.said for answer in answers]
    believed = [hit for answer, hit in zip(answers, hits, strict=True) if answer.believed]
    confusion = confusion_matrix(task, (answer.right for answer in answers), (answer.said for answer in answers))
    labels = label_metrics(task, confusion)
    groups: dict[str, list[bool]] = {}
    for answer, hit in zip(answers, hits, strict=True):
        groups.setdefault(answer.group, []).append(hit)
    return Evaluation(
        task=task,
        model_version=answers[0].model_version,
        photos=len(answers),
        groups=len(groups),
        accuracy=float(np.mean(hits)),
        macro_f1=float(np.mean([metrics.f1 for metrics in labels.values()])),
        group_accuracy=float(np.mean([np.mean(group) for group in groups.values()])),
        calibration_error=calibration_error([answer.probability for answer in answers], hits),
        believed=float(np.mean([answer.believed for answer in answers])),
        believed_accuracy=sum(believed) / max(len(believed), 1),
        labels=labels,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        unreadable=tuple(f"{item.path}: {item.reason}" for item in unreadable),
    )
