"""Runs the networks before and after a training on the same photos."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from providers.base import LABELS, TASKS, Task
from providers.local_cnn.bundle import Bundle
from providers.local_cnn.training import rehearsal_check
from providers.local_cnn.training.rehearsal import RehearsalSet
from providers.local_cnn.training.rehearsal_check import Answers
from providers.local_cnn.training.training_set import UNKNOWN, Classes, Pictures
from triof.datasets.photo_dataset import LabelledPhoto
from triof.evaluation import by_source
from triof.evaluation.by_source import JudgedPhoto
from triof.evaluation.training_comparison import ACCEPTING, Hits, LearnedMore, Place
from triof.settings.sections.policy import Policy

Flags = NDArray[np.bool_]


def compare(
    before: Bundle, after: Bundle, theirs: Pictures, stored: RehearsalSet | None, policy: Policy
) -> LearnedMore:
    """Compare ``after``, trained further from ``before``, with it on held-out photos of both.

    ``theirs`` are the new photos, ``stored`` the rehearsal rows of ``before``, which need TensorFlow. Raises
    ProviderMisconfigured.
    """
    both = (before, after)
    said = [rehearsal_check.about_photos(asked, theirs) for asked in both]
    judged = [_judged(asked, answers, theirs.classes, policy) for asked, answers in zip(both, said, strict=True)]
    hits = _hits("theirs", said, theirs.classes, judged)
    if stored and len(rows := stored.judged.elsewhere(set(theirs.sources))):
        said = [rehearsal_check.about_rows(asked, stored, rows) for asked in both]
        elsewhere = [_judged(asked, answers, rows.classes, policy) for asked, answers in zip(both, said, strict=True)]
        hits += _hits("elsewhere", said, rows.classes, elsewhere)
    asked_about = [sum(one.verdict.action == "ask" for one in found) for found in judged]
    return LearnedMore(before.card.version, hits, (asked_about[0], asked_about[1]) if all(judged) else None)


def _hits(
    place: Place, said: Sequence[Answers], classes: Mapping[Task, Classes], judged: Sequence[Sequence[JudgedPhoto]]
) -> list[Hits]:
    found = []
    for task in TASKS:
        known = classes.get(task, np.array([], np.int64)) != UNKNOWN
        if known.any() and all(task in answers for answers in said):
            right = [answers[task][known].argmax(axis=1) == classes[task][known] for answers in said]
            found.append(_paired(place, task, *right))
    if all(judged):
        safe = [np.array([not one.is_wrongly_accepted for one in each if one.right_type]) for each in judged]
        found.append(_paired(place, ACCEPTING, *safe))
    return found


def _paired(place: Place, about: str, before: Flags, after: Flags) -> Hits:
    counts = (before & after, before & ~after, ~before & after, ~before & ~after)
    return Hits(place, about, *(int(flags.sum()) for flags in counts))


def _judged(asked: Bundle, said: Answers, classes: Mapping[Task, Classes], policy: Policy) -> list[JudgedPhoto]:
    """Return the verdicts; empty for a bundle without both tasks; photos without a type are left out."""
    if set(said) != set(TASKS) or not (classes.get("waste_type", np.array([])) != UNKNOWN).any():
        return []
    predictions = {
        task: by_source.predictions(task, scores, asked.card.of(task).thresholds) for task, scores in said.items()
    }
    items = [_item(classes, index) for index in range(len(classes["waste_type"]))]
    return by_source.judge(items, predictions, policy)


def _item(classes: Mapping[Task, Classes], index: int) -> LabelledPhoto:
    labels = {task: LABELS[task][int(found[index])] for task, found in classes.items() if found[index] != UNKNOWN}
    return LabelledPhoto(Path(), labels, str(index), "val")
