"""One deposit, at each moment of it, and the one under way."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from threading import RLock
from typing import Any, Literal
from uuid import UUID

from triof.judging.sorter import Judgement
from triof.machine.hardware.base import Part

Returned = Literal[
    "other", "dirty", "nothing_seen", "reaches_out", "not_judged", "cancelled", "timed_out", "taken_back"
]
Stopped = Literal["jammed", "emergency_stop", "out_of_order", "interrupted"]
ReturnReason = Returned | Stopped
"""Why a deposit ended without shredding: something about the item or the person, or a fault."""


Cleanliness = Literal["clean", "dirty"]


class DepositStage(Enum):
    """The stage of a deposit."""

    INSERTING = auto()
    JUDGING = auto()
    CHOOSING = auto()
    SORTING = auto()
    SHREDDED = auto()
    RETURNED = auto()


@dataclass(frozen=True)
class Deposit:
    """The state of a deposit. ``expires`` is on the clock of its :class:`CurrentDeposit`."""

    id: UUID
    visitor: str
    stage: DepositStage
    expires: float
    judgement: Judgement | None = None
    photo: bytes | None = None
    """The photo of the item, as a JPEG to show; it is there before the judgement."""
    chosen: str | None = None
    """The type that the employee chose, which the machine may still doubt; ``other`` for none that has a box."""
    cleanliness: Cleanliness | None = None
    """What the employee said about it."""
    asks_cleanliness: bool = False
    """Whether only cleanliness is asked, as the machine is sure of the type."""
    step: Literal["box", "shred"] = "box"
    reason: ReturnReason | None = None
    part: Part | None = None
    """The part that is jammed."""
    is_held: bool = False
    """Whether the slot of a returned item stays open, as something is seen in it."""
    problem: str | None = None
    """Why the employee has to do the step again: a key of the touchscreen's sentences."""
    is_inserted: bool = False
    """Whether an item is in the slot, as far as the employee or the sensor said."""
    leftover: bool = False
    """Whether an earlier item may still be in the slot."""
    item_sensed: bool = False
    """Whether the slot's sensor saw the item before it was judged; it may overlook a clear bottle."""

    @property
    def came_to_nothing(self) -> bool:
        """Whether it was cancelled, or timed out, before anything was put in."""
        return self.reason in ("cancelled", "timed_out") and not self.is_inserted


class CurrentDeposit:
    """The deposit under way; ``lock`` is held while it changes, but never during a photo or a judgement."""

    def __init__(self, idle_seconds: float, clock: Callable[[], float]) -> None:
        self.lock = RLock()
        self.deposit: Deposit | None = None
        self._idle_seconds = idle_seconds
        self._clock = clock

    def of(self, visitor: str) -> Deposit | None:
        """Return the visitor's deposit, if one is under way."""
        current = self.deposit
        return current if current and current.visitor == visitor else None

    def at(self, visitor: str, *stages: DepositStage) -> Deposit | None:
        """Return the visitor's deposit, if it is at one of the stages."""
        deposit = self.of(visitor)
        return deposit if deposit and deposit.stage in stages else None

    def still(self, deposit: Deposit) -> Deposit | None:
        """Return the deposit as it is now; None if it has left the stage of ``deposit``."""
        current = self.at(deposit.visitor, deposit.stage)
        return current if current and current.id == deposit.id else None

    def seconds_left(self, deposit: Deposit) -> float:
        """Return the seconds until the deposit times out."""
        return max(0.0, deposit.expires - self._clock())

    def begin(self, deposit_id: UUID, visitor: str, **fields: Any) -> Deposit:
        """Make a new deposit the current one."""
        return self.change(Deposit(deposit_id, visitor, DepositStage.INSERTING, 0), **fields)

    def change(self, deposit: Deposit, seconds: float | None = None, **changes: Any) -> Deposit:
        """Store ``deposit`` with ``changes``; it times out in ``seconds`` (None: those without a touch)."""
        expires = self._clock() + (self._idle_seconds if seconds is None else seconds)
        self.deposit = changed = replace(deposit, expires=expires, **changes)
        return changed
