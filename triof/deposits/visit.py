"""One deposit, at each moment of it."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal
from uuid import UUID

from triof.judging.sorter import Judgement

Returned = Literal["other", "dirty", "nothing_seen", "reaches_out", "cancelled", "timed_out", "taken_back"]
Stopped = Literal["jammed", "emergency_stop", "out_of_order"]
ReturnReason = Returned | Stopped
"""Why a deposit ended without shredding: something about the item or the person, or a fault."""


class DepositStage(Enum):
    """The stage of a deposit."""

    INSERTING = auto()
    CHOOSING = auto()
    SORTING = auto()
    SHREDDED = auto()
    RETURNED = auto()


@dataclass(frozen=True)
class Deposit:
    """The state of a deposit. ``expires`` is on the clock of its :class:`Deposits`."""

    id: UUID
    visitor: str
    stage: DepositStage
    expires: float
    judgement: Judgement | None = None
    photo: bytes | None = None
    """The judged photo, as a JPEG to show."""
    chosen: str | None = None
    """The type that the employee chose, which the machine may still doubt."""
    step: Literal["box", "shred"] = "box"
    reason: ReturnReason | None = None
    leftover: bool = False
    """Whether an earlier item may still be in the slot."""
    item_sensed: bool = False
    """Whether the slot's sensor saw the item before it was judged; it may overlook a clear bottle."""
