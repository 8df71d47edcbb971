"""Looking at labels one by one: which photos, in which order, what was decided, and taking it back.

Every decision is a line in the file of corrections, on the disk before the next photo is asked for, so that whoever
stops at any moment goes on from there the next time.
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
    from triof.curation.label_errors import Suggestion

Order = Literal["worst", "as-is", "random"]
ORDERS: tuple[Order, ...] = get_args(Order)
UNUSABLE = ""
"""The decision that a photo shows nothing to learn the task from."""

_LOOKED = "looked at"
_PACE = 30
"""Over so many decisions the pace is measured,"""
_TOO_FEW = 5
"""and by more than these."""


@dataclass(frozen=True)
class ModelSuggestion:
    """What a model thinks that a photo shows: the label, its probability from 0 to 1, and why that is remarkable."""

    label: str
    probability: float
    reason: str = ""


@dataclass(frozen=True)
class Question:
    """One photo and one task. ``label`` is what people said so far, empty where nobody has."""

    item: LabelledPhoto
    name: str
    task: Task
    label: str
    doubt: ModelSuggestion | None = None
    """Why it is asked, where something speaks against the label."""


@dataclass(frozen=True)
class Answered:
    """A question that is behind us; ``now`` is None where it was skipped."""

    position: int
    now: str | None


def questions(
    dataset: Dataset,
    known: Corrections,
    tasks: Sequence[Task],
    order: Order,
    doubts: Iterable[Question] = (),
) -> list[Question]:
    """What is left to be looked at, task by task, without what is decided already.

    ``worst``: the photos that were unfamiliar to the machine, those without a label, then the ``doubts`` in their
    order; the others: every photo.
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
        random.Random(0).shuffle(asked)  # the same every time, so that one can stop and go on
    # One task after the other: who is asked two questions in turn presses the key of the other one.
    return sorted(asked, key=lambda ask: tasks.index(ask.task))


class LabellingSession:
    """The questions in turn; safe to call from many threads.

    A decision names the position it was made for, so that a second press cannot decide about a photo nobody saw.
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
        """Of the question asked now, from 0; past the last one at the end."""
        return self._position

    @property
    def answered(self) -> Sequence[Answered]:
        """What was decided or skipped in this sitting, and not taken back."""
        return tuple(self._answered)

    @property
    def per_minute(self) -> float | None:
        """The pace of late; None before anybody can tell."""
        if len(self._times) <= _TOO_FEW:
            return None
        passed = self._times[-1] - self._times[0]
        return 60 * (len(self._times) - 1) / passed if passed else None

    def decide(self, position: int, now: str) -> None:
        """Write the decision ``now`` (a label of the task, or UNUSABLE) and go on. Raises OSError, and stays then."""
        with self._lock:
            if question := self._at(position):
                self._write(question, now, _LOOKED)
                self._go_on(now)

    def skip(self, position: int) -> None:
        """Leave the photo for another time."""
        with self._lock:
            if self._at(position):
                self._go_on(None)

    def undo(self) -> None:
        """Go back to the last photo, and take back what was decided about it. Raises OSError, and stays then."""
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
        """Whether it was just found out that the photo shows nothing whose cleanliness matters."""
        decided = {self.questions[one.position].name: one for one in self._answered if self._is_type(one)}
        last = decided.get(question.name)
        shows_nothing = last is not None and last.now in ("other", UNUSABLE)
        return question.task == "cleanliness" and not question.label and shows_nothing

    def _is_type(self, one: Answered) -> bool:
        return self.questions[one.position].task == "waste_type"


def tally(session: LabellingSession) -> dict[str, int]:
    """What came of this sitting: how many by outcome, in words."""
    outcomes = [(session.questions[one.position].label, one.now) for one in session.answered]
    return {
        "confirmed": sum(now == label != UNUSABLE for label, now in outcomes),
        "changed": sum(bool(now) and now != label for label, now in outcomes),
        "not usable": sum(now == UNUSABLE for _, now in outcomes),
        "skipped": sum(now is None for _, now in outcomes),
    }


def doubts(dataset: Dataset, suggestions: Iterable[Suggestion]) -> list[Question]:
    """What speaks against labels, as questions in the same order."""
    return [
        Question(
            found.item,
            dataset.name(found.item),
            found.task,
            found.label,
            ModelSuggestion(found.suggested, found.probability, found.reason),
        )
        for found in suggestions
    ]


def is_decided(known: Corrections, name: str, task: Task, label: str) -> bool:
    """Whether somebody has looked at the photo since it carries this label."""
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
    """Whether `triof dataset from-journal` took it as the machine had never seen the like."""
    return "unfamiliar" in item.notes.get("why", "").split()


def _shows_nothing_of_ours(mended: LabelledPhoto, name: str, known: Corrections) -> bool:
    """Whether nobody needs to know how clean it is."""
    waste_type = mended.labels.get("waste_type")
    looked = known.get((name, "waste_type"))
    unusable = not waste_type and looked is not None and looked.now == UNUSABLE
    return waste_type == "other" or unusable
