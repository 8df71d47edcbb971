"""The hardware protocol, and the interlocks that every caller must pass.

Hardware obeys every call; :class:`Slot` decides whether it is safe: it never shreds while the slot is open, never
moves a box or opens the slot while shredding, and allows one movement at a time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Literal, Protocol

from triof.common.errors import TriofError

Part = Literal["slot", "box", "shredder"]


class SlotError(TriofError):
    """The hardware failed; ``code`` is shown on the touchscreen."""

    code = "S2"


class Interlocked(SlotError):
    """The movement was refused because it would be dangerous now."""


class Jammed(SlotError):
    """``part`` is jammed."""

    code = "S1"

    def __init__(self, part: Part) -> None:
        super().__init__(f"The {part} is jammed: switch the machine off, free it, then run `triof slot clear`.")
        self.part = part


class Hardware(Protocol):
    """Motors and sensors. Each call returns at the end of the movement, or raises Jammed."""

    def open_slot(self) -> None:
        """Open the slot; does nothing if it is open."""

    def close_slot(self) -> None:
        """Close the slot; does nothing if it is closed."""

    def move_box(self, number: int) -> None:
        """Move box ``number`` (1 and up) under the slot."""

    def shred(self) -> None:
        """Shred the item in the slot into the box below."""

    def slot_is_open(self) -> bool:
        """Return whether the slot is open, wholly or in part."""

    def jammed(self) -> Part | None:
        """Return the jammed part, if any."""


class Slot:
    """The only access to the hardware; refuses dangerous movements."""

    def __init__(self, hardware: Hardware) -> None:
        self._hardware = hardware
        self._moving = Lock()
        self._movement = ""

    def open(self) -> None:
        """Open the slot. Raises Interlocked while anything moves, Jammed."""
        with self._moves("opening the slot"):
            self._hardware.open_slot()

    def close(self) -> None:
        """Close the slot. Raises Interlocked while anything moves, Jammed."""
        with self._moves("closing the slot"):
            self._hardware.close_slot()

    def move_box(self, number: int) -> None:
        """Move box ``number`` under the slot. Raises Interlocked while anything moves, Jammed."""
        with self._moves(f"moving box {number}"):
            self._hardware.move_box(number)

    def shred(self) -> None:
        """Shred the item. Raises Interlocked while the slot is open or anything moves, Jammed."""
        with self._moves("shredding"):
            if self._hardware.slot_is_open():
                raise Interlocked("The slot is open: close it before shredding.")
            self._hardware.shred()

    def is_open(self) -> bool:
        """Return whether the slot is open, wholly or in part. Raises SlotError."""
        with _answers("asked whether the slot is open"):
            return self._hardware.slot_is_open()

    def jammed(self) -> Part | None:
        """Return the jammed part, if any. Raises SlotError."""
        with _answers("asked whether a part is stuck"):
            return self._hardware.jammed()

    @contextmanager
    def _moves(self, movement: str) -> Iterator[None]:
        # Refused rather than queued: a movement that is safe now may not be so after the current one.
        if not self._moving.acquire(blocking=False):
            raise Interlocked(f"The machine is {self._movement}: {movement} has to wait until that is over.")
        try:
            self._movement = movement
            with _answers(movement):
                yield
        finally:
            self._moving.release()


@contextmanager
def _answers(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SlotError(f"The hardware does not answer while {doing} ({error}): check cable and power.") from error
