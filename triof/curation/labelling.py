"""A labelling session: photos to review, their order, decisions and undo.

Every decision is a line in the file of corrections, on the disk before the next photo is shown, so that an
interrupted session can be resumed.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal, get_args

from providers.base import Task
from triof.datasets import corrections
from triof.datasets.corrections import Correction, Corrections
from triof.datasets.photo_dataset import Dataset, LabelledPhoto

if TYPE_CHECKING:
    from triof.curation.label_errors import Suggestion, Twin

Order = Literal["worst", "as-is", "random"]
ORDERS: tuple[Order, ...] = get_args(Order)
UNUSABLE = ""
"""The decision that a photo is unusable for the task."""

_LOOKED = "looked at"
_PACE = 30
"""Number of decisions over which the pace is measured, ..."""
_TOO_FEW = 5
"""... and the minimum for it."""


@dataclass(frozen=True)
class ModelSuggestion:
    """A prediction for a photo: its label, its probability from 0 to 1, and a near-duplicate with another label."""

    label: str
    probability: float
    twin: Twin | None = None


@dataclass(frozen=True)
class Question:
    """One photo and one task. ``label`` is the current label, empty if there is none."""

    item: LabelledPhoto
    name: str
    task: Task
    label: str
    doubt: ModelSuggestion | None = None
    """Why the label is doubtful, if it is."""


@dataclass(frozen=True)
class Answered:
    """An answered question; ``now`` is None if it was skipped."""

    position: int
    now: str | None


def questions(
    dataset: Dataset,
    known: Corrections,
    tasks: Sequence[Task],
    order: Order,
    doubts: Iterable[Question] = (),
) -> list[Question]:
    """Return the photos to review, task by task, without those already decided.

    ``worst``: photos unfamiliar to the machine, those without a label, then the ``doubts`` in their
    order; other orders: every photo.
    """
    everything = {(ask.name, ask.task): ask for ask in _everything(dataset, known, tasks)}
    asked = list(everything.values())
    if order == "worst":
        doubted = {(ask.name, ask.task): ask for ask in reversed(list(doubts)) if (ask.name, ask.task) in everything}
        unfamiliar = [ask for ask in asked if _was_unfamiliar(ask.item)]
        rest = [ask for ask in asked if not _was_unfamiliar(ask.item)]
        doubtful = [ask for ask in reversed(doubted.values()) if ask.label and not _was_unfamiliar(ask.item)]
        asked = unfamiliar + [ask for ask in rest if not ask.label] + doubtful
    elif order == "random":
        random.Random(0).shuffle(asked)  # fixed seed, so that a session can be resumed
    # One task after the other, as alternating tasks causes wrong key presses.
    return sorted(asked, key=lambda ask: tasks.index(ask.task))


class LabellingSession:
    """The session's questions in order; thread-safe.

    A decision names its position, so that a second key press cannot decide about a photo not yet shown.
    """

    def __init__(self, asked: Sequence[Question], path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.questions = asked
        self._clock = clock
        self._lock = Lock()
        self._position = 0
        self._answered: list[Answered] = []
        self._times: deque[float] = deque(maxlen=_PACE + 1)

    @property
    def position(self) -> int:
        """Position of the current question, from 0; past the last one at the end."""
        return self._position

    @property
    def answered(self) -> Sequence[Answered]:
        """The decisions and skips of this session that were not undone."""
        return tuple(self._answered)

    @property
    def per_minute(self) -> float | None:
        """Recent decisions a minute; None for too few decisions."""
        if len(self._times) <= _TOO_FEW:
            return None
        passed = self._times[-1] - self._times[0]
        return 60 * (len(self._times) - 1) / passed if passed else None

    def decide(self, position: int, now: str) -> None:
        """Write the decision ``now`` (a label of the task, or UNUSABLE) and advance. Raises OSError, then stays."""
        with self._lock:
            if question := self._at(position):
                self._write(question, now, _LOOKED)
                self._go_on(now)

    def skip(self, position: int) -> None:
        """Skip the photo in this session."""
        with self._lock:
            if self._at(position):
                self._go_on(None)

    def undo(self) -> None:
        """Return to the last photo and revert its decision. Raises OSError without moving."""
        with self._lock:
            if not self._answered:
                return
            last = self._answered[-1]
            question = self.questions[last.position]
            if last.now is not None:
                self._write(question, question.label, corrections.UNDONE)
            self._answered.pop()
            self._position = last.position

    def _at(self, position: int) -> Question | None:
        return self.questions[position] if position == self._position < len(self.questions) else None

    def _write(self, question: Question, now: str, why: str) -> None:
        corrections.add(self.path, Correction(question.name, question.task, question.label, now, why))

    def _go_on(self, now: str | None) -> None:
        self._answered.append(Answered(self._position, now))
        self._times.append(self._clock())
        self._position += 1
        while self._position < len(self.questions) and self._moot(self.questions[self._position]):
            self._position += 1

    def _moot(self, question: Question) -> bool:
        """Return whether a decision on the waste type has made the cleanliness irrelevant."""
        decided = {self.questions[one.position].name: one for one in self._answered if self._is_type(one)}
        last = decided.get(question.name)
        shows_nothing = last is not None and last.now in ("other", UNUSABLE)
        return question.task == "cleanliness" and not question.label and shows_nothing

    def _is_type(self, one: Answered) -> bool:
        return self.questions[one.position].task == "waste_type"


def tally(session: LabellingSession) -> dict[str, int]:
    """Return the number of questions of this session by outcome, in words."""
    outcomes = [(session.questions[one.position].label, one.now) for one in session.answered]
    return {
        "confirmed": sum(now == label != UNUSABLE for label, now in outcomes),
        "changed": sum(bool(now) and now != label for label, now in outcomes),
        "not usable": sum(now == UNUSABLE for _, now in outcomes),
        "skipped": sum(now is None for _, now in outcomes),
    }


def doubts(dataset: Dataset, suggestions: Iterable[Suggestion]) -> list[Question]:
    """Return the suggestions as questions, in the same order."""
    return [
        Question(
            found.item,
            dataset.name(found.item),
            found.task,
            found.label,
            ModelSuggestion(found.suggested, found.probability, found.twin),
        )
        for found in suggestions
    ]


def is_decided(known: Corrections, name: str, task: Task, label: str) -> bool:
    """Return whether the photo was reviewed with its current label."""
    last = known.get((name, task))
    return last is not None and last.was == label


def _everything(dataset: Dataset, known: Corrections, tasks: Sequence[Task]) -> Iterator[Question]:
    mended = corrections.applied(dataset, known)
    for item, now in zip(dataset.photos, mended.photos, strict=True):
        name = dataset.name(item)
        for task in tasks:
            label = item.labels.get(task, "")
            foreign = task == "cleanliness" and not label and _shows_nothing_of_ours(now, name, known)
            if not foreign and not is_decided(known, name, task, label):
                yield Question(item, name, task, label)


def _was_unfamiliar(item: LabelledPhoto) -> bool:
    """Return whether `triof dataset from-journal` copied it as unfamiliar."""
    return "unfamiliar" in item.notes.get("why", "").split()


def _shows_nothing_of_ours(mended: LabelledPhoto, name: str, known: Corrections) -> bool:
    """Return whether the cleanliness of the photo is irrelevant."""
    waste_type = mended.labels.get("waste_type")
    looked = known.get((name, "waste_type"))
    unusable = not waste_type and looked is not None and looked.now == UNUSABLE
    return waste_type == "other" or unusable
