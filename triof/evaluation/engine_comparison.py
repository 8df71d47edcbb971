"""Compares providers on the same photos: their accuracy, time and cost, and what the machine would have done."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from providers.base import TASKS, Photo, PhotoRejected, Prediction, Provider, ProviderError, ProviderMisconfigured, Task
from triof.datasets.photo_dataset import DatasetError, LabelledPhoto, Unreadable
from triof.evaluation import by_source
from triof.evaluation.by_source import SourceFigures
from triof.evaluation.curves import Figure
from triof.evaluation.evaluation import EvaluatedPhoto, Evaluation, measure
from triof.evaluation.kept_answers import Answers, KeptAnswers, TimedAnswer
from triof.evaluation.patient_asking import ask_patiently
from triof.judging import photo as photos
from triof.judging.guarded_provider import GuardedProvider
from triof.settings.sections.photo import PhotoLimits
from triof.settings.sections.policy import Policy

_TIMEOUT = 30.0
Member = Provider | GuardedProvider
SHOWN = ("accepted", "asked", "refused", "of all accepted, wrong", "foreign not accepted", "clean plastic asked about")
"""Figures of the verdicts that are shown."""


@dataclass
class Contender:
    """A provider to compare, as it is set up."""

    name: str
    members: dict[Task, Member]
    """Those of the tasks that it answers."""
    kept: KeptAnswers
    needs_network: bool
    place: str
    """Where the photos go."""
    euros_per_1000: float
    """Cost of the calls for 1,000 photos, all tasks of ``members``."""
    euros_a_month: float | None = None
    """Cost of a service that is paid by the hour, however many photos it judges; None for the others."""
    stopped: str = ""
    """Why it was asked about no more photos."""
    notes: list[str] = field(default_factory=list)

    @property
    def remarks(self) -> tuple[str, ...]:
        """The distinct notes, and why it was asked about no more photos."""
        return tuple(dict.fromkeys(filter(None, [*self.notes, self.stopped])))

    def missing(self, digests: Sequence[str]) -> int:
        """Return the number of calls for the photos that it was not asked about yet."""
        return len(self.members) * sum(self.kept.of(digest) is None for digest in digests)


_Found = Sequence[tuple[Contender, Mapping[Path, Answers]]]
"""Contenders, each with its answers by the path of the photo."""


@dataclass(frozen=True)
class Disagreement:
    """A photo about which the providers say different things."""

    item: LabelledPhoto
    task: Task
    said: Mapping[str, tuple[str, float]]
    """Label and probability by the name of the contender."""

    @property
    def right(self) -> str | None:
        """The true label, if it is known."""
        return self.item.labels.get(self.task)

    @property
    def by_label(self) -> Mapping[str, Mapping[str, float]]:
        """The probability by contender, for each label that some give."""
        labels = dict.fromkeys(label for label, _ in self.said.values())
        return {
            label: {name: probability for name, (said, probability) in self.said.items() if said == label}
            for label in labels
        }


@dataclass(frozen=True)
class EngineFigures:
    """The figures of one contender, on the photos that all have answered."""

    name: str
    model_versions: tuple[str, ...]
    evaluations: Mapping[Task, Evaluation]
    machine: Mapping[str, Figure]
    """What the machine would have done (:data:`SHOWN`)."""
    cleanliness_by: str
    """The contender whose cleanliness the verdicts use."""
    median_ms: float
    """Milliseconds for a decoded photo, all its tasks."""
    p95_ms: float
    euros_per_1000: float | None
    """None for a service that is paid by the hour, if this machine has judged no photo in the last 30 days."""
    euros_last_month: float
    """For the photos that this machine has judged in the last 30 days."""
    needs_network: bool
    place: str
    same_label: float
    """Share of the answers with the label that the first contender gives."""
    largest_difference: float
    """Largest difference of a probability from the first contender's."""
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-serialisable values."""
        plain = {name: value for name, value in vars(self).items() if name not in ("evaluations", "machine")}
        return {
            **plain,
            "evaluations": {task: evaluation.as_dict() for task, evaluation in self.evaluations.items()},
            "machine": {name: asdict(figure) for name, figure in self.machine.items()},
        }


@dataclass(frozen=True)
class EngineComparison:
    """The figures of all contenders, and the photos about which they differ."""

    engines: tuple[EngineFigures, ...]
    photos: int
    """Photos that all have answered, of ``asked``."""
    asked: int
    judged_last_month: int
    disagreements: tuple[Disagreement, ...]
    left_out: tuple[str, ...] = ()
    """Contenders without an answer, and why."""

    def as_dict(self, name_of: Callable[[LabelledPhoto], str]) -> dict[str, Any]:
        """Return JSON-serialisable values; ``name_of`` a photo is its path in the data set."""
        differing = [
            {"photo": name_of(each.item), "task": each.task, "right": each.right, "said": dict(each.said)}
            for each in self.disagreements
        ]
        return {
            "photos": self.photos,
            "asked": self.asked,
            "judged_last_month": self.judged_last_month,
            "left_out": self.left_out,
            "engines": [engine.as_dict() for engine in self.engines],
            "disagreements": differing,
        }


def digest(item: LabelledPhoto) -> str:
    """Return the SHA-256 of the photo's file; empty if it cannot be read."""
    try:
        return hashlib.sha256(item.path.read_bytes()).hexdigest()
    except OSError:
        return ""


def ask(
    contenders: Sequence[Contender],
    items: Sequence[LabelledPhoto],
    limits: PhotoLimits,
    on_photo: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Unreadable]:
    """Ask each contender about the photos that it was not asked about yet; its answers are kept one by one.

    A contender that answers no more is left out of the rest. Returns the photos that cannot be read. Raises OSError.
    """
    unreadable = []
    for number, item in enumerate(items):
        try:
            image = item.path.read_bytes()
            sha256 = hashlib.sha256(image).hexdigest()
            due = [each for each in contenders if not each.stopped and each.kept.of(sha256) is None]
            side = max((member.needed_side for each in due for member in each.members.values()), default=0)
            if due:
                shown = photos.load(image, limits, needed_side=side)
        except (OSError, photos.PhotoError) as error:
            unreadable.append(Unreadable(item.path, str(error)))
        else:
            # Each begins in turn, as the first one finds the processor's caches full of something else.
            first = number % max(len(due), 1)
            for contender in (*due[first:], *due[:first]):
                _ask_one(contender, shown, sha256, clock)
        on_photo()
    return unreadable


def _ask_one(contender: Contender, shown: Photo, sha256: str, clock: Callable[[], float]) -> None:
    # Its own copy, as the resized picture is cached in it: each is to resize for itself.
    own = Photo(shown.picture, shown.sha256, shown.width, shown.height)
    answers: dict[Task, TimedAnswer] = {}
    for task, member in list(contender.members.items()):
        try:
            answers[task] = _timed(member, own, clock)
        except PhotoRejected as error:
            contender.notes.append(f"{task}: {error}")
        except ProviderMisconfigured as error:
            del contender.members[task]
            contender.notes.append(f"It does not answer {task}: {error}")
        except ProviderError as error:
            contender.stopped = f"It answered no more ({error}); the same command goes on with the rest."
            return
    if not contender.members:
        contender.stopped = "It answers no task."
    elif answers:
        contender.kept.add(sha256, answers)


def _timed(member: Member, shown: Photo, clock: Callable[[], float]) -> TimedAnswer:
    if isinstance(member, GuardedProvider):
        return TimedAnswer(*ask_patiently(member, shown))
    started = clock()
    prediction = member.predict(shown, timeout=_TIMEOUT)
    return TimedAnswer(prediction, clock() - started)


def compare(
    contenders: Sequence[Contender],
    items: Sequence[LabelledPhoto],
    digests: Mapping[Path, str],
    policy: Policy,
    judged_last_month: int,
) -> EngineComparison:
    """Compare the answers that are kept of ``items``, whose files have the ``digests``.

    Raises DatasetError if no photo has the answers of all.
    """
    found = [(each, {item.path: each.kept.of(digests[item.path]) or {} for item in items}) for each in contenders]
    found = [(each, told) for each, told in found if any("waste_type" in answers for answers in told.values())]
    shared = [item for item in items if all("waste_type" in answers[item.path] for _, answers in found)]
    those = [each for each, _ in found]
    left_out = tuple(f"{each.name} is left out. {' '.join(each.remarks)}" for each in contenders if each not in those)
    if not found or not shared:
        raise DatasetError(
            f"No photo was answered by all providers. {' '.join(left_out)} Name others with --providers."
        )
    engines = tuple(_figures(index, found, shared, policy, judged_last_month) for index in range(len(found)))
    return EngineComparison(
        engines, len(shared), len(items), judged_last_month, tuple(_disagreements(found, shared)), left_out
    )


def _figures(
    index: int, found: _Found, shared: Sequence[LabelledPhoto], policy: Policy, judged_last_month: int
) -> EngineFigures:
    contender, answers = found[index]
    evaluations = {}
    for task in TASKS:
        if said := [
            EvaluatedPhoto(item, answers[item.path][task].prediction)
            for item in shared
            if task in item.labels and task in answers[item.path]
        ]:
            evaluations[task] = measure(task, said, ())
    milliseconds = [1000 * sum(one.seconds for one in answers[item.path].values()) for item in shared]
    cleaner, machine = _machine(index, found, shared, policy)
    per_1000, month = _euros(contender, judged_last_month)
    same, difference = _agreement(answers, found[0][1], shared)
    return EngineFigures(
        name=contender.name,
        model_versions=tuple(dict.fromkeys(one.prediction.model_version for one in answers[shared[0].path].values())),
        evaluations=evaluations,
        machine=machine,
        cleanliness_by=cleaner,
        median_ms=float(np.median(milliseconds)),
        p95_ms=float(np.percentile(milliseconds, 95)),
        euros_per_1000=per_1000,
        euros_last_month=month,
        needs_network=contender.needs_network,
        place=contender.place,
        same_label=same,
        largest_difference=difference,
        notes=contender.remarks,
    )


def _euros(contender: Contender, judged: int) -> tuple[float | None, float]:
    """Return the euros for 1,000 photos and for a month in which the machine has judged so many."""
    month = contender.euros_a_month
    if month is None:
        return contender.euros_per_1000, contender.euros_per_1000 * judged / 1000
    return (1000 * month / judged if judged else None), month


def _machine(
    index: int, found: _Found, shared: Sequence[LabelledPhoto], policy: Policy
) -> tuple[str, Mapping[str, Figure]]:
    """Return whose cleanliness is used (its own, or else that of the first who answers it), and the figures."""
    for cleaner, dirt in (found[index], *found):
        if all("cleanliness" in dirt[item.path] for item in shared):
            said: Mapping[Task, list[Prediction]] = {
                "waste_type": [found[index][1][item.path]["waste_type"].prediction for item in shared],
                "cleanliness": [dirt[item.path]["cleanliness"].prediction for item in shared],
            }
            whole: SourceFigures = by_source.measure(by_source.judge(shared, said, policy), lambda _: "")[-1]
            return cleaner.name, {name: whole.figures[name] for name in SHOWN if name in whole.figures}
    return "", {}


def _agreement(
    answers: Mapping[Path, Answers], first: Mapping[Path, Answers], shared: Sequence[LabelledPhoto]
) -> tuple[float, float]:
    pairs = [
        (one.prediction, first[item.path][task].prediction)
        for item in shared
        for task, one in answers[item.path].items()
        if task in first[item.path]
    ]
    same = sum(one.label == other.label for one, other in pairs) / max(len(pairs), 1)
    differences = (abs(one.scores[label] - other.scores[label]) for one, other in pairs for label in one.scores)
    return same, max(differences, default=0.0)


def _disagreements(found: _Found, shared: Sequence[LabelledPhoto]) -> Iterator[Disagreement]:
    for item in shared:
        for task in TASKS:
            told = {
                each.name: answers[item.path][task].prediction for each, answers in found if task in answers[item.path]
            }
            if len({one.label for one in told.values()}) > 1:
                said = {name: (one.label, one.probability) for name, one in told.items()}
                yield Disagreement(item, task, said)
