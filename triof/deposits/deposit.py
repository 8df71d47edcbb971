"""The deposit: the visit of an employee, from the open slot to a shredded or returned item.

::

    open ──► INSERTING ──judge──► JUDGING ──► CHOOSING ──confirm──► SORTING ──► SHREDDED
                 │ ◄──no photo───── │            │                     │ jam
                 └──────── give back, refuse, time out ────────────────┴──────► RETURNED

JUDGING and SORTING go on in threads of their own; the touchscreen asks for the stage until they are over.
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
from uuid import UUID, uuid4

from triof.deposits.deposit_journal import DepositJournal
from triof.deposits.item_return import ItemReturn
from triof.deposits.judging_step import JudgingStep
from triof.deposits.kept_photos import KeptPhotos
from triof.deposits.machine_faults import MachineFault, MachineFaults
from triof.deposits.maintenance import Maintenance, MaintenanceRefused
from triof.deposits.slot_content import SlotContent
from triof.deposits.visit import CurrentDeposit, Deposit, DepositStage
from triof.judging.sorter import Judgement, Sorter
from triof.machine.cameras.base import Camera
from triof.machine.slot import Slot, SlotError
from triof.settings.sections.machine.deposit import DepositSettings
from triof.storage.database_errors import PASSING, DatabaseUnusable

_ASKING = (DepositStage.INSERTING, DepositStage.CHOOSING)
"""Stages at which the machine waits for the employee."""
_ENDED = (DepositStage.SHREDDED, DepositStage.RETURNED)


class Deposits:
    """Runs one deposit at a time. Thread-safe.

    Each step is idempotent, so that a page reload or a second touch has no effect. ``item_is_there`` looks into the
    slot; None if that tells nothing. An item whose judgement takes ``judging_seconds`` from the photo on is returned.
    ``camera_failed`` is called when the camera gives no photo.
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
        judging_seconds: float = 5.0,
        maintenance_seconds: float = 600,
        clock: Callable[[], float] = time.monotonic,
        new_id: Callable[[], UUID] = uuid4,
        item_is_there: Callable[[], bool | None] = lambda: None,
        camera_failed: Callable[[], None] = lambda: None,
    ) -> None:
        self.camera = camera
        self.slot = slot
        self.boxes = boxes
        self._journal = journal
        self._photos = photos
        self._settings = settings
        self._new_id = new_id
        self.maintenance = Maintenance(maintenance_seconds, clock, self.slot.may_be_open)
        self.faults = MachineFaults(slot, camera, journal, self.maintenance, clock)
        self._current = CurrentDeposit(settings.idle_seconds, clock)
        self._lock = self._current.lock
        self._content = SlotContent(slot, item_is_there)
        self._returning = ItemReturn(self._current, slot, self._content, journal, settings.return_seconds)
        self._judging = JudgingStep(
            current=self._current,
            sorter=sorter,
            camera=camera,
            slot=slot,
            content=self._content,
            photos=photos,
            journal=journal,
            returning=self._returning,
            seconds=judging_seconds,
            camera_failed=camera_failed,
        )
        self._executor = ThreadPoolExecutor(1, "sorting")
        self._sorting: Future[None] | None = None
        self._recovered = False
        self._is_interrupted = False

    def recover(self) -> None:
        """Close the slot, then :meth:`mend`; called at startup. Raises DatabaseUnusable for a permanent fault."""
        self._returning.close_if_empty()
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
            self._journal.interrupt_unfinished()
            self._is_interrupted = self._journal.was_interrupted()
            self._content.may_be_left |= self._is_interrupted
            self._recovered = True

    def fault(self) -> MachineFault | None:
        """Return why no deposit can begin now; None if one can."""
        return self.faults.current()

    def hold(self, actor: str) -> None:
        """Begin maintenance, or keep it for another while. Raises MaintenanceRefused while a deposit is under way."""
        with self._lock:
            if (deposit := self._current.deposit) and not deposit.is_held:
                raise MaintenanceRefused("An employee is using the machine: wait until the deposit is over.")
            # What is still seen in the slot is taken out by the technician.
            self._current.deposit = None
            self._is_interrupted = False
            self.maintenance.hold(actor)
            # The technician may lay something into the slot.
            self._content.is_emptied = False

    def is_idle(self) -> bool:
        """Return whether neither a deposit nor maintenance is under way, and the slot is closed. Raises SlotError."""
        return self._current.deposit is None and not self.maintenance.actor and not self.slot.is_open()

    def is_emptied(self) -> bool:
        """Return whether the latest item was shredded, so that the slot is surely empty."""
        return self._content.is_emptied

    def is_interrupted(self) -> bool:
        """Return whether a stop or crash interrupted the latest deposit, so that its item may still be in the slot."""
        return self._is_interrupted and self._current.deposit is None and self._content.is_sensed() is not False

    def closes_slot(self, deposit: Deposit) -> bool:
        """Return whether the slot closes when the time of a returned deposit is over."""
        return not deposit.is_held and self._returning.can_close()

    def of(self, visitor: str) -> Deposit | None:
        """Return the visitor's deposit, if one is under way."""
        return self._current.of(visitor)

    def busy(self, visitor: str) -> bool:
        """Return whether another visitor's deposit is under way."""
        current = self._current.deposit
        return current is not None and current.visitor != visitor

    def seconds_left(self, deposit: Deposit) -> float:
        """Return the seconds until the deposit times out."""
        return self._current.seconds_left(deposit)

    def open(self, visitor: str) -> None:
        """Begin a deposit and open the slot, unless one is under way. Raises the :attr:`MachineFault`."""
        with self._lock:
            before = self._current.deposit
            if before and not self._current.at(visitor, *_ENDED):
                return
            if fault := self.fault():
                raise fault
            # A person who tries again has put their own item in already.
            is_inserted = before is not None and before.stage is DepositStage.RETURNED and before.is_inserted
            again = before or self.slot.is_open()
            leftover = self._content.may_be_left if again else self._content.has_leftover()
            deposit_id = self._new_id()
            self._journal.begin(deposit_id)
            deposit = self._current.begin(deposit_id, visitor, leftover=leftover, is_inserted=is_inserted)
            self._content.may_be_left = self._content.is_emptied = self._is_interrupted = False
            try:
                # A slot left open for a returned item is not moved, as a hand may be in it.
                self.slot.open()
            except SlotError as error:
                self._returning.fail(deposit, error)

    def let_out(self, visitor: str) -> None:
        """Open the slot, so that the item of an interrupted deposit can be taken out."""
        with self._lock:
            if self.is_interrupted() and not self.maintenance.actor:
                self._is_interrupted = False
                self._returning.let_out(self._current.begin(self._new_id(), visitor))

    def judge(self, visitor: str, upload: bytes | None) -> None:
        """Begin to close the slot, take the photo and judge it; return the item if the verdict refuses it."""
        with self._lock:
            if deposit := self._current.at(visitor, DepositStage.INSERTING):
                self._judging.start(deposit, upload)

    def ask_again(self, visitor: str, problem: str) -> None:
        """Let the employee do the step again; ``problem`` says why."""
        with self._lock:
            if deposit := self._current.at(visitor, *_ASKING):
                self._current.change(deposit, problem=problem)

    def confirm(self, visitor: str, chosen: str, *, sure: bool = False) -> None:
        """Accept the employee's choice and start sorting; ask again if the machine is sure of another type.

        An item that is ``other`` is returned. Raises KeyError for any other type without a box.
        """
        with self._lock:
            deposit = self._current.at(visitor, DepositStage.CHOOSING)
            if not deposit or not deposit.judgement:
                return
            box = None if chosen == "other" else self.boxes[chosen]
            verdict = deposit.judgement.verdict
            if box and verdict.doubts(chosen) and not (sure and deposit.chosen == chosen):
                self._current.change(deposit, chosen=chosen, asks_cleanliness=False, problem=None)
                return
            if fault := self.slot.fault():
                self._returning.fail(deposit, fault)
                return
            if self._is_taken_back(deposit):
                self._returning.hand_back(deposit, "taken_back")
                return
            # Where only cleanliness is doubtful, the question was "If it's empty and clean: what is it?".
            asked_if_clean = box and verdict.action == "ask" and verdict.label
            answered = replace(deposit, chosen=chosen, cleanliness="clean" if asked_if_clean else None)
            if not self._write_down(answered, deposit.judgement, chosen):
                return
            if not box:
                self._returning.hand_back(answered, "other")
                return
            sorting = self._current.change(answered, stage=DepositStage.SORTING)
            self._sorting = self._executor.submit(copy_context().run, self._sort, sorting, box)

    def call_dirty(self, visitor: str) -> None:
        """Return the item, as the employee says that it is dirty."""
        with self._lock:
            deposit = self._current.at(visitor, DepositStage.CHOOSING)
            if not deposit or not deposit.judgement or not (label := deposit.judgement.verdict.label):
                return
            answered = replace(deposit, chosen=label, cleanliness="dirty")
            if self._write_down(answered, deposit.judgement, label):
                self._returning.hand_back(answered, "dirty")

    def choose_again(self, visitor: str) -> None:
        """Clear the choice, and ask for the type."""
        with self._lock:
            if deposit := self._current.at(visitor, DepositStage.CHOOSING):
                self._current.change(deposit, chosen=None, asks_cleanliness=False, problem=None)

    def give_back(self, visitor: str) -> None:
        """Return the item to an employee who changed their mind."""
        with self._lock:
            if deposit := self._current.at(visitor, *_ASKING):
                self._returning.hand_back(deposit, "cancelled")

    def stay(self, visitor: str) -> None:
        """Restart the timeout, as the employee is still there; a returned item's slot stays open for longer."""
        with self._lock:
            if deposit := self._current.at(visitor, *_ASKING):
                self._current.change(deposit)
            elif deposit := self._current.at(visitor, DepositStage.RETURNED):
                self._returning.wait_longer(deposit)

    def finish(self, visitor: str) -> None:
        """End a deposit whose item was shredded or returned; the slot stays open while something is seen in it."""
        with self._lock:
            if self._current.at(visitor, DepositStage.SHREDDED):
                self._current.deposit = None
        if deposit := self._current.at(visitor, DepositStage.RETURNED):
            self._returning.leave(deposit, is_told=True)

    def expire(self) -> None:
        """Return abandoned items and end finished deposits; called periodically."""
        with self._lock:
            deposit = self._current.deposit
            if not deposit:
                # An open slot without a deposit was jammed when it should have closed, or left open by a technician.
                if not self.maintenance.actor and self.slot.is_open() and not self.slot.fault():
                    self._returning.close_if_empty()
                return
            if deposit.stage is DepositStage.SORTING or self.seconds_left(deposit) > 0:
                return
            if deposit.stage is DepositStage.JUDGING:
                self._judging.give_up(deposit)
            elif deposit.stage in _ASKING:
                self._returning.hand_back(deposit, "timed_out")
            elif deposit.stage is DepositStage.SHREDDED:
                self._current.deposit = None
        if deposit.stage is DepositStage.RETURNED:
            self._returning.leave(deposit, is_told=False)

    def wait_idle(self) -> None:
        """Return when no item is being judged or sorted."""
        self._judging.wait_idle()
        if sorting := self._sorting:
            sorting.result()

    def close(self) -> None:
        """Finish judging and sorting, accept no more deposits, and close the slot."""
        self._judging.close()
        self._executor.shutdown(wait=True)
        with self._lock:
            deposit, self._current.deposit = self._current.deposit, None
            if deposit and deposit.stage in (*_ASKING, DepositStage.JUDGING):
                self._returning.record("deposit.interrupted", deposit, reason="stopped")
            self._returning.close_slot()
        with suppress(SlotError):
            self.slot.release()
        self._journal.close()

    def _write_down(self, deposit: Deposit, judgement: Judgement, chosen: str) -> bool:
        """Record what the employee said; return the item if that fails. Return whether it is on the disk."""
        predicted = judgement.predictions.get("waste_type")
        agreed = predicted is not None and predicted.label == chosen
        said = {"cleanliness": deposit.cleanliness} if deposit.cleanliness else {}
        try:
            self._journal.confirm(deposit.id, chosen, "agreed" if agreed else "corrected", **said)
        except DatabaseUnusable:
            self._returning.hand_back(deposit, "out_of_order")
            return False
        if not agreed and deposit.photo:
            self._photos.add_corrected(judgement, deposit.photo)
        return True

    def _sort(self, deposit: Deposit, box: int) -> None:
        try:
            self.slot.move_box(box)
            if self._is_taken_back(deposit):
                self._returning.hand_back(deposit, "taken_back")
                return
            deposit = self._current.change(deposit, step="shred")
            self.slot.shred()
        except Exception as error:
            self._returning.fail(deposit, error)
            return
        self._returning.record("deposit.shredded", deposit)
        self._content.is_emptied = True
        self._current.change(deposit, self._settings.thanks_seconds, stage=DepositStage.SHREDDED)

    def _is_taken_back(self, deposit: Deposit) -> bool:
        return deposit.item_sensed and self._content.is_sensed() is False
