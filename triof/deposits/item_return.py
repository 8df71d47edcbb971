"""The ends of a deposit at which the item comes back: asked for, refused, timed out, or after a fault."""

from providers.event_log import get_logger
from triof.common.repeated_faults import Complaints
from triof.deposits.deposit_journal import DepositJournal
from triof.deposits.slot_content import SlotContent
from triof.deposits.visit import CurrentDeposit, Deposit, DepositStage, ReturnReason
from triof.journal.journal import Kind
from triof.machine.slot import EmergencyStopped, Interlocked, Jammed, Slot, SlotError

log = get_logger(__name__)


class ItemReturn:
    """Opens the slot for an item that comes back, and closes it afterwards. Its callers hold the lock of ``current``.

    The slot stays open for ``seconds``.
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
        """Return the item."""
        try:
            self._slot.open()
        except SlotError as error:
            self.fail(deposit, error)
            return
        self._end(deposit, reason)
        self.record("deposit.returned", deposit, reason=reason)

    def fail(self, deposit: Deposit, error: Exception) -> None:
        """Abort the deposit after a fault; the item is returned unless it was shredded."""
        log.error("deposit.failed", deposit_id=deposit.id, exc_info=error)
        with self._current.lock:
            self._end(deposit, "emergency_stop" if isinstance(error, EmergencyStopped) else "jammed")
            if deposit.step == "box" or isinstance(error, Interlocked):
                try:
                    self._slot.open()
                except SlotError as also:
                    self._content.may_be_left |= deposit.photo is not None
                    log.error("slot.not_opened", cause=also)
            part = error.part if isinstance(error, Jammed) else type(error).__name__
            self.record("deposit.failed", deposit, reason=part[:32])

    def insert_again(self, deposit: Deposit, problem: str) -> None:
        """Open the slot again, as there was no photo to judge; ``problem`` says why."""
        again = self._current.change(deposit, stage=DepositStage.INSERTING, photo=None, problem=problem)
        try:
            self._slot.open()
        except SlotError as error:
            self.fail(again, error)

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

    def _end(self, deposit: Deposit, reason: ReturnReason) -> None:
        self._current.change(deposit, self._seconds, stage=DepositStage.RETURNED, reason=reason)
