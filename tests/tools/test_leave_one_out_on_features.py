"""Leaving sources out, as ``make leave-one-out`` does, on features that the shipped bundle keeps of 448 photos.

For each fold a head is fitted on the features of the other sources' photos, and asked about those of the fold; folds,
calibration by the other folds, verdicts and figures are the tool's. The features were tuned on all sources, so that
these figures are better than those of docs/measurements/models.md: they tell whether the way there works, and
whether the features of a new bundle tell plastic from other things where its head has not learned the source.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from providers.base import LABELS, TASKS, Task
from providers.local_cnn.bundle import load
from providers.local_cnn.options import shipped
from providers.local_cnn.training import head, rehearsal
from providers.local_cnn.training.head import Floats
from providers.local_cnn.training.hyperparameters import Hyperparameters
from providers.local_cnn.training.rehearsal import Rows
from providers.local_cnn.training.training_set import TOLD, UNKNOWN, Classes, smoothed
from tools import leave_one_out
from tools.leave_one_out import Answers
from triof.datasets.photo_dataset import LabelledPhoto
from triof.evaluation import by_source
from triof.evaluation.by_source import SourceFigures

pytestmark = pytest.mark.slow

_CHANNELS, _STEP = 112, 16
"""Of the feature map that begins each row, and the pixels of a photo from one of its cells to the next."""
_COMPONENTS = 48
"""Principal components of the features on which a head is fitted, as it takes seconds on all of them."""
_JUDGING = 6
"""One of so many rows chooses the penalty of a head."""


def features(rows: Rows, side: int) -> Floats:
    """The mean and the largest value of each channel: (n, 2 * _CHANNELS)."""
    cells = (side // _STEP) ** 2
    channels = rows.floats()[:, : cells * _CHANNELS].reshape(len(rows), cells, _CHANNELS)
    return np.concatenate([channels.mean(axis=1), channels.max(axis=1)], axis=1)


def components(seen: Floats, learned: Classes) -> Floats:
    """The principal components, by the photos at the positions ``learned``, of all photos ``seen``: (n, numbers)."""
    standard = (seen - seen[learned].mean(axis=0)) / (seen[learned].std(axis=0) + 1e-3)
    _, _, directions = np.linalg.svd(standard[learned], full_matrices=False)
    found: Floats = standard @ directions[:_COMPONENTS].T
    return found


def item(number: int, source: str, classes: Mapping[Task, int]) -> LabelledPhoto:
    labels = {task: LABELS[task][class_] for task, class_ in classes.items() if class_ != UNKNOWN}
    return LabelledPhoto(Path(f"{number}.jpg"), labels, str(number), "train", {"source": source})


def told(task: Task, known: Floats, classes: Classes, asked: Floats) -> Floats:
    """The logits for the features ``asked`` of a head fitted on those of the photos with a label: (n, labels)."""
    labelled = np.flatnonzero(classes != UNKNOWN)
    judging, learned = labelled[::_JUDGING], np.delete(labelled, np.s_[::_JUDGING])
    targets = smoothed(classes[learned], len(TOLD[task]), 0.1)
    weights = np.ones(len(learned), np.float32)
    fitted = head.fit(known[learned], targets, weights, known[judging], classes[judging])
    return fitted.logits(asked)


class Kept:
    """The photos whose features the shipped bundle keeps."""

    def __init__(self) -> None:
        kept = rehearsal.load(load(shipped("waste_type")))
        assert kept
        self.seen = np.concatenate([features(kept.learned, kept.learned_side), features(kept.judged, kept.judged_side)])
        self.sources = [*kept.learned.sources, *kept.judged.sources]
        self.classes = {task: np.concatenate([kept.learned.classes[task], kept.judged.classes[task]]) for task in TASKS}
        self.items = {
            str(number): item(number, source, {task: int(found[number]) for task, found in self.classes.items()})
            for number, source in enumerate(self.sources)
        }

    def answers(self, left_out: Sequence[str], *, learned: bool = False) -> Answers:
        """What heads say of the sources ``left_out`` that have not ``learned`` them, or have all the same."""
        out = np.isin(self.sources, left_out)
        known = ~out | learned
        reduced = components(self.seen, np.flatnonzero(known))
        logits = {task: told(task, reduced[known], found[known], reduced[out]) for task, found in self.classes.items()}
        names = tuple(str(number) for number in np.flatnonzero(out))
        return Answers(names, logits, TOLD, np.zeros(len(names), np.float32))


@pytest.fixture(scope="module")
def kept() -> Kept:
    return Kept()


@pytest.fixture(scope="module")
def measured(kept: Kept) -> Mapping[str, SourceFigures]:
    """The figures of each source, as the tool prints them."""
    folds = leave_one_out.folds_of(list(kept.items.values()))
    answers = {name: kept.answers(left_out) for name, left_out in folds.items()}
    parts = by_source.measure(list(leave_one_out.judged(answers, kept.items, Hyperparameters())))
    return {part.name: part for part in parts}


def test_each_source_but_the_web_is_left_out_once(measured: Mapping[str, SourceFigures]) -> None:
    folds = [source for sources in leave_one_out.FOLDS.values() for source in sources]
    assert sorted(measured) == sorted([*folds, by_source.ALL])


def test_foreign_objects_of_sources_that_were_left_out_are_not_accepted(
    measured: Mapping[str, SourceFigures],
) -> None:
    kept_out = {
        name: part.figures["foreign not accepted"].value
        for name, part in measured.items()
        if "foreign not accepted" in part.figures
    }
    assert {"home", "mealtray", "trashnet", "wastestock"} <= set(kept_out)
    assert min(kept_out.values()) >= 0.9
    assert kept_out[by_source.ALL] >= 0.97


def test_cups_of_homes_that_were_left_out_are_harder_than_learned_ones(kept: Kept) -> None:
    def right(*, learned: bool) -> float:
        answers = kept.answers(leave_one_out.FOLDS["homes"], learned=learned)
        said = answers.logits["waste_type"].argmax(axis=1)
        labels = [kept.items[name].labels["waste_type"] for name in answers.names]
        cups = [TOLD["waste_type"][one] == "cup" for one, label in zip(said, labels, strict=True) if label == "cup"]
        return float(np.mean(cups))

    assert right(learned=False) < right(learned=True) - 0.3
