"""Checks of a set of labelled photos, whose findings a person decides about."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from providers.base import LABELS, TASKS, Task
from triof.curation import label_errors, near_duplicates
from triof.curation.label_errors import LabelErrors, Suggestion
from triof.curation.survey import Survey, survey
from triof.datasets import corrections as corrections_file
from triof.datasets.corrections import Corrections
from triof.datasets.photo_dataset import FEW, SPLITS, Dataset, LabelledPhoto, Split, Unreadable
from triof.settings.tree import Settings

SMALLEST_SIDE = 96
"""Pixels. The networks read 224 x 224; smaller photos are enlarged more than twice, which hides stains."""
RARE = 4
"""A label rarer than another of its task by more than this factor is reported."""

Family = tuple[LabelledPhoto, ...]


@dataclass(frozen=True)
class Tiny:
    """A photo whose shorter side is below SMALLEST_SIDE; width and height in pixels."""

    item: LabelledPhoto
    width: int
    height: int


@dataclass(frozen=True)
class Conflict:
    """Near-duplicates, or photos of one group, with different labels."""

    task: Task
    family: Family


@dataclass(frozen=True)
class Findings:
    """The findings in ``dataset``, whose corrections are applied."""

    dataset: Dataset
    suspects: LabelErrors
    """Without confirmed labels."""
    confirmed: int
    """Number of confirmed labels left out."""
    unreadable: tuple[Unreadable, ...]
    tiny: tuple[Tiny, ...]
    duplicates: tuple[Family, ...]
    """Sets of identical files."""
    near_duplicates: tuple[Family, ...]
    """Sets of near-duplicates, including identical files."""
    conflicts: tuple[Conflict, ...]
    crossing: tuple[Family, ...]
    """Near-duplicates that lie in more than one split."""
    counts: Mapping[Task, Mapping[str, Mapping[Split, int]]]
    imbalances: tuple[str, ...]


def check(dataset: Dataset, settings: Settings, console: Console, corrections: Corrections | None = None) -> Findings:
    """Run all checks. Raises DatasetError and HomeUnusable, see :func:`triof.curation.survey.survey`."""
    dataset = corrections_file.applied(dataset, corrections or {})
    seen = survey(dataset, settings, console)
    with console.status("Judging the labels"):
        found = label_errors.find(seen)
    open_ = tuple(each for each in found.suggestions if not _confirmed(dataset, each, corrections or {}))
    near = _families(seen.items, near_duplicates.components(len(seen.items), seen.near))
    counts = _counts(dataset)
    return Findings(
        dataset=dataset,
        suspects=LabelErrors(open_, found.estimates, found.unjudged),
        confirmed=len(found.suggestions) - len(open_),
        unreadable=seen.unreadable,
        tiny=_tiny(seen),
        duplicates=_families(seen.items, seen.digests),
        near_duplicates=near,
        conflicts=_conflicts(_families(seen.items, seen.families)),
        crossing=tuple(family for family in near if len({item.split for item in family}) > 1),
        counts=counts,
        imbalances=tuple(_imbalances(counts)),
    )


def suggestions(
    dataset: Dataset, settings: Settings, console: Console, corrections: Corrections | None = None
) -> list[Suggestion]:
    """Return the labels to review, worst first, without confirmed ones. Raises the errors of `check`."""
    return list(check(dataset, settings, console, corrections).suspects.suggestions)


def _confirmed(dataset: Dataset, suggestion: Suggestion, corrections: Corrections) -> bool:
    correction = corrections.get((dataset.name(suggestion.item), suggestion.task))
    return correction is not None and correction.now == suggestion.label


def _families(items: Sequence[LabelledPhoto], homes: Iterable[bytes] | NDArray[np.int64]) -> tuple[Family, ...]:
    """Return the sets of photos with the same home, in the order of the data set."""
    families: dict[bytes | int, list[LabelledPhoto]] = defaultdict(list)
    for item, home in zip(items, homes, strict=True):
        families[home].append(item)
    return tuple(tuple(family) for family in families.values() if len(family) > 1)


def _tiny(seen: Survey) -> tuple[Tiny, ...]:
    sizes = zip(seen.items, seen.sizes.tolist(), strict=True)
    return tuple(Tiny(item, *size) for item, size in sizes if min(size) < SMALLEST_SIDE)


def _conflicts(families: Sequence[Family]) -> tuple[Conflict, ...]:
    found = []
    for task in TASKS:
        for family in families:
            labelled = tuple(item for item in family if task in item.labels)
            if len({item.labels[task] for item in labelled}) > 1:
                found.append(Conflict(task, labelled))
    return tuple(found)


def _counts(dataset: Dataset) -> dict[Task, dict[str, dict[Split, int]]]:
    counted = Counter((task, label, item.split) for item in dataset.photos for task, label in item.labels.items())
    return {
        task: {label: {split: counted[task, label, split] for split in SPLITS} for label in LABELS[task]}
        for task in TASKS
    }


def _imbalances(counts: Mapping[Task, Mapping[str, Mapping[Split, int]]]) -> Iterable[str]:
    for task, labels in counts.items():
        totals = {label: sum(splits.values()) for label, splits in labels.items()}
        most = max(totals, key=totals.__getitem__)
        if not totals[most]:
            continue
        for label, splits in labels.items():
            if totals[label] * RARE < totals[most]:
                yield f"{task}: {label} has {totals[label]} photos, {most} {totals[most]}: collect more of {label}"
            for split, count in splits.items():
                if count < FEW:
                    yield f"{task}: {label} has {count} photos in {split}, at least {FEW} are needed: collect more"
