"""Verdicts that a machine with given models would have reached on labelled photos, by source.

Accuracy on sources seen in training is too optimistic; the figures by source show it for unseen ones. The verdicts are
those of :func:`triof.judging.verdict.decide`, so that these figures are those of the machine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from providers.base import LABELS, Prediction, Task
from providers.text_files import plain
from triof.common.statistics_math import wilson_interval
from triof.datasets.label_names import labels_named
from triof.datasets.photo_dataset import LabelledPhoto
from triof.evaluation import curves
from triof.evaluation.curves import Figure, Weights
from triof.evaluation.evaluation import CLEAN_REFUSED
from triof.judging.verdict import Verdict, decide
from triof.settings.sections.policy import Policy

ALL = "all"
"""The name of the last part: the photos of all sources."""

_DIRTY_CAUGHT = f"dirty caught at {CLEAN_REFUSED * 100:.0f} % of clean refused"
MODELS = ("type over plastic", "plastic refused", "foreign called other", _DIRTY_CAUGHT, "calibration error")
"""Figures of the models; *refused* means the label other."""
MACHINE = (
    "foreign not accepted",
    "of all accepted, wrong",
    "asked",
    "refused",
    "clean plastic asked about",
    "paper cups accepted",
)
"""Figures of the verdicts; a part has a few more."""


@dataclass(frozen=True)
class JudgedPhoto:
    """A labelled photo with its predictions and verdict."""

    item: LabelledPhoto
    waste_type: Prediction
    cleanliness: Prediction | None
    verdict: Verdict

    @property
    def right_type(self) -> str | None:
        """The labelled waste type, or None."""
        return self.item.labels.get("waste_type")

    @property
    def is_plastic(self) -> bool:
        """Whether its label is bottle, cup or cutlery."""
        return self.right_type not in (None, "other")

    @property
    def is_foreign(self) -> bool:
        """Whether its label is other."""
        return self.right_type == "other"

    @property
    def is_hit(self) -> bool:
        """Whether the predicted waste type is right."""
        return self.waste_type.label == self.right_type

    @property
    def is_wrongly_accepted(self) -> bool:
        """Whether the machine would accept an item that is foreign, dirty or of another type than predicted.

        An item without a cleanliness label does not count as dirty.
        """
        is_wrong = self.verdict.label != self.right_type or self.item.labels.get("cleanliness") == "dirty"
        return self.verdict.action == "accept" and is_wrong


@dataclass(frozen=True)
class SourceFigures:
    """The figures of one source, or of :data:`ALL`, each between 0 and 1.

    A figure without photos is left out.
    """

    name: str
    photos: int
    groups: int
    figures: Mapping[str, Figure]


def predictions(
    task: Task, scores: ArrayLike, thresholds: Mapping[str, float], unfamiliarity: ArrayLike | None = None
) -> list[Prediction]:
    """Convert calibrated probabilities, (photos, labels of ``task`` in the order of LABELS), to predictions.

    ``unfamiliarity`` (photos,) is 1 or more for photos unlike the training data.
    """
    rows = [dict(zip(LABELS[task], map(float, row), strict=True)) for row in np.asarray(scores)]
    tops = [max(row, key=row.__getitem__) for row in rows]
    distances = [None] * len(rows) if unfamiliarity is None else [float(each) for each in np.asarray(unfamiliarity)]
    return [
        Prediction(task, top, row[top], row, "local_cnn", "", thresholds, unfamiliarity=distance)
        for row, top, distance in zip(rows, tops, distances, strict=True)
    ]


def judge(
    photos: Sequence[LabelledPhoto], said: Mapping[Task, Sequence[Prediction]], policy: Policy
) -> list[JudgedPhoto]:
    """Return the verdicts on ``photos``; ``said`` has the predictions of each task, in the same order.

    The predictions may be a provider's, or (:func:`predictions`) those of a model that was trained
    without some source. Those of several models, each on its held-out photos, are judged one after the other,
    and measured together.
    """
    types = said["waste_type"]
    dirt: Sequence[Prediction | None] = said.get("cleanliness") or [None] * len(photos)
    return [
        JudgedPhoto(item, waste_type, cleanliness, decide(waste_type, cleanliness, policy))
        for item, waste_type, cleanliness in zip(photos, types, dirt, strict=True)
    ]


def measure(
    judged: Sequence[JudgedPhoto], part_of: Callable[[LabelledPhoto], str] = lambda item: item.source
) -> tuple[SourceFigures, ...]:
    """Return the figures of each source, or of each part that ``part_of`` names, and last those of ALL."""
    parts: dict[str, list[JudgedPhoto]] = {}
    for one in judged:
        parts.setdefault(part_of(one.item) or "(none named)", []).append(one)
    return tuple(_part(name, found) for name, found in [*sorted(parts.items()), (ALL, list(judged))])


def _part(name: str, judged: Sequence[JudgedPhoto]) -> SourceFigures:
    found = {**_of_the_models(judged), **_of_the_machine(judged)}
    groups = {one.item.group for one in judged}
    return SourceFigures(name, len(judged), len(groups), {title: figure for title, figure in found.items() if figure})


def _of_the_models(judged: Sequence[JudgedPhoto]) -> dict[str, Figure | None]:
    plastic = [one for one in judged if one.is_plastic]
    foreign = [one for one in judged if one.is_foreign]
    return {
        "type over plastic": _share(plastic, lambda one: one.is_hit),
        "plastic refused": _share(plastic, lambda one: one.waste_type.label == "other"),
        "foreign called other": _share(foreign, lambda one: one.is_hit),
        _DIRTY_CAUGHT: _dirty_caught(judged),
        "calibration error": _calibration_error([*plastic, *foreign]),
    }


def _of_the_machine(judged: Sequence[JudgedPhoto]) -> dict[str, Figure | None]:
    labelled = [one for one in judged if one.right_type]
    clean = [one for one in labelled if one.is_plastic and one.item.labels.get("cleanliness") == "clean"]
    return {
        "foreign not accepted": _share([one for one in labelled if one.is_foreign], lambda one: not _is(one, "accept")),
        "accepted": _share(labelled, lambda one: _is(one, "accept")),
        "asked": _share(labelled, lambda one: _is(one, "ask")),
        "refused": _share(labelled, lambda one: _is(one, "refuse")),
        "unfamiliar": _share(labelled, lambda one: one.verdict.reason == "unfamiliar"),
        "of all accepted, wrong": _share(
            [one for one in labelled if _is(one, "accept")], lambda one: one.is_wrongly_accepted
        ),
        "clean plastic asked about": _share(clean, lambda one: _is(one, "ask")),
        "clean plastic refused": _share(clean, lambda one: _is(one, "refuse")),
        "paper cups accepted": _share(
            [one for one in labelled if _is_paper_cup(one.item)], lambda one: _is(one, "accept")
        ),
    }


def _is(one: JudgedPhoto, action: str) -> bool:
    return one.verdict.action == action


def _is_paper_cup(item: LabelledPhoto) -> bool:
    """Return whether it is made of paper, in a folder of cups."""
    return plain(item.material) == "paper" and labels_named(item.path.parent.parts).get("waste_type") == "cup"


def _weights(judged: Sequence[JudgedPhoto]) -> Weights:
    return curves.resampled([one.item.group for one in judged])


def _share(judged: Sequence[JudgedPhoto], is_hit: Callable[[JudgedPhoto], bool]) -> Figure | None:
    if not judged:
        return None
    hits = [is_hit(one) for one in judged]
    if all(hits) or not any(hits):
        # Then every resample agrees, however few photos there are.
        value = float(hits[0])
        return Figure(value, *wilson_interval(value, len({one.item.group for one in judged})))
    return curves.figure(curves.share(_weights(judged), hits, [True] * len(hits)))


def _dirty_caught(judged: Sequence[JudgedPhoto]) -> Figure | None:
    told = [one for one in judged if one.cleanliness and "cleanliness" in one.item.labels]
    dirty = [one.item.labels["cleanliness"] == "dirty" for one in told]
    if all(dirty) or not any(dirty):
        return None
    probabilities = [one.cleanliness.scores["dirty"] for one in told if one.cleanliness]
    return curves.figure(curves.caught(_weights(told), probabilities, dirty, refused=CLEAN_REFUSED))


def _calibration_error(judged: Sequence[JudgedPhoto]) -> Figure | None:
    if not judged:
        return None
    promised = [one.waste_type.probability for one in judged]
    return curves.figure(curves.calibration_error(_weights(judged), promised, [one.is_hit for one in judged]))
