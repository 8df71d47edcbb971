"""Judges a photo: image, photo, router, verdict. Each step takes the result of the step before."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from uuid import UUID

from providers.base import TASKS, NoProviderAnswered, Photo, Prediction, Task
from providers.photo_statistics import SIDE, PhotoStatistics, measure
from triof.common.worker_pool import AllBusy, Answer, Item, Workers
from triof.judging import photo as photos
from triof.judging.router import Member, Router
from triof.judging.slot_view import SlotFinding, SlotView, cut_out, needed_side
from triof.judging.verdict import Verdict, by_picture, decide
from triof.machine.empty_slot.item import Box
from triof.settings.modes import Mode
from triof.settings.sections.photo import DEFAULT_LIMITS, PhotoLimits
from triof.settings.sections.policy import Policy

_Heard = Prediction | NoProviderAnswered


@dataclass(frozen=True)
class Judgement:
    """The complete result for one photo; ``duration`` in seconds, from bytes to verdict."""

    photo: Photo
    predictions: Mapping[Task, Prediction]
    unanswered: Mapping[Task, NoProviderAnswered]
    verdict: Verdict
    duration: float
    mode: Mode
    finding: SlotFinding | None = None
    """What the photo shows beside the empty slot; None without a reference."""

    @property
    def item_box(self) -> Box | None:
        """The part of the photo with the item, if it was found."""
        return self.finding.cut if self.finding else None

    @property
    def statistics(self) -> PhotoStatistics:
        """Brightness and sharpness of the photo, computed on demand."""
        return measure(self.photo)


class Followed(NamedTuple):
    """A deposit's photo after its verdict."""

    deposit_id: UUID
    judgement: Judgement
    load: Callable[[int], Photo]
    """Decodes the photo in the detail that a model with the given needed side can use."""
    members: Callable[[Task], Sequence[Member]]
    """The providers in production."""


class Sorter:
    """Judges photos. Thread-safe.

    ``compare`` calls other models about a deposit's photo after its verdict; it must return at once and not raise.
    ``slot_view`` finds the item in the photos of deposits, which the machine's camera has taken; with
    ``sends_items_only`` no photo in which it finds none is sent to a cloud.
    """

    def __init__(
        self,
        router: Router,
        policy: Policy,
        limits: PhotoLimits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.monotonic,
        *,
        compare: Callable[[Followed], None] | None = None,
        slot_view: SlotView | None = None,
        sends_items_only: bool = False,
    ) -> None:
        self.router = router
        self._policy = policy
        self._limits = limits
        self._clock = clock
        self._compare = compare
        self._slot_view = slot_view
        self._sends_items_only = sends_items_only
        self._helpers = Workers("judging", (os.cpu_count() or 1) - 1)
        self._batches = Workers("batches", os.cpu_count() or 1)
        self._observers: list[Callable[[Judgement], None]] = []

    def observe(self, observer: Callable[[Judgement], None]) -> None:
        """Call ``observer``, which must not raise or block, with each judgement from now on."""
        self._observers.append(observer)

    def judge(self, image: bytes, deposit_id: UUID | None = None, *, shows_slot: bool = False) -> Judgement:
        """Judge encoded ``image``. Raises PhotoError; tasks without an answer are in ``unanswered``.

        Experiments apply only with a ``deposit_id``, and always alike for the same one. The photo of a deposit, and
        one that ``shows_slot``, the closed one of this machine, is compared with the empty slot.
        """
        started = self._clock()
        mode = self.router.mode
        side = self._side(deposit_id)
        photo = photos.load(image, self._limits, needed_side=side)
        finding = self._slot_view.find(photo) if self._slot_view and (deposit_id or shows_slot) else None
        verdict = by_picture(finding.comparison.state) if finding else None
        heard: Mapping[Task, _Heard] = {}
        if not verdict:
            seen = self._cut(image, photo, finding, side)
            ask = partial(self._ask, seen, deposit_id, self._clock() - started, self._stays_here(finding))
            heard = self._ask_all(ask)
        predictions = {task: answer for task, answer in heard.items() if isinstance(answer, Prediction)}
        unanswered = {task: answer for task, answer in heard.items() if isinstance(answer, NoProviderAnswered)}
        verdict = verdict or decide(predictions.get("waste_type"), predictions.get("cleanliness"), self._policy)
        judged = Judgement(photo, predictions, unanswered, verdict, self._clock() - started, mode, finding)
        for observer in self._observers:
            observer(judged)
        return judged

    def map(self, call: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Yield ``call(item)`` of each item in their order, with a thread for each core; ``call`` judges a photo."""
        return self._batches.map(call, items)

    def follow_up(self, deposit_id: UUID, image: bytes, judgement: Judgement) -> None:
        """Schedule the comparison of other models on a judged photo."""
        # The candidates may be in the cloud.
        if not self._compare or self._stays_here(judgement.finding):
            return
        side = self._side(deposit_id)

        def load(needed: int) -> Photo:
            # Production's photo was decoded for production alone, so a candidate may need it decoded again.
            whole = judgement.photo if needed <= side else photos.load(image, self._limits, needed_side=needed)
            return self._cut(image, whole, judgement.finding, needed)

        self._compare(Followed(deposit_id, judgement, load, self.router.members))

    def _cut(self, image: bytes, photo: Photo, finding: SlotFinding | None, side: int) -> Photo:
        """Return the part of the photo that the models see, decoded again where it would have too few pixels."""
        if not finding or not finding.cut:
            return photo
        needed = needed_side(photo, finding.cut, side)
        # A JPEG is decoded at a half, a quarter or an eighth of its scale.
        if min(photo.picture.size) < needed and photo.picture.size != (photo.width, photo.height):
            photo = photos.load(image, self._limits, needed_side=needed)
        return cut_out(photo, finding.cut)

    def to_jpeg(self, image: bytes) -> bytes:
        """Encode the photo as a JPEG to show and store, upright, without metadata. Raises PhotoError."""
        return photos.to_jpeg(image, self._limits)

    def close(self) -> None:
        """Stop the workers and close the router."""
        self._helpers.close()
        self._batches.close()
        self.router.close()

    def _ask_all(self, ask: Callable[[Task], _Heard]) -> Mapping[Task, _Heard]:
        """Ask both questions in parallel if a core is free, so that a single caller waits only for the longer one."""
        first, second = TASKS
        try:
            asked = self._helpers.submit(partial(ask, second))
        except AllBusy:
            return {first: ask(first), second: ask(second)}
        return {first: ask(first), second: asked.result()}

    def _stays_here(self, finding: SlotFinding | None) -> bool:
        return self._sends_items_only and not (finding and finding.cut)

    def _ask(self, photo: Photo, deposit_id: UUID | None, spent: float, stays_here: bool, task: Task) -> _Heard:
        try:
            return self.router.predict(photo, task, deposit_id, spent=spent, stays_here=stays_here)
        except NoProviderAnswered as error:
            return error

    def _side(self, deposit_id: UUID | None) -> int:
        return max(SIDE, self.router.side_for(deposit_id))
