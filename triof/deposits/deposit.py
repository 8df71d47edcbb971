"""The deposit: one person's visit, from the open slot to shredded or handed back.

::

    open ──► INSERTING ──judge──► CHOOSING ──confirm──► SORTING ──► SHREDDED
                 │                   │                     │ jam
                 └──── give back, refuse, time out ────────┴──────► RETURNED

There is one machine, so there is one deposit at a time. What a person confirmed is in the journal before anything
moves, and after a crash the next start closes the slot and marks what was interrupted. While a part is stuck or the
journal cannot be written nothing new is taken; what is under way goes on as far as nothing of it is lost.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from enum import Enum, auto
from threading import RLock
from typing import Literal
from uuid import UUID, uuid4

from providers.event_log import get_logger
from triof.common.repeated_faults import Complaints
from triof.deposits.deposit_journal import DepositJournal
from triof.journal.journal import Kind
from triof.judging.sorter import Judgement, Sorter
from triof.judging.verdict import Reason
from triof.machine.cameras import Camera
from triof.machine.slot import Interlocked, Jammed, Slot, SlotError
from triof.settings.sections.deposit import DepositSettings
from triof.storage.database_errors import PASSING, DatabaseUnusable
from triof.storage.photo_store import PhotoStore

log = get_logger(__name__)

ReturnReason = Literal["other", "dirty", "nothing_seen", "cancelled", "timed_out", "jammed", "out_of_order"]

_REFUSALS: Mapping[Reason, ReturnReason] = {"other": "other", "dirty": "dirty", "nothing_seen": "nothing_seen"}


class DepositStage(Enum):
    """How far a deposit has come."""

    INSERTING = auto()
    CHOOSING = auto()
    SORTING = auto()
    SHREDDED = auto()
    RETURNED = auto()


@dataclass(frozen=True)
class Deposit:
    """A deposit at one moment. ``expires`` is on the clock of its :class:`Deposits`."""

    id: UUID
    visitor: str
    stage: DepositStage
    expires: float
    judgement: Judgement | None = None
    photo: bytes | None = None
    """What was judged, as a JPEG to show."""
    chosen: str | None = None
    """The type the person chose, which the machine may still doubt."""
    step: Literal["box", "shred"] = "box"
    reason: ReturnReason | None = None
    leftover: bool = False
    """Whether an earlier item may still lie inside."""


class Deposits:
    """Leads one deposit at a time through the machine; safe to call from many threads.

    A step that has been taken already is not taken again, so that a reload or a second touch does no harm.
    """

    def __init__(
        self,
        *,
        sorter: Sorter,
        camera: Camera,
        slot: Slot,
        boxes: Mapping[str, int],
        journal: DepositJournal,
        photo_store: PhotoStore,
        settings: DepositSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.camera = camera
        self.slot = slot
        self.boxes = boxes
        self._sorter = sorter
        self._journal = journal
        self._photo_store = photo_store
        self._settings = settings
        self._clock = clock
        self._executor = ThreadPoolExecutor(1, "sorting")
        self._lock = RLock()
        self._current: Deposit | None = None
        self._leftover = False
        self._recovered = False
        self._sorting: Future[None] | None = None
        self._complaints = Complaints(log)

    def recover(self) -> None:
        """At the start: close the slot, then :meth:`mend`. Raises DatabaseUnusable where it is of no use to wait."""
        self._close_slot()
        try:
            self.mend()
        except DatabaseUnusable as error:
            # Out of order for a while is better than not there.
            if error.code not in PASSING:
                raise

    def mend(self) -> None:
        """Take deposits again once the journal can be written; to be called every now and then.

        The first time it marks what a crash interrupted. Raises DatabaseUnusable as long as nothing can be taken.
        """
        if self._recovered:
            if self._journal.fault():
                self._journal.mend()
            return
        with self._lock:
            self._journal.mend()
            interrupted = self._journal.interrupt_unfinished()
            self._leftover |= any(event.kind != "deposit.opened" for event in interrupted)
            self._recovered = True

    def fault(self) -> SlotError | DatabaseUnusable | None:
        """Why no deposit can begin now; None if one can."""
        try:
            if part := self.slot.jammed():
                return Jammed(part)
            self.slot.is_open()
        except SlotError as error:
            return error
        return self._journal.fault()

    def of(self, visitor: str) -> Deposit | None:
        """The visitor's deposit, if one is under way."""
        current = self._current
        return current if current and current.visitor == visitor else None

    def busy(self, visitor: str) -> bool:
        """Whether somebody else's deposit is under way."""
        current = self._current
        return current is not None and current.visitor != visitor

    def seconds_left(self, deposit: Deposit) -> float:
        """How long the deposit may stay as it is."""
        return max(0.0, deposit.expires - self._clock())

    def open(self, visitor: str) -> None:
        """Begin a deposit and open the slot, unless one is under way, whoever's. Raises SlotError, DatabaseUnusable."""
        with self._lock:
            if self._current and not self._at(visitor, DepositStage.SHREDDED, DepositStage.RETURNED):
                return
            if fault := self.fault():
                raise fault
            expires = self._after(self._settings.idle_seconds)
            deposit = Deposit(uuid4(), visitor, DepositStage.INSERTING, expires, leftover=self._leftover)
            self._journal.begin(deposit.id)
            # A slot that is open for an item handed back stays open: a hand may be in it.
            self._current, self._leftover = deposit, False
            try:
                self.slot.open()
            except SlotError as error:
                self._fail(deposit, error)

    def judge(self, visitor: str, upload: bytes | None) -> None:
        """Close the slot, photograph and judge; hand the item back if it is refused.

        Raises CameraError, PhotoError, and whatever else breaks; the slot is open again then.
        """
        with self._lock:
            deposit = self._at(visitor, DepositStage.INSERTING)
            if not deposit:
                return
            try:
                self.slot.close()
                judged = self._photograph(deposit, upload)
            except SlotError as error:
                self._fail(deposit, error)
                return
            except DatabaseUnusable:
                self._hand_back(deposit, "out_of_order")
                return
            except Exception:
                # Whatever it was, the person must be able to take the item out or try once more.
                self._reopen(deposit)
                raise
            self._current = judged
            if judged.judgement and judged.judgement.verdict.action == "refuse":
                self._hand_back(judged, _REFUSALS[judged.judgement.verdict.reason])

    def confirm(self, visitor: str, chosen: str, *, sure: bool = False) -> None:
        """Believe the person and begin to sort; ask once more where the machine is sure of another type.

        ``chosen`` is a type that has a box; raises KeyError otherwise.
        """
        with self._lock:
            deposit = self._at(visitor, DepositStage.CHOOSING)
            if not deposit or not deposit.judgement:
                return
            box = self.boxes[chosen]
            verdict = deposit.judgement.verdict
            if verdict.doubts(chosen) and not (sure and deposit.chosen == chosen):
                self._current = replace(deposit, chosen=chosen, expires=self._after(self._settings.idle_seconds))
                return
            if part := self.slot.jammed():
                self._fail(deposit, Jammed(part))
                return
            predicted = deposit.judgement.predictions.get("waste_type")
            agreed = predicted is not None and predicted.label == chosen
            try:
                self._journal.confirm(deposit.id, chosen, "agreed" if agreed else "corrected")
            except DatabaseUnusable:
                self._hand_back(replace(deposit, chosen=chosen), "out_of_order")
                return
            sorting = replace(deposit, stage=DepositStage.SORTING, chosen=chosen)
            self._current = sorting
            self._sorting = self._executor.submit(copy_context().run, self._sort, sorting, chosen, box)

    def choose_again(self, visitor: str) -> None:
        """The person meant neither their choice nor what the machine sees: nothing is chosen any more."""
        with self._lock:
            if deposit := self._at(visitor, DepositStage.CHOOSING):
                self._current = replace(deposit, chosen=None, expires=self._after(self._settings.idle_seconds))

    def give_back(self, visitor: str) -> None:
        """Open the slot for a person who changed their mind."""
        with self._lock:
            if deposit := self._at(visitor, DepositStage.INSERTING, DepositStage.CHOOSING):
                self._hand_back(deposit, "cancelled")

    def stay(self, visitor: str) -> None:
        """The person is still there: the time begins anew."""
        with self._lock:
            if deposit := self._at(visitor, DepositStage.INSERTING, DepositStage.CHOOSING):
                self._keep_alive(deposit)

    def finish(self, visitor: str) -> None:
        """End a deposit that is shredded or taken back."""
        with self._lock:
            if deposit := self._at(visitor, DepositStage.SHREDDED, DepositStage.RETURNED):
                self._end(deposit)

    def expire(self) -> None:
        """Hand back what was abandoned and end what is over; to be called every now and then."""
        with self._lock:
            deposit = self._current
            if not deposit:
                # Open without a deposit: it was jammed when it should have closed, and is free now.
                if self.slot.is_open() and not self.slot.jammed():
                    self._close_slot()
            elif deposit.stage is DepositStage.SORTING or self.seconds_left(deposit) > 0:
                return
            elif deposit.stage in (DepositStage.INSERTING, DepositStage.CHOOSING):
                self._hand_back(deposit, "timed_out")
            else:
                self._leftover |= deposit.stage is DepositStage.RETURNED and deposit.photo is not None
                self._end(deposit)

    def wait_idle(self) -> None:
        """Return when no item is being sorted any more."""
        if sorting := self._sorting:
            sorting.result()

    def close(self) -> None:
        """Finish what is being sorted, take nothing more, and leave the slot closed."""
        self._executor.shutdown(wait=True)
        with self._lock:
            deposit, self._current = self._current, None
            if deposit and deposit.stage in (DepositStage.INSERTING, DepositStage.CHOOSING):
                self._record("deposit.interrupted", deposit, reason="stopped")
            self._close_slot()
        self._journal.close()

    def _photograph(self, deposit: Deposit, upload: bytes | None) -> Deposit:
        image = self.camera.take(upload)
        judgement = self._sorter.judge(image, deposit.id)
        photo = self._sorter.to_jpeg(image)
        try:
            self._photo_store.store(judgement.photo.sha256, photo)
        except OSError:
            log.exception("photo.not_stored")  # a full disk must not stop deposits
        self._journal.record_judgement(deposit.id, judgement)
        self._sorter.follow_up(deposit.id, image, judgement)
        return replace(
            deposit,
            stage=DepositStage.CHOOSING,
            judgement=judgement,
            photo=photo,
            expires=self._after(self._settings.idle_seconds),
        )

    def _sort(self, deposit: Deposit, chosen: str, box: int) -> None:
        try:
            self.slot.move_box(box)
            deposit = self._current = replace(deposit, step="shred")
            self.slot.shred()
        except Exception as error:
            self._fail(deposit, error)
            return
        self._record("deposit.shredded", deposit)
        self._current = replace(
            deposit, stage=DepositStage.SHREDDED, expires=self._after(self._settings.thanks_seconds)
        )

    def _hand_back(self, deposit: Deposit, reason: ReturnReason) -> None:
        try:
            self.slot.open()
        except SlotError as error:
            self._fail(deposit, error)
            return
        self._current = self._returned(deposit, reason)
        self._record("deposit.returned", deposit, reason=reason)

    def _returned(self, deposit: Deposit, reason: ReturnReason) -> Deposit:
        expires = self._after(self._settings.return_seconds)
        return replace(deposit, stage=DepositStage.RETURNED, reason=reason, expires=expires)

    def _fail(self, deposit: Deposit, error: Exception) -> None:
        """The machine cannot go on with this deposit; the item comes back as long as it is whole."""
        log.error("deposit.failed", deposit_id=deposit.id, exc_info=error)
        with self._lock:
            self._current = self._returned(deposit, "jammed")
            if deposit.step == "box" or isinstance(error, Interlocked):
                try:
                    self.slot.open()
                except SlotError as also:
                    log.error("slot.not_opened", cause=also)
            part = error.part if isinstance(error, Jammed) else type(error).__name__
            self._record("deposit.failed", deposit, reason=part[:32])

    def _reopen(self, deposit: Deposit) -> None:
        try:
            self.slot.open()
            self._keep_alive(deposit)
        except SlotError as error:
            self._fail(deposit, error)

    def _record(self, kind: Kind, deposit: Deposit, reason: str | None = None) -> None:
        """Write what has happened already: a journal that cannot be written must not stop the machine halfway."""
        try:
            self._journal.record(kind, deposit.id, deposit.chosen, reason)
        except Exception:
            log.exception("journal.not_written", kind=kind, deposit_id=deposit.id)

    def _end(self, deposit: Deposit) -> None:
        self._current = None
        if deposit.stage is DepositStage.RETURNED:
            self._close_slot()

    def _close_slot(self) -> None:
        try:
            self.slot.close()
        except SlotError as error:
            # The touchscreen says "out of order" until it is free; then ``expire`` closes it.
            self._complaints.failed("slot.not_closed", error)

    def _at(self, visitor: str, *stages: DepositStage) -> Deposit | None:
        deposit = self.of(visitor)
        return deposit if deposit and deposit.stage in stages else None

    def _keep_alive(self, deposit: Deposit) -> None:
        self._current = replace(deposit, expires=self._after(self._settings.idle_seconds))

    def _after(self, seconds: float) -> float:
        return self._clock() + seconds
