"""The state of a deposit: a frozen value that each step replaces."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal
from uuid import UUID

from triof.judging.sorter import Judgement

ReturnReason = Literal[
    "other", "dirty", "nothing_seen", "reaches_out", "cancelled", "timed_out", "jammed", "out_of_order"
]


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
