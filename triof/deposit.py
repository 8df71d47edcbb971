"""The deposit: one person's visit, from the open slot to shredded or handed back.

::

    open ──► INSERTING ──judge──► CHOOSING ──confirm──► SORTING ──► SHREDDED
                 │                   │                     │ jam
                 └──── give back, refuse, time out ────────┴──────► RETURNED

There is one machine, so there is one deposit at a time. What a person confirmed is in the journal before anything
moves, and after a crash the next start closes the slot and marks what was interrupted.
"""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum, auto
from threading import Event, RLock, Thread
from typing import Literal
from uuid import UUID, uuid4

from triof.capture import Camera
from triof.errors import TriofError
from triof.journal import Journal
from triof.photo_store import PhotoStore
from triof.settings import DepositSettings
from triof.slot import Jammed, Slot, SlotError
from triof.sorter import Judgement, Sorter

log = logging.getLogger(__name__)

ReturnReason = Literal["other", "dirty", "cancelled", "timed_out", "jammed"]


class Stage(Enum):
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
    stage: Stage
    expires: float
    judgement: Judgement | None = None
    photo: bytes | None = None
    """What was judged, as a JPEG to show."""
    chosen: str | None = None
    """The type the person chose, which the machine may still doubt."""
    step: Literal["box", "shred"] = "box"
    reason: ReturnReason | None = None


class DepositError(TriofError):
    """This step does not fit now: somebody else's deposit is under way."""


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
        journal: Journal,
        photo_store: PhotoStore,
        settings: DepositSettings,
        clock: Callable[[], float] = time.monotonic,
        executor: Executor | None = None,
    ) -> None:
        self.camera = camera
        self.slot = slot
        self.boxes = boxes
        self._sorter = sorter
        self._journal = journal
        self._photo_store = photo_store
        self._settings = settings
        self._clock = clock
        self._executor = executor or ThreadPoolExecutor(1, "sorting")
        self._lock = RLock()
        self._current: Deposit | None = None
        self._sorting: Future[None] | None = None

    def recover(self) -> int:
        """Close the slot and mark what a crash interrupted. Returns how many deposits that were."""
        unfinished = self._journal.unfinished()
        for event in unfinished:
            stage = event.kind.removeprefix("deposit.")
            self._journal.record("deposit.interrupted", event.deposit_id, waste_type=event.waste_type, reason=stage)
        self._journal.record("machine.started", interrupted=len(unfinished))
        self._photo_store.prune()
        try:
            self.slot.close()
        except SlotError as error:
            log.error("slot.not_closed: %s", error)  # the touchscreen says "out of order" until it is freed
        return len(unfinished)

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
        """Begin a deposit and open the slot. Raises DepositError if the machine is busy, SlotError."""
        with self._lock:
            if self.busy(visitor):
                raise DepositError("Somebody else's deposit is under way: wait until it is over.")
            self.finish(visitor)
            if self._current:
                return
            deposit = Deposit(uuid4(), visitor, Stage.INSERTING, self._after(self._settings.idle_seconds))
            self._journal.record("deposit.opened", deposit.id)
            self._current = deposit
            try:
                self.slot.open()
            except SlotError as error:
                self._fail(deposit, error)
                raise

    def judge(self, visitor: str, upload: bytes | None) -> None:
        """Close the slot, photograph and judge; hand the item back if it is refused.

        Raises CameraError, PhotoError (the slot is open again) or SlotError.
        """
        with self._lock:
            deposit = self._at(visitor, Stage.INSERTING)
            if not deposit:
                return
            try:
                self.slot.close()
                judged = self._photograph(deposit, upload)
            except SlotError as error:
                self._fail(deposit, error)
                raise
            except Exception:
                # Whatever it was, the person must be able to take the item out or try once more.
                self.slot.open()
                self._keep_alive(deposit)
                raise
            self._current = judged
            if judged.judgement and judged.judgement.verdict.action == "refuse":
                self._hand_back(judged, "other" if judged.judgement.verdict.reason == "other" else "dirty")

    def confirm(self, visitor: str, chosen: str, *, sure: bool = False) -> None:
        """Believe the person and begin to sort; ask once more where the machine is sure of another type.

        ``chosen`` is a type that has a box; raises KeyError otherwise.
        """
        with self._lock:
            deposit = self._at(visitor, Stage.CHOOSING)
            if not deposit or not deposit.judgement:
                return
            box = self.boxes[chosen]
            verdict = deposit.judgement.verdict
            if verdict.doubts(chosen) and not (sure and deposit.chosen == chosen):
                self._current = replace(deposit, chosen=chosen, expires=self._after(self._settings.idle_seconds))
                return
            predicted = deposit.judgement.predictions.get("waste_type")
            agreed = predicted is not None and predicted.label == chosen
            self._journal.record(
                "deposit.confirmed", deposit.id, waste_type=chosen, reason="agreed" if agreed else "corrected"
            )
            sorting = replace(deposit, stage=Stage.SORTING, chosen=chosen)
            self._current = sorting
            self._sorting = self._executor.submit(self._sort, sorting, chosen, box)

    def give_back(self, visitor: str) -> None:
        """Open the slot for a person who changed their mind. Raises SlotError."""
        with self._lock:
            if deposit := self._at(visitor, Stage.INSERTING, Stage.CHOOSING):
                self._hand_back(deposit, "cancelled")

    def stay(self, visitor: str) -> None:
        """The person is still there: the time begins anew."""
        with self._lock:
            if deposit := self._at(visitor, Stage.INSERTING, Stage.CHOOSING):
                self._keep_alive(deposit)

    def finish(self, visitor: str) -> None:
        """End a deposit that is shredded or taken back. Raises SlotError."""
        with self._lock:
            if deposit := self._at(visitor, Stage.SHREDDED, Stage.RETURNED):
                self._end(deposit)

    def expire(self) -> None:
        """Hand back what was abandoned and end what is over; to be called every now and then."""
        with self._lock:
            deposit = self._current
            if not deposit or deposit.stage is Stage.SORTING or self.seconds_left(deposit) > 0:
                return
            if deposit.stage in (Stage.INSERTING, Stage.CHOOSING):
                self._hand_back(deposit, "timed_out")
            else:
                self._end(deposit)

    def settle(self) -> None:
        """Return when no item is being sorted any more."""
        if sorting := self._sorting:
            sorting.result()

    def close(self) -> None:
        """Finish what is being sorted and take nothing more."""
        self._executor.shutdown(wait=True)

    def _photograph(self, deposit: Deposit, upload: bytes | None) -> Deposit:
        image = self.camera.take(upload)
        judgement = self._sorter.judge(image)
        photo = self._sorter.keepsake(image)
        try:
            self._photo_store.store(judgement.photo.sha256, photo)
        except OSError:
            log.exception("photo.not_stored")  # a full disk must not stop deposits
        self._journal.record_judgement(deposit.id, judgement)
        return replace(
            deposit,
            stage=Stage.CHOOSING,
            judgement=judgement,
            photo=photo,
            expires=self._after(self._settings.idle_seconds),
        )

    def _sort(self, deposit: Deposit, chosen: str, box: int) -> None:
        try:
            self.slot.move_box(box)
            self._current = replace(deposit, step="shred")
            self.slot.shred()
            self._journal.record("deposit.shredded", deposit.id, waste_type=chosen)
            self._current = replace(deposit, stage=Stage.SHREDDED, expires=self._after(self._settings.thanks_seconds))
        except SlotError as error:
            log.error("deposit.failed: %s", error)
            self._fail(deposit, error)
        except Exception:
            # The confirmation is in the journal; the next start will find that the rest is missing.
            log.exception("deposit.failed")
            self._current = None

    def _hand_back(self, deposit: Deposit, reason: ReturnReason) -> None:
        try:
            self.slot.open()
        except SlotError as error:
            self._fail(deposit, error)
            raise
        self._current = self._returned(deposit, reason)
        self._journal.record("deposit.returned", deposit.id, waste_type=deposit.chosen, reason=reason)

    def _returned(self, deposit: Deposit, reason: ReturnReason) -> Deposit:
        expires = self._after(self._settings.return_seconds)
        return replace(deposit, stage=Stage.RETURNED, reason=reason, expires=expires)

    def _fail(self, deposit: Deposit, error: SlotError) -> None:
        part = error.part if isinstance(error, Jammed) else "interlock"
        with self._lock:
            self._current = self._returned(deposit, "jammed")
            self._journal.record("deposit.failed", deposit.id, waste_type=deposit.chosen, reason=part)
            # The item is still whole and the slot can move, so the person gets it back.
            if part in ("box", "interlock"):
                self.slot.open()

    def _end(self, deposit: Deposit) -> None:
        self._current = None
        if deposit.stage is Stage.RETURNED:
            self.slot.close()

    def _at(self, visitor: str, *stages: Stage) -> Deposit | None:
        deposit = self.of(visitor)
        return deposit if deposit and deposit.stage in stages else None

    def _keep_alive(self, deposit: Deposit) -> None:
        self._current = replace(deposit, expires=self._after(self._settings.idle_seconds))

    def _after(self, seconds: float) -> float:
        return self._clock() + seconds


class Watch:
    """Calls ``expire`` every ``seconds`` until closed, and prunes photos every hour."""

    def __init__(self, deposits: Deposits, photo_store: PhotoStore, seconds: float = 0.5) -> None:
        self._deposits = deposits
        self._photo_store = photo_store
        self._seconds = seconds
        self._closed = Event()
        self._thread = Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        prune_at = time.monotonic() + 3600
        while not self._closed.wait(self._seconds):
            try:
                self._deposits.expire()
                if time.monotonic() >= prune_at:
                    prune_at = time.monotonic() + 3600
                    self._photo_store.prune()
            except Exception:
                log.exception("watch.failed")
