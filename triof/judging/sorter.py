"""The way of a photo: image, photo, router, verdict. Each step takes what the step before returned."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from uuid import UUID

from providers.base import TASKS, NoProviderAnswered, Photo, Prediction, Task
from providers.photo_statistics import SIDE, PhotoStatistics, measure
from triof.common.worker_pool import AllBusy, Workers
from triof.judging import photo as photos
from triof.judging.router import Member, Router
from triof.judging.verdict import Verdict, decide
from triof.settings.sections.photo import DEFAULT_LIMITS, PhotoLimits
from triof.settings.sections.policy import Policy
from triof.settings.tree import Mode

_Heard = Prediction | NoProviderAnswered


@dataclass(frozen=True)
class Judgement:
    """Everything that was found out about one photo; ``duration`` in seconds, from bytes to verdict."""

    photo: Photo
    predictions: Mapping[Task, Prediction]
    unanswered: Mapping[Task, NoProviderAnswered]
    verdict: Verdict
    duration: float
    mode: Mode

    @property
    def statistics(self) -> PhotoStatistics:
        """What the photo is like; worked out when asked for, as who only wants an answer does not need it."""
        return measure(self.photo)


class Followed(NamedTuple):
    """A deposit's photo after its verdict."""

    deposit_id: UUID
    judgement: Judgement
    load: Callable[[int], Photo]
    """Decodes it so that a model loses nothing whose shortest side is given."""
    members: Callable[[Task], Sequence[Member]]
    """Who is in production."""


class Sorter:
    """Judges photos; safe to call from many threads.

    ``compare`` asks other models about a deposit's photo after its verdict; it returns at once and raises nothing.
    """

    def __init__(
        self,
        router: Router,
        policy: Policy,
        limits: PhotoLimits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.monotonic,
        compare: Callable[[Followed], None] | None = None,
    ) -> None:
        self.router = router
        self._policy = policy
        self._limits = limits
        self._clock = clock
        self._compare = compare
        self._helpers = Workers("judging", (os.cpu_count() or 1) - 1)
        self._observers: list[Callable[[Judgement], None]] = []

    def observe(self, observer: Callable[[Judgement], None]) -> None:
        """Tell ``observer``, which must not raise or dawdle, of each judgement from now on."""
        self._observers.append(observer)

    def judge(self, image: bytes, deposit_id: UUID | None = None) -> Judgement:
        """Judge encoded ``image``. Raises PhotoError; a question left open is in ``unanswered``.

        A new model on trial is asked for a ``deposit_id`` only, and for the same one always or never.
        """
        started = self._clock()
        mode = self.router.mode
        photo = photos.load(image, self._limits, needed_side=self._side(deposit_id))
        heard = self._ask_all(partial(self._ask, photo, deposit_id, self._clock() - started))
        predictions = {task: answer for task, answer in heard.items() if isinstance(answer, Prediction)}
        unanswered = {task: answer for task, answer in heard.items() if isinstance(answer, NoProviderAnswered)}
        verdict = decide(predictions.get("waste_type"), predictions.get("cleanliness"), self._policy)
        judged = Judgement(photo, predictions, unanswered, verdict, self._clock() - started, mode)
        for observer in self._observers:
            observer(judged)
        return judged

    def follow_up(self, deposit_id: UUID, image: bytes, judgement: Judgement) -> None:
        """After the answer: let a new model on trial, or the one in production beside it, answer too; later."""
        if not self._compare:
            return
        side = self._side(deposit_id)

        def load(needed: int) -> Photo:
            # Production must see its photos as it does without a candidate, so that one may have to be decoded anew.
            return judgement.photo if needed <= side else photos.load(image, self._limits, needed_side=needed)

        self._compare(Followed(deposit_id, judgement, load, self.router.members))

    def to_jpeg(self, image: bytes) -> bytes:
        """The photo as a JPEG to show and keep, upright and without metadata. Raises PhotoError."""
        return photos.to_jpeg(image, self._limits)

    def close(self) -> None:
        """End the helpers and close the router."""
        self._helpers.close()
        self.router.close()

    def _ask_all(self, ask: Callable[[Task], _Heard]) -> Mapping[Task, _Heard]:
        """Both questions at once as long as there is a core for it: who waits alone waits for the longer one only."""
        first, second = TASKS
        try:
            asked = self._helpers.submit(partial(ask, second))
        except AllBusy:
            return {first: ask(first), second: ask(second)}
        return {first: ask(first), second: asked.result()}

    def _ask(self, photo: Photo, deposit_id: UUID | None, spent: float, task: Task) -> _Heard:
        try:
            return self.router.predict(photo, task, deposit_id, spent=spent)
        except NoProviderAnswered as error:
            return error

    def _side(self, deposit_id: UUID | None) -> int:
        return max(SIDE, self.router.side_for(deposit_id))
