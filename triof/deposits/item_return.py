"""The ends of a deposit at which the item comes back: asked for, refused, timed out, or after a fault."""

from typing import Any

from providers.event_log import get_logger
from triof.common.repeated_faults import Complaints
from triof.deposits.deposit_journal import DepositJournal
from triof.deposits.slot_content import SlotContent
from triof.deposits.visit import CurrentDeposit, Deposit, DepositStage, ReturnReason
from triof.journal.journal import Kind
from triof.machine.slot import EmergencyStopped, Interlocked, Jammed, Slot, SlotError

log = get_logger(__name__)

_GOODBYE_SECONDS = 8.0
"""Seconds until the slot closes when nothing was put in."""
_LOOK_SECONDS = 2.0
"""Seconds between two looks into a slot that is kept open."""


class ItemReturn:
    """Opens the slot for an item that comes back, and closes it after ``seconds``, unless something is seen in it.

    Callers of all methods but :meth:`leave` hold the lock of ``current``.
    """

    def __init__(
        self, current: CurrentDeposit, slot: Slot, content: SlotContent, journal: DepositJournal, seconds: float
    ) -> None:
        self._current = current
        self._slot = slot
        self._content = content
        self._journal = journal
        self._seconds = seconds
        self._complaints = Complaints(log)

    def hand_back(self, deposit: Deposit, reason: ReturnReason) -> None:
        """Return the item; one that was never put in is not waited for as long."""
        try:
            self._slot.open()
        except SlotError as error:
            self.fail(deposit, error)
            return
        is_inserted = deposit.is_inserted or self._content.is_sensed() is True
        returned = self._end(deposit, reason=reason, is_inserted=is_inserted)
        if returned.came_to_nothing:
            self._current.change(returned, min(self._seconds, _GOODBYE_SECONDS))
        self.record("deposit.returned", deposit, reason=reason)

    def let_out(self, deposit: Deposit) -> None:
        """Open the slot for what an interrupted deposit has left there; nothing is recorded."""
        try:
            self._slot.open()
        except SlotError as error:
            log.error("slot.not_opened", cause=error)
            self._current.deposit = None
            return
        self._content.may_be_left = False
        self._end(deposit, reason="interrupted", is_inserted=True)

    def wait_longer(self, deposit: Deposit) -> None:
        """Count the time until the slot closes anew."""
        self._current.change(deposit, self._seconds)

    def can_close(self) -> bool:
        """Return whether the slot is open and nothing keeps it from closing."""
        fault = self._slot.fault()
        is_stuck = isinstance(fault, EmergencyStopped) or (isinstance(fault, Jammed) and fault.part == "slot")
        return not is_stuck and self._slot.may_be_open()

    def leave(self, deposit: Deposit, *, is_told: bool) -> None:
        """End a returned deposit and close the slot, or keep it open while something is seen in it.

        ``is_told``: the employee says that it is empty; said again, that is believed, as a sensor may be wrong. The
        lock is taken only after the look, which may need a photo.
        """
        is_believed = is_told and deposit.is_held
        is_seen = self.can_close() and not is_believed and self._content.is_seen() is True
        with self._current.lock:
            if self._current.deposit is not deposit:
                return
            if is_seen:
                self._current.change(deposit, _LOOK_SECONDS, is_held=True)
            elif deposit.is_held and not is_told:
                # Gone: the closing is announced again.
                self._current.change(deposit, self._seconds, is_held=False)
            else:
                self._content.may_be_left |= deposit.is_inserted and (is_believed or not is_told)
                self._current.deposit = None
                self.close_slot()

    def fail(self, deposit: Deposit, error: Exception) -> None:
        """Abort the deposit after a fault; the item is returned unless it was shredded."""
        log.error("deposit.failed", deposit_id=deposit.id, exc_info=error)
        with self._current.lock:
            jammed = error.part if isinstance(error, Jammed) else None
            self._end(
                deposit, reason="emergency_stop" if isinstance(error, EmergencyStopped) else "jammed", part=jammed
            )
            if deposit.step == "box" or isinstance(error, Interlocked):
                try:
                    self._slot.open()
                except SlotError as also:
                    self._content.may_be_left |= deposit.is_inserted
                    log.error("slot.not_opened", cause=also)
            self.record("deposit.failed", deposit, reason=jammed or type(error).__name__[:32])

    def insert_again(self, deposit: Deposit, problem: str) -> None:
        """Open the slot again, as there was no photo to judge; ``problem`` says why."""
        again = self._current.change(deposit, stage=DepositStage.INSERTING, photo=None, problem=problem)
        try:
            self._slot.open()
        except SlotError as error:
            self.fail(again, error)

    def close_if_empty(self) -> None:
        """Close the slot that no deposit has open, unless the sensor sees something in it."""
        if self._content.is_sensed() is not True:
            self.close_slot()

    def close_slot(self) -> None:
        """Close the slot; a fault is logged."""
        try:
            self._slot.close()
        except SlotError as error:
            # The touchscreen shows "out of order" until the slot is free; it is then closed by ``Deposits.expire``.
            self._complaints.failed("slot.not_closed", error)

    def record(self, kind: Kind, deposit: Deposit, reason: str | None = None) -> None:
        """Record an event that has happened already; a failing journal must not stop the machine halfway."""
        try:
            self._journal.record(kind, deposit.id, deposit.chosen, reason)
        except Exception:
            log.exception("journal.not_written", kind=kind, deposit_id=deposit.id)

    def _end(self, deposit: Deposit, **changes: Any) -> Deposit:
        return self._current.change(deposit, self._seconds, stage=DepositStage.RETURNED, **changes)
