"""Finds labels that are probably wrong, by a model trained on the other photos.

The photos are divided into five folds; near-duplicates and groups stay together. The features of the photos
of four folds (``providers/local_cnn/features.py``) and their labels train a support vector machine, which predicts
a probability of every label for the fifth. The quality of a label is its predicted probability (cleanlab's
self-confidence), or less if near-duplicates of the photo have another label. `make planted-errors` measures how
many errors this finds; docs/measurements/training.md has the figures and the alternatives.
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
"""Labels of at least this quality are not suggested."""

_SOFTNESS = 3.0
"""The SVM's C."""
_WIDTH = 0.4
"""The radial kernel's gamma times the number of features."""
_MOST_TEACHERS = 6000
"""Maximum training photos, drawn at random: each takes 4 bytes for every photo in the kernel."""
_VOTE = 9.0
"""Odds factor of a label for each near-duplicate that has it: one label in ten may be wrong."""
_MOST_VOTES = 3
_LEAST = 1e-6


@dataclass(frozen=True)
class Twin:
    """A near-duplicate with another label."""

    name: str
    label: str


@dataclass(frozen=True)
class Suggestion:
    """A label to review; ``probability`` is that of the label ``suggested`` instead."""

    item: LabelledPhoto
    task: Task
    label: str
    suggested: str
    probability: float
    twin: Twin | None = None
    """None if only the model makes the label doubtful."""
    quality: float = 0.0
    """Probability of the present label; the lowest should be reviewed first."""

    @property
    def reason(self) -> str:
        """Why the label is doubtful, in English."""
        if self.twin:
            return f"its near-duplicate {self.twin.name} is called {self.twin.label}"
        return f"looks like {self.suggested} to a model that learned from the other photos"


@dataclass(frozen=True)
class LabelErrors:
    """All suggestions, worst first, and figures of each task's labels."""

    suggestions: tuple[Suggestion, ...]
    estimates: Mapping[Task, int]
    """Estimated number of wrong labels by task, by cleanlab; no entry for a task not judged."""
    unjudged: tuple[str, ...]
    """One remark for each label with too few photos."""


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
        """Return the number of wrong labels estimated by confident learning."""
        from cleanlab.count import num_label_issues

        return int(num_label_issues(self.classes, self.opinions))

    def _with_votes(self, position: int, near: Sequence[int]) -> _Floats:
        """Return the joint prediction for a photo and its near-duplicates, raised for the labels of the latter."""
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
            self._twin(others),
            quality,
        )

    def _twin(self, others: Sequence[int]) -> Twin | None:
        if not others:
            return None
        item = self.survey.items[self.rows[others[0]]]
        return Twin(item.path.name, item.labels[self.task])


def _mates(survey: Survey) -> dict[int, list[int]]:
    mates: dict[int, list[int]] = {}
    for first, second in survey.near.tolist():
        mates.setdefault(first, []).append(second)
        mates.setdefault(second, []).append(first)
    return mates


def _judged(survey: Survey, task: Task, unjudged: list[str]) -> tuple[NDArray[np.int64], list[str]]:
    """Return the rows of photos whose label can be judged, and these labels: those of at least FOLDS families."""
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
    """Return (photos, labels) probabilities by models not trained on the photo or its near-duplicates."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold

    teachers = np.sort(np.random.default_rng(0).permutation(len(classes))[:_MOST_TEACHERS])
    kernel = _kernel(features, teachers)
    scores = np.zeros((len(classes), labels))
    for _, part in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(features, classes, families):
        scores[part] = _scores(kernel, classes, teachers, part, labels)
    # SVM distances are no probabilities, so one regression over all folds calibrates them.
    return np.asarray(LogisticRegression(C=1e3, max_iter=1000).fit(scores, classes).predict_proba(scores), float)


def _scores(
    kernel: NDArray[np.float32],
    classes: _Classes,
    teachers: NDArray[np.int64],
    part: NDArray[np.int64],
    labels: int,
) -> _Floats:
    """Return the decision values of each label for the photos of ``part``: (photos, labels)."""
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
    """Return the radial kernel of every photo with every training photo: (photos, teachers).

    NumPy makes it ten times as fast as libsvm, whose own kernels are meant for short vectors.
    """
    scaled = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    squares = (scaled**2).sum(axis=1)
    apart = squares[:, None] + squares[teachers] - 2 * scaled @ scaled[teachers].T
    kernel: NDArray[np.float32] = np.exp(-_WIDTH / scaled.shape[1] * np.maximum(apart, 0))
    return kernel
