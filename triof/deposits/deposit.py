"""The deposit: the visit of an employee, from the open slot to a shredded or returned item.

::

    open ──► INSERTING ──judge──► CHOOSING ──confirm──► SORTING ──► SHREDDED
                 │                   │                     │ jam
                 └──── give back, refuse, time out ────────┴──────► RETURNED

A machine has one deposit at a time. The employee's confirmation is in the journal before anything moves. After a
crash the next start closes the slot and marks the interrupted deposit. While the machine has a fault or a technician
works on it, no new deposit begins; the one under way continues as far as none of its events is lost.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from threading import RLock
from uuid import UUID, uuid4

from providers.event_log import get_logger
from triof.common.repeated_faults import Complaints
from triof.deposits.deposit_journal import DepositJournal
from triof.deposits.kept_photos import KeptPhotos
from triof.deposits.lamp import lamp_on
from triof.deposits.machine_faults import MachineFault, MachineFaults
from triof.deposits.maintenance import Maintenance, MaintenanceRefused
from triof.deposits.visit import Deposit, DepositStage, ReturnReason
from triof.journal.journal import Kind
from triof.judging.sorter import Sorter
from triof.judging.verdict import Reason
from triof.machine.cameras.base import Camera
from triof.machine.slot import EmergencyStopped, Interlocked, Jammed, Slot, SlotError
from triof.settings.sections.machine.deposit import DepositSettings
from triof.storage.database_errors import PASSING, DatabaseUnusable

log = get_logger(__name__)

_REFUSALS: Mapping[Reason, ReturnReason] = {
    "other": "other",
    "dirty": "dirty",
    "nothing_seen": "nothing_seen",
    "reaches_out": "reaches_out",
}


class Deposits:
    """Runs one deposit at a time. Thread-safe.

    Each step is idempotent, so that a page reload or a second touch has no effect. ``item_is_there`` looks into the
    closed slot before it opens; None if that tells nothing.
    """

    def __init__(
        self,
        *,
        sorter: Sorter,
        camera: Camera,
        slot: Slot,
        boxes: Mapping[str, int],
        journal: DepositJournal,
        photos: KeptPhotos,
        settings: DepositSettings,
        maintenance_seconds: float = 600,
        clock: Callable[[], float] = time.monotonic,
        new_id: Callable[[], UUID] = uuid4,
        item_is_there: Callable[[], bool | None] = lambda: None,
    ) -> None:
        self.camera = camera
        self.slot = slot
        self.boxes = boxes
        self._sorter = sorter
        self._journal = journal
        self._photos = photos
        self._settings = settings
        self._clock = clock
        self._new_id = new_id
        self.maintenance = Maintenance(maintenance_seconds, clock, self.slot.may_be_open)
        self.faults = MachineFaults(slot, camera, journal, self.maintenance, clock)
        self._executor = ThreadPoolExecutor(1, "sorting")
        self._lock = RLock()
        self._current: Deposit | None = None
        self._leftover = False
        self._look_inside = item_is_there
        self._emptied = False
        self._recovered = False
        self._sorting: Future[None] | None = None
        self._complaints = Complaints(log)

    def recover(self) -> None:
        """Close the slot, then :meth:`mend`; called at startup. Raises DatabaseUnusable for a permanent fault."""
        self._close_slot()
        try:
            self.mend()
        except DatabaseUnusable as error:
            # A temporary fault shows "out of order" instead of ending the program.
            if error.code not in PASSING:
                raise

    def mend(self) -> None:
        """Accept deposits again if the journal can be written; called periodically.

        The first call marks deposits that a crash interrupted. Raises DatabaseUnusable while the journal is unusable.
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

    def fault(self) -> MachineFault | None:
        """Return why no deposit can begin now; None if one can."""
        return self.faults.current()

    def hold(self, actor: str) -> None:
        """Begin maintenance, or keep it for another while. Raises MaintenanceRefused while a deposit is under way."""
        with self._lock:
            if self._current:
                raise MaintenanceRefused("An employee is using the machine: wait until the deposit is over.")
            self.maintenance.hold(actor)
            # The technician may lay something into the slot.
            self._emptied = False

    def is_idle(self) -> bool:
        """Return whether neither a deposit nor maintenance is under way, and the slot is closed. Raises SlotError."""
        return self._current is None and not self.maintenance.actor and not self.slot.is_open()

    def is_emptied(self) -> bool:
        """Return whether the latest item was shredded, so that the slot is surely empty."""
        return self._emptied

    def of(self, visitor: str) -> Deposit | None:
        """Return the visitor's deposit, if one is under way."""
        current = self._current
        return current if current and current.visitor == visitor else None

    def busy(self, visitor: str) -> bool:
        """Return whether another visitor's deposit is under way."""
        current = self._current
        return current is not None and current.visitor != visitor

    def seconds_left(self, deposit: Deposit) -> float:
        """Return the seconds until the deposit times out."""
        return max(0.0, deposit.expires - self._clock())

    def open(self, visitor: str) -> None:
        """Begin a deposit and open the slot, unless one is under way. Raises the :attr:`MachineFault`."""
        with self._lock:
            if self._current and not self._at(visitor, DepositStage.SHREDDED, DepositStage.RETURNED):
                return
            if fault := self.fault():
                raise fault
            leftover = self._is_leftover()
            expires = self._after(self._settings.idle_seconds)
            deposit = Deposit(self._new_id(), visitor, DepositStage.INSERTING, expires, leftover=leftover)
            self._journal.begin(deposit.id)
            # A slot left open for a returned item is not moved, as a hand may be in it.
            self._current, self._leftover, self._emptied = deposit, False, False
            try:
                self.slot.open()
            except SlotError as error:
                self._fail(deposit, error)

    def judge(self, visitor: str, upload: bytes | None) -> None:
        """Close the slot, take the photo and judge it; return the item if the verdict refuses it.

        Raises CameraError, PhotoError, or any unexpected error, after opening the slot again.
        """
        with self._lock:
            deposit = self._at(visitor, DepositStage.INSERTING)
            if not deposit:
                return
            try:
                self.slot.close()
                sensed = replace(deposit, item_sensed=self._item_is_there() is True)
                judged = self._photograph(sensed, upload)
            except SlotError as error:
                self._fail(deposit, error)
                return
            except DatabaseUnusable:
                self._hand_back(deposit, "out_of_order")
                return
            except Exception:
                # After any error the employee must be able to take the item out or retry.
                self._reopen(deposit)
                raise
            self._current = judged
            if judged.judgement and judged.judgement.verdict.action == "refuse":
                self._hand_back(judged, _REFUSALS[judged.judgement.verdict.reason])

    def confirm(self, visitor: str, chosen: str, *, sure: bool = False) -> None:
        """Accept the employee's choice and start sorting; ask again if the machine is sure of another type.

        Raises KeyError unless ``chosen`` is a type that has a box.
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
            if fault := self.slot.fault():
                self._fail(deposit, fault)
                return
            if self._is_taken_back(deposit):
                self._hand_back(deposit, "taken_back")
                return
            predicted = deposit.judgement.predictions.get("waste_type")
            agreed = predicted is not None and predicted.label == chosen
            try:
                self._journal.confirm(deposit.id, chosen, "agreed" if agreed else "corrected")
            except DatabaseUnusable:
                self._hand_back(replace(deposit, chosen=chosen), "out_of_order")
                return
            if not agreed and deposit.photo:
                self._photos.add_corrected(deposit.judgement, deposit.photo)
            sorting = replace(deposit, stage=DepositStage.SORTING, chosen=chosen)
            self._current = sorting
            self._sorting = self._executor.submit(copy_context().run, self._sort, sorting, chosen, box)

    def choose_again(self, visitor: str) -> None:
        """Clear the choice."""
        with self._lock:
            if deposit := self._at(visitor, DepositStage.CHOOSING):
                self._current = replace(deposit, chosen=None, expires=self._after(self._settings.idle_seconds))

    def give_back(self, visitor: str) -> None:
        """Return the item to an employee who changed their mind."""
        with self._lock:
            if deposit := self._at(visitor, DepositStage.INSERTING, DepositStage.CHOOSING):
                self._hand_back(deposit, "cancelled")

    def stay(self, visitor: str) -> None:
        """Restart the timeout, as the employee is still there."""
        with self._lock:
            if deposit := self._at(visitor, DepositStage.INSERTING, DepositStage.CHOOSING):
                self._keep_alive(deposit)

    def finish(self, visitor: str) -> None:
        """End a deposit whose item was shredded or returned."""
        with self._lock:
            if deposit := self._at(visitor, DepositStage.SHREDDED, DepositStage.RETURNED):
                self._end(deposit)

    def expire(self) -> None:
        """Return abandoned items and end finished deposits; called periodically."""
        with self._lock:
            deposit = self._current
            if not deposit:
                # An open slot without a deposit was jammed when it should have closed, or left open by a technician.
                if not self.maintenance.actor and self.slot.is_open() and not self.slot.fault():
                    self._close_slot()
            elif deposit.stage is DepositStage.SORTING or self.seconds_left(deposit) > 0:
                return
            elif deposit.stage in (DepositStage.INSERTING, DepositStage.CHOOSING):
                self._hand_back(deposit, "timed_out")
            else:
                self._leftover |= deposit.stage is DepositStage.RETURNED and deposit.photo is not None
                self._end(deposit)

    def wait_idle(self) -> None:
        """Return when no item is being sorted."""
        if sorting := self._sorting:
            sorting.result()

    def close(self) -> None:
        """Finish sorting, accept no more deposits, and close the slot."""
        self._executor.shutdown(wait=True)
        with self._lock:
            deposit, self._current = self._current, None
            if deposit and deposit.stage in (DepositStage.INSERTING, DepositStage.CHOOSING):
                self._record("deposit.interrupted", deposit, reason="stopped")
            self._close_slot()
        with suppress(SlotError):
            self.slot.release()
        self._journal.close()

    def _photograph(self, deposit: Deposit, upload: bytes | None) -> Deposit:
        with lamp_on(self.slot):
            image = self.camera.take(upload)
        judgement = self._sorter.judge(image, deposit.id)
        photo = self._sorter.to_jpeg(image)
        self._photos.add_judged(judgement, photo)
        self._journal.record_judgement(deposit.id, judgement)
        self._sorter.follow_up(deposit.id, image, judgement)
        expires = self._after(self._settings.idle_seconds)
        return replace(deposit, stage=DepositStage.CHOOSING, judgement=judgement, photo=photo, expires=expires)

    def _sort(self, deposit: Deposit, chosen: str, box: int) -> None:
        try:
            self.slot.move_box(box)
            if self._is_taken_back(deposit):
                self._hand_back(deposit, "taken_back")
                return
            deposit = self._current = replace(deposit, step="shred")
            self.slot.shred()
        except Exception as error:
            self._fail(deposit, error)
            return
        self._record("deposit.shredded", deposit)
        self._emptied = True
        self._current = replace(
            deposit, stage=DepositStage.SHREDDED, expires=self._after(self._settings.thanks_seconds)
        )

    def _item_is_there(self) -> bool | None:
        """Return whether an item lies in the slot; None: not known."""
        try:
            return self.slot.sensors().item
        except SlotError:
            return None

    def _is_leftover(self) -> bool:
        """Return whether an item lies in the slot; where neither sensor nor picture can tell, whether one may."""
        # A person who tries again has put their own item in already.
        if self._current or self.slot.is_open():
            return self._leftover
        there = self._item_is_there()
        there = self._look_inside() if there is None else there
        return self._leftover if there is None else there

    def _is_taken_back(self, deposit: Deposit) -> bool:
        return deposit.item_sensed and self._item_is_there() is False

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
        """Abort the deposit after a fault; the item is returned unless it was shredded."""
        log.error("deposit.failed", deposit_id=deposit.id, exc_info=error)
        with self._lock:
            stopped = isinstance(error, EmergencyStopped)
            self._current = self._returned(deposit, "emergency_stop" if stopped else "jammed")
            if deposit.step == "box" or isinstance(error, Interlocked):
                try:
                    self.slot.open()
                except SlotError as also:
                    self._leftover |= deposit.photo is not None
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
        """Record an event that has happened already; a failing journal must not stop the machine halfway."""
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
            # The touchscreen shows "out of order" until the slot is free; ``expire`` then closes it.
            self._complaints.failed("slot.not_closed", error)

    def _at(self, visitor: str, *stages: DepositStage) -> Deposit | None:
        deposit = self.of(visitor)
        return deposit if deposit and deposit.stage in stages else None

    def _keep_alive(self, deposit: Deposit) -> None:
        self._current = replace(deposit, expires=self._after(self._settings.idle_seconds))

    def _after(self, seconds: float) -> float:
        return self._clock() + seconds
