"""The evaluation report: accuracy, mistakes and calibration of a provider."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np

from providers.base import LABELS, Task
from triof.common.statistics_math import wilson_interval
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import Dataset, LabelledPhoto, Split
from triof.evaluation import by_source, curves
from triof.evaluation.curves import Bin
from triof.evaluation.evaluation import (
    EvaluatedPhoto,
    Evaluation,
    LabelMetrics,
    by_group,
    precision_recall,
    share_right,
)
from triof.evaluation.paired_comparison import mcnemar
from triof.evaluation.robustness import EXPLAINED, OTHER_GROUND, Condition, Robustness
from triof.judging import photo
from triof.reporting import html_page
from triof.settings.sections.photo import DEFAULT_LIMITS, PhotoLimits

_WORST = 24
_GROUPS = 12
_THUMBNAIL_SIDE = 192
_POINT_STEP = 0.004
"""Distance below which points of a curve cannot be told apart on the page."""


@dataclass(frozen=True)
class VendorMetrics:
    """A vendor's figures for its own model, on photos of its own choice; from 0 to 1."""

    tag: str
    precision: float
    recall: float
    average_precision: float


@dataclass(frozen=True)
class LabelRow:
    """One label: its metrics, its curve as (recall, precision), and its threshold on it."""

    label: str
    metrics: LabelMetrics
    curve: tuple[tuple[float, float], ...]
    threshold: float | None
    accepted: tuple[float, float] | None
    """Recall and precision at the threshold; None if no photo reaches it, or there is none."""


@dataclass(frozen=True)
class Mistake:
    """A misclassified photo. ``picture`` is a ``data:`` URL; None if the file cannot be read any more."""

    name: str
    picture: str | None
    right: str
    said: str
    probability: float
    given: float
    """The probability of the right label."""


@dataclass(frozen=True)
class PartRow:
    """Accuracy on a part of the photos: a group of near-duplicates, or one source."""

    name: str
    labels: str
    photos: int
    wrong: int
    said: str
    share: float


@dataclass(frozen=True)
class Strip:
    """One harder condition with sample photos: picture URL, true label, prediction."""

    condition: Condition
    pictures: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Section:
    """The section of one evaluation."""

    evaluation: Evaluation
    is_alone: bool
    """Whether no other section has this task."""
    wrong: int
    confused: tuple[tuple[str, str, int], ...]
    """True label, predicted label, count; most frequent first."""
    labels: tuple[LabelRow, ...]
    bins: tuple[Bin, ...]
    spans: tuple[tuple[float, float], ...]
    """95 % interval of the observed frequency in each bin."""
    mistakes: tuple[Mistake, ...]
    groups: tuple[PartRow, ...]
    sources: tuple[PartRow, ...]
    fingerprint: str
    robust: Robustness | None
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class EvaluationPair:
    """Two evaluations of one task, on the photos that both have."""

    task: Task
    first: str
    second: str
    photos: int
    both: int
    only_first: int
    only_second: int
    neither: int
    groups_first: int
    """Number of groups of near-duplicates in which the first one is right more often."""
    groups_second: int
    chance: float
    """p-value of that split of the groups for two equally good providers."""


def write(
    path: Path,
    dataset: Dataset,
    split: Split,
    evaluations: Sequence[Evaluation],
    *,
    robust: Mapping[Task, Robustness] = MappingProxyType({}),
    parts: Sequence[by_source.SourceFigures] = (),
    vendor: Sequence[VendorMetrics] = (),
    notes: Sequence[str] = (),
    limits: PhotoLimits = DEFAULT_LIMITS,
    language: str = "en",
) -> None:
    """Write the report of ``evaluations`` on photos of ``split``; ``notes`` are sentences for its top.

    Two evaluations of one task are also compared. The ``vendor``'s own figures are shown beside ours, where
    given, and so are the ``robust`` figures under harder conditions and the machine's figures for
    the ``parts`` of the photos. Names of data, models and sources are not translated. Raises ReportUnwritable.
    """
    tasks = Counter(evaluation.task for evaluation in evaluations)
    sections = [
        _section(dataset, evaluation, robust.get(evaluation.task), limits, alone=tasks[evaluation.task] == 1)
        for evaluation in evaluations
    ]
    html_page.write(
        path,
        "evaluation.html",
        language,
        dataset=dataset,
        split=split,
        sections=sections,
        figures=list(dict.fromkeys(name for evaluation in evaluations for name in evaluation.figures)),
        pairs=list(_pairs(sections)),
        parts=parts,
        by_source=(("What the models say", by_source.MODELS), ("What the machine would have done", by_source.MACHINE)),
        vendor=vendor,
        notes=notes,
        most=_WORST,
        explained=EXPLAINED,
        other_ground=OTHER_GROUND,
    )


def _section(
    dataset: Dataset, evaluation: Evaluation, robust: Robustness | None, limits: PhotoLimits, *, alone: bool
) -> Section:
    answers = evaluation.answers
    bins = curves.reliability([answer.prediction.probability for answer in answers], [a.hit for a in answers])
    return Section(
        evaluation=evaluation,
        is_alone=alone,
        wrong=sum(not answer.hit for answer in answers),
        confused=_confused(answers),
        labels=tuple(_label_row(evaluation, label) for label in LABELS[evaluation.task]),
        bins=bins,
        spans=tuple(wilson_interval(bin_.true, bin_.count) if bin_.count else (0.0, 0.0) for bin_ in bins),
        mistakes=tuple(_mistakes(dataset, answers, limits)),
        groups=_groups(dataset, answers),
        sources=_sources(answers),
        fingerprint=photo_dataset.fingerprint([answer.item for answer in answers]),
        robust=robust,
        strips=tuple(_strip(condition) for condition in robust.conditions) if robust else (),
    )


def _confused(answers: Sequence[EvaluatedPhoto]) -> tuple[tuple[str, str, int], ...]:
    pairs = Counter((answer.right, answer.said) for answer in answers if not answer.hit)
    return tuple((right, said, count) for (right, said), count in pairs.most_common(3))


def _label_row(evaluation: Evaluation, label: str) -> LabelRow:
    curve = precision_recall(evaluation.answers, label)
    points = list(zip(curve.recall.tolist(), curve.precision.tolist(), strict=True))
    threshold = evaluation.answers[0].prediction.thresholds.get(label)
    # The curve is sorted by falling probability.
    reached = 0 if threshold is None else int(np.count_nonzero(curve.thresholds >= threshold))
    return LabelRow(
        label=label,
        metrics=evaluation.labels[label],
        curve=_thinned(points),
        threshold=threshold,
        accepted=points[reached - 1] if reached else None,
    )


def _thinned(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Return the distinguishable points, including the first and the last."""
    kept = list(points[:1])
    for before, point in pairwise(points):
        if max(abs(point[0] - kept[-1][0]), abs(point[1] - kept[-1][1])) >= _POINT_STEP:
            # Keeps the previous point too, or a long flat part would become a slope.
            kept += [before, point] if before != kept[-1] else [point]
    return (*kept, points[-1]) if points and kept[-1] != points[-1] else tuple(kept)


def _mistakes(dataset: Dataset, answers: Sequence[EvaluatedPhoto], limits: PhotoLimits) -> Iterator[Mistake]:
    """Yield the most confident mistakes first; their photos are decoded again, one at a time."""
    wrong = sorted((answer for answer in answers if not answer.hit), key=lambda answer: -answer.prediction.probability)
    for answer in wrong[:_WORST]:
        yield Mistake(
            dataset.name(answer.item),
            thumbnail_of(answer.item, limits),
            answer.right,
            answer.said,
            answer.prediction.probability,
            answer.prediction.scores[answer.right],
        )


def thumbnail_of(item: LabelledPhoto, limits: PhotoLimits) -> str | None:
    """Return the photo as a ``data:`` URL; None if its file cannot be read any more."""
    try:
        decoded = photo.load(item.path.read_bytes(), limits, needed_side=_THUMBNAIL_SIDE)
    except (OSError, photo.PhotoError):
        return None
    return html_page.thumbnail(decoded.picture, _THUMBNAIL_SIDE)


def _strip(condition: Condition) -> Strip:
    side = _THUMBNAIL_SIDE
    examples = condition.examples
    return Strip(condition, tuple((html_page.thumbnail(one.picture, side), one.right, one.said) for one in examples))


def _groups(dataset: Dataset, answers: Sequence[EvaluatedPhoto]) -> tuple[PartRow, ...]:
    """Return the groups of several photos with the most mistakes."""
    groups = by_group(answers).values()
    parts = [_part(dataset.name(group[0].item), group) for group in groups if len(group) > 1]
    worst = sorted((part for part in parts if part.wrong), key=lambda part: (-part.wrong, part.share, part.name))
    return tuple(worst[:_GROUPS])


def _sources(answers: Sequence[EvaluatedPhoto]) -> tuple[PartRow, ...]:
    """Return accuracy by the manifest's column ``source``, if it has one."""
    sources: dict[str, list[EvaluatedPhoto]] = {}
    for answer in answers:
        sources.setdefault(answer.item.source, []).append(answer)
    if set(sources) == {""}:
        return ()
    return tuple(_part(name or "(none named)", part) for name, part in sorted(sources.items()))


def _part(name: str, answers: Sequence[EvaluatedPhoto]) -> PartRow:
    wrong = [answer for answer in answers if not answer.hit]
    said = Counter(answer.said for answer in wrong)
    return PartRow(
        name=name,
        labels=", ".join(sorted({answer.right for answer in answers})),
        photos=len(answers),
        wrong=len(wrong),
        said=", ".join(f"{label} ({count})" for label, count in said.most_common()),
        share=share_right(answers),
    )


def _pairs(sections: Sequence[Section]) -> Iterator[EvaluationPair]:
    for first, second in combinations(sections, 2):
        if first.evaluation.task == second.evaluation.task:
            others = {answer.item.path: answer for answer in second.evaluation.answers}
            answers = first.evaluation.answers
            if shared := [(one, others[one.item.path]) for one in answers if one.item.path in others]:
                yield _pair(first.evaluation, second.evaluation, shared)


def _pair(
    first: Evaluation, second: Evaluation, shared: Sequence[tuple[EvaluatedPhoto, EvaluatedPhoto]]
) -> EvaluationPair:
    """Compare two evaluations: counts by photo, p-value by group, as photos of one group are not independent."""
    counts = Counter((one.hit, other.hit) for one, other in shared)
    ahead: dict[str, int] = {}
    for one, other in shared:
        ahead[one.item.group] = ahead.get(one.item.group, 0) + one.hit - other.hit
    groups_first, groups_second = (sum(sign * lead > 0 for lead in ahead.values()) for sign in (1, -1))
    same = first.provider == second.provider
    return EvaluationPair(
        task=first.task,
        first=first.model_version if same else first.provider,
        second=second.model_version if same else second.provider,
        photos=len(shared),
        both=counts[True, True],
        only_first=counts[True, False],
        only_second=counts[False, True],
        neither=counts[False, False],
        groups_first=groups_first,
        groups_second=groups_second,
        chance=mcnemar(groups_first, groups_second),
    )
