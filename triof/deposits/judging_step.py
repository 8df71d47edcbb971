"""The stage JUDGING: closes the slot, takes the photo and judges it, in a thread and without the deposit's lock."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from providers.event_log import get_logger
from triof.common.worker_pool import AllBusy, Workers
from triof.deposits.deposit_journal import DepositJournal
from triof.deposits.item_return import ItemReturn
from triof.deposits.kept_photos import KeptPhotos
from triof.deposits.lamp import lamp_on
from triof.deposits.slot_content import SlotContent
from triof.deposits.visit import CurrentDeposit, Deposit, DepositStage, ReturnReason
from triof.judging.photo import PhotoError
from triof.judging.sorter import Judgement, Sorter
from triof.judging.verdict import Reason
from triof.machine.cameras.base import Camera, CameraError, NothingChosen
from triof.machine.slot import Slot, SlotError
from triof.storage.database_errors import DatabaseUnusable

log = get_logger(__name__)

_REFUSALS: Mapping[Reason, ReturnReason] = {
    "other": "other",
    "dirty": "dirty",
    "nothing_seen": "nothing_seen",
    "reaches_out": "reaches_out",
}
_WORKERS = 3
"""One for the photo that is judged, the others in place of those that hang."""


class TakenPhoto(NamedTuple):
    """A photo as the camera gave it, and as a JPEG to show."""

    image: bytes
    jpeg: bytes


class JudgingStep:
    """Judges the item of the current deposit. ``seconds`` is the longest time from the photo to the verdict."""

    def __init__(
        self,
        *,
        current: CurrentDeposit,
        sorter: Sorter,
        camera: Camera,
        slot: Slot,
        content: SlotContent,
        photos: KeptPhotos,
        journal: DepositJournal,
        returning: ItemReturn,
        seconds: float,
        camera_failed: Callable[[], None],
    ) -> None:
        self._current = current
        self._sorter = sorter
        self._camera = camera
        self._slot = slot
        self._content = content
        self._photos = photos
        self._journal = journal
        self._returning = returning
        self._seconds = seconds
        self._camera_failed = camera_failed
        self._workers = Workers("deposits", _WORKERS)
        self._running: Future[None] | None = None

    def start(self, deposit: Deposit, upload: bytes | None) -> None:
        """Begin; the caller holds the lock. The stage of the current deposit tells when it is over."""
        judging = self._current.change(deposit, stage=DepositStage.JUDGING, is_inserted=True, problem=None)
        try:
            self._running = self._workers.submit(partial(self._run, judging, upload))
        except AllBusy:
            self._returning.hand_back(judging, "not_judged")

    def give_up(self, deposit: Deposit) -> None:
        """Return an item whose judgement takes too long; its result is not used. The caller holds the lock."""
        log.error("judging.given_up", deposit_id=deposit.id)
        self._returning.hand_back(deposit, "not_judged")

    def wait_idle(self, seconds: float | None = None) -> None:
        """Return when no item is being judged, at the latest after ``seconds``."""
        if self._running:
            wait([self._running], seconds)

    def close(self) -> None:
        """Finish the judgement, as far as it does not hang."""
        self.wait_idle(self._seconds)
        self._workers.close()

    def _run(self, deposit: Deposit, upload: bytes | None) -> None:
        end: Callable[[Deposit], None]
        try:
            photo, is_sensed = self._photograph(deposit, upload)
            judgement = self._sorter.judge(photo.image, deposit.id)
            end = partial(self._decide, photo=photo, judgement=judgement, is_sensed=is_sensed)
        except SlotError as error:
            end = partial(self._returning.fail, error=error)
        except Exception as error:
            # After any error the employee must be able to take the item out or retry.
            end = partial(self._returning.insert_again, problem=self._problem(error))
        with self._current.lock:
            if current := self._current.still(deposit):
                end(current)

    def _photograph(self, deposit: Deposit, upload: bytes | None) -> tuple[TakenPhoto, bool]:
        """Return the photo, which is shown as soon as it is there, and whether an item was sensed in the slot."""
        photo = None
        if self._camera.kind == "browser":
            # The touchscreen has taken it before the slot closes.
            photo = self._take(deposit, upload)
        self._slot.close()
        is_sensed = self._content.is_sensed() is True
        return photo or self._take(deposit, upload), is_sensed

    def _take(self, deposit: Deposit, upload: bytes | None) -> TakenPhoto:
        with lamp_on(self._slot):
            image = self._camera.take(upload)
        photo = TakenPhoto(image, self._sorter.to_jpeg(image))
        with self._current.lock:
            if current := self._current.still(deposit):
                self._current.change(current, self._seconds, photo=photo.jpeg)
        return photo

    def _decide(self, deposit: Deposit, *, photo: TakenPhoto, judgement: Judgement, is_sensed: bool) -> None:
        """Let the employee choose, or return the item if the verdict refuses it."""
        try:
            self._photos.add_judged(judgement, photo.jpeg)
            self._journal.record_judgement(deposit.id, judgement)
            self._sorter.follow_up(deposit.id, photo.image, judgement)
        except DatabaseUnusable:
            self._returning.hand_back(deposit, "out_of_order")
            return
        except Exception as error:
            self._returning.insert_again(deposit, problem=self._problem(error))
            return
        judged = replace(deposit, judgement=judgement, item_sensed=is_sensed)
        if fault := self._slot.fault():
            self._returning.fail(judged, fault)
        elif judgement.verdict.action == "refuse":
            self._returning.hand_back(judged, _REFUSALS[judgement.verdict.reason])
        else:
            is_sure_of_type = judgement.verdict.action == "ask" and judgement.verdict.label is not None
            self._current.change(judged, stage=DepositStage.CHOOSING, asks_cleanliness=is_sure_of_type)

    def _problem(self, error: Exception) -> str:
        """Return the problem to show, after logging what is a fault of the machine."""
        match error:
            case PhotoError():
                return error.code
            case NothingChosen():
                return "no_photo"
            case CameraError():
                log.error("camera.failed", code=error.code, cause=error)
                self._camera_failed()
                return "camera"
            case _:
                log.error("judging.failed", exc_info=error)
                return "internal"
