"""The hardware protocol: what a driver of the machine's motors and sensors does.

A driver obeys every call and raises the errors of ``triof/machine/slot.py``; an OSError counts as "does not answer".
"""

from dataclasses import dataclass
from typing import Literal, Protocol

Part = Literal["slot", "box", "shredder"]
StatusLight = Literal["ready", "busy", "fault"]


@dataclass(frozen=True)
class Sensors:
    """What the sensors say now."""

    slot_open: bool
    """Whether the slot is open, wholly or in part."""
    item: bool | None = None
    """Whether an item lies in the slot; None: no sensor."""
    emergency_stop: bool = False
    """Whether the emergency stop was pressed, until it is released and a technician clears it."""


class Hardware(Protocol):
    """Motors and sensors. Thread-safe.

    A movement returns at its end, or raises Jammed, or EmergencyStopped as soon as the emergency stop is pressed.
    """

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

    def sensors(self) -> Sensors:
        """Return what the sensors say now."""

    def set_lamp(self, on: bool) -> None:
        """Switch the lamp in the slot on or off; does nothing if there is none."""

    def set_status(self, status: StatusLight) -> None:
        """Show ``status`` on the status light; does nothing if there is none."""

    def clear(self) -> None:
        """Forget a jam and an emergency stop. Raises SlotError if the button is still pressed."""

    def close(self) -> None:
        """Switch every output off and free the device; harmless if repeated."""
