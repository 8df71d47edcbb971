"""Which labels are probably wrong, in the opinion of a model that has not learned them.

The photos are cut into five parts; near-duplicates and groups stay together. What a frozen network sees in the photos
of four parts (``providers/local_cnn/features.py``) and their labels teach a support vector machine, which then gives
each photo of the fifth a probability for every label. The quality of a label is what the model gives it (cleanlab's
self-confidence), or less where near-duplicates of the photo carry another label. `make planted-errors` measures how
many errors this finds; docs/measurements/training.md holds the figures and what else was tried.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from providers.base import LABELS, TASKS, Task
from triof.curation.survey import Survey
from triof.datasets.photo_dataset import LabelledPhoto

_Floats = NDArray[np.float64]
_Classes = NDArray[np.int64]

FOLDS = 5
SUSPECT_BELOW = 2 / 3
"""A label of at least this quality is not worth a look."""

_SOFTNESS = 3.0
"""The SVM's C."""
_WIDTH = 0.4
"""Of the radial kernel's gamma, times the number of features."""
_MOST_TEACHERS = 6000
"""So many photos teach the others at most, drawn at random: each takes 4 bytes for every photo in the kernel."""
_VOTE = 9.0
"""How many times likelier a label becomes by each near-duplicate that carries it: a label in ten may be wrong."""
_MOST_VOTES = 3
_LEAST = 1e-6


@dataclass(frozen=True)
class Suggestion:
    """Somebody should look at this label; ``probability`` is that of the label ``suggested`` instead."""

    item: LabelledPhoto
    task: Task
    label: str
    suggested: str
    probability: float
    reason: str
    quality: float = 0.0
    """How probable the label is that it has; the lower, the sooner it should be looked at."""


@dataclass(frozen=True)
class LabelErrors:
    """All suggestions, worst first, and what each task's labels are worth as a whole."""

    suggestions: tuple[Suggestion, ...]
    estimates: Mapping[Task, int]
    """How many labels of each task cleanlab takes for wrong; no entry for what was not judged."""
    unjudged: tuple[str, ...]
    """One sentence for each label that has too few photos."""


def find(survey: Survey) -> LabelErrors:
    """Judge every label of every task. Takes 10 s for 4,400 photos."""
    mates = _mates(survey)
    found: list[Suggestion] = []
    estimates: dict[Task, int] = {}
    unjudged: list[str] = []
    for task in TASKS:
        rows, labels = _judged(survey, task, unjudged)
        if len(labels) < 2:
            continue
        classes = np.array([labels.index(survey.items[row].labels[task]) for row in rows], np.int64)
        opinions = _opinions(survey.features[rows], classes, survey.families[rows], len(labels))
        case = _Case(survey, task, labels, rows, classes, opinions)
        found += case.suggestions(mates)
        estimates[task] = case.estimated_errors()
    return LabelErrors(tuple(sorted(found, key=lambda each: each.quality)), estimates, tuple(unjudged))


@dataclass(frozen=True)
class _Case:
    """One task: ``rows`` of the survey, their ``classes`` (indices of ``labels``), (rows, labels) ``opinions``."""

    survey: Survey
    task: Task
    labels: Sequence[str]
    rows: NDArray[np.int64]
    classes: _Classes
    opinions: _Floats

    def suggestions(self, mates: Mapping[int, Sequence[int]]) -> list[Suggestion]:
        from cleanlab.rank import get_label_quality_scores

        qualities = get_label_quality_scores(self.classes, self.opinions, method="self_confidence")
        place = {int(row): position for position, row in enumerate(self.rows)}
        found = []
        for position, row in enumerate(self.rows):
            near = [place[mate] for mate in mates.get(int(row), ()) if mate in place]
            others = [mate for mate in near if self.classes[mate] != self.classes[position]]
            opinion, quality = self.opinions[position], float(qualities[position])
            if others:
                opinion = self._with_votes(position, near)
                quality = min(quality, float(opinion[self.classes[position]]))
            if quality < SUSPECT_BELOW:
                found.append(self._suggestion(position, opinion, quality, others))
        return found

    def estimated_errors(self) -> int:
        """By confident learning, over all labels of the task."""
        from cleanlab.count import num_label_issues

        return int(num_label_issues(self.classes, self.opinions))

    def _with_votes(self, position: int, near: Sequence[int]) -> _Floats:
        """The opinion on a photo and its near-duplicates as one, raised for the labels that the latter carry."""
        together = np.log(np.maximum(self.opinions[[position, *near]], _LEAST)).mean(axis=0)
        votes = np.bincount(self.classes[near], minlength=len(self.labels))
        opinion = np.exp(together) * _VOTE ** np.maximum(votes - votes.max(), -_MOST_VOTES).astype(float)
        return np.asarray(opinion / opinion.sum(), float)

    def _suggestion(self, position: int, opinion: _Floats, quality: float, others: Sequence[int]) -> Suggestion:
        own = int(self.classes[position])
        best = int(np.argmax(np.where(np.arange(len(self.labels)) == own, -1.0, opinion)))
        return Suggestion(
            self.survey.items[self.rows[position]],
            self.task,
            self.labels[own],
            self.labels[best],
            float(opinion[best]),
            self._reason(self.labels[best], others),
            quality,
        )

    def _reason(self, suggested: str, others: Sequence[int]) -> str:
        if not others:
            return f"looks like {suggested} to a model that learned from the other photos"
        twin = self.survey.items[self.rows[others[0]]]
        return f"its near-duplicate {twin.path.name} is called {twin.labels[self.task]}"


def _mates(survey: Survey) -> dict[int, list[int]]:
    mates: dict[int, list[int]] = {}
    for first, second in survey.near.tolist():
        mates.setdefault(first, []).append(second)
        mates.setdefault(second, []).append(first)
    return mates


def _judged(survey: Survey, task: Task, unjudged: list[str]) -> tuple[NDArray[np.int64], list[str]]:
    """The rows of the photos whose label can be judged, and these labels: those of at least FOLDS families."""
    labelled = [row for row, item in enumerate(survey.items) if task in item.labels]
    known = {(survey.items[row].labels[task], int(survey.families[row])) for row in labelled}
    families = Counter(label for label, _ in known)
    labels = [label for label in LABELS[task] if families[label] >= FOLDS]
    unjudged += [
        f"{task}: {label} has {families[label]} different photos, and {FOLDS} are needed to judge it"
        for label in LABELS[task]
        if 0 < families[label] < FOLDS
    ]
    if len(labels) == 1:
        unjudged.append(f"{task}: {labels[0]} alone cannot be judged, a second label is needed")
    rows = [row for row in labelled if survey.items[row].labels[task] in labels]
    return np.array(rows, np.int64), labels


def _opinions(features: NDArray[np.float32], classes: _Classes, families: NDArray[np.int64], labels: int) -> _Floats:
    """(photos, labels) probabilities, none by a model that learned from the photo itself or its like."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold

    teachers = np.sort(np.random.default_rng(0).permutation(len(classes))[:_MOST_TEACHERS])
    kernel = _kernel(features, teachers)
    scores = np.zeros((len(classes), labels))
    for _, part in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(features, classes, families):
        scores[part] = _scores(kernel, classes, teachers, part, labels)
    # Distances from the SVM's planes are no probabilities yet; one small regression for all parts makes them so.
    return np.asarray(LogisticRegression(C=1e3, max_iter=1000).fit(scores, classes).predict_proba(scores), float)


def _scores(
    kernel: NDArray[np.float32],
    classes: _Classes,
    teachers: NDArray[np.int64],
    part: NDArray[np.int64],
    labels: int,
) -> _Floats:
    """How far on its side each label has the photos of ``part``: (photos, labels)."""
    from sklearn.svm import SVC

    scores = np.zeros((len(part), labels))
    columns = np.flatnonzero(~np.isin(teachers, part))
    known = classes[teachers[columns]]
    present = np.unique(known)
    if len(present) < 2:
        return scores
    model = SVC(kernel="precomputed", C=_SOFTNESS, decision_function_shape="ovr")
    model.fit(kernel[np.ix_(teachers[columns], columns)], known)
    distances: Any = model.decision_function(kernel[np.ix_(part, columns)])
    if distances.ndim == 1:
        distances = np.stack([-distances, distances], axis=1)
    scores[:] = distances.min()
    scores[:, present] = distances
    return scores


def _kernel(features: NDArray[np.float32], teachers: NDArray[np.int64]) -> NDArray[np.float32]:
    """The radial kernel of every photo with every teacher: (photos, teachers).

    NumPy makes it ten times as fast as libsvm, whose own kernels are meant for short vectors.
    """
    scaled = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    squares = (scaled**2).sum(axis=1)
    apart = squares[:, None] + squares[teachers] - 2 * scaled @ scaled[teachers].T
    kernel: NDArray[np.float32] = np.exp(-_WIDTH / scaled.shape[1] * np.maximum(apart, 0))
    return kernel
