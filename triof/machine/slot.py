"""The interlocks that every caller must pass, and the errors of the hardware.

Hardware obeys every call; :class:`Slot` decides whether it is safe: it never shreds while the slot is open, never
moves a box or opens the slot while shredding, allows one movement at a time, and none after an emergency stop.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from triof.common.errors import TriofError
from triof.machine.hardware.base import Hardware, Part, Sensors, StatusLight


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


class EmergencyStopped(SlotError):
    """The emergency stop was pressed, and has not been cleared since."""

    code = "S3"

    def __init__(self) -> None:
        super().__init__(
            "The emergency stop was pressed: see that nothing is in the way, release the button, then run"
            " `triof slot clear`."
        )


class Slot:
    """The only access to the hardware; refuses dangerous movements."""

    def __init__(self, hardware: Hardware) -> None:
        self._hardware = hardware
        self._moving = Lock()
        self._movement = ""
        self._lighting = Lock()
        self._lamp_users = 0

    def open(self) -> None:
        """Open the slot. Raises Interlocked while anything moves, Jammed, EmergencyStopped."""
        with self._moves("opening the slot"):
            self._hardware.open_slot()

    def close(self) -> None:
        """Close the slot. Raises Interlocked while anything moves, Jammed, EmergencyStopped."""
        with self._moves("closing the slot"):
            self._hardware.close_slot()

    def move_box(self, number: int) -> None:
        """Move box ``number`` under the slot. Raises Interlocked while anything moves, Jammed, EmergencyStopped."""
        with self._moves(f"moving box {number}"):
            self._hardware.move_box(number)

    def shred(self) -> None:
        """Shred the item. Raises Interlocked while the slot is open or anything moves, Jammed, EmergencyStopped."""
        with self._moves("shredding"):
            if self._hardware.slot_is_open():
                raise Interlocked("The slot is open: close it before shredding.")
            self._hardware.shred()

    def is_open(self) -> bool:
        """Return whether the slot is open, wholly or in part. Raises SlotError."""
        with _answers("asked whether the slot is open"):
            return self._hardware.slot_is_open()

    def may_be_open(self) -> bool:
        """Return whether the slot is open, or the hardware does not tell."""
        try:
            return self.is_open()
        except SlotError:
            return True

    def jammed(self) -> Part | None:
        """Return the jammed part, if any. Raises SlotError."""
        with _answers("asked whether a part is stuck"):
            return self._hardware.jammed()

    def sensors(self) -> Sensors:
        """Return what the sensors say now. Raises SlotError."""
        with _answers("asked for its sensors"):
            return self._hardware.sensors()

    def fault(self) -> SlotError | None:
        """Return why nothing can move until a technician comes; None if all is well."""
        try:
            if part := self.jammed():
                return Jammed(part)
            return EmergencyStopped() if self.sensors().emergency_stop else None
        except SlotError as error:
            return error

    def set_lamp(self, on: bool) -> None:
        """Switch the lamp on or off. Raises SlotError."""
        with _answers("switching the lamp"):
            self._hardware.set_lamp(on)

    def need_lamp(self, needed: bool) -> None:
        """Count one more or one less photo that needs the lamp; the last one switches it off. Raises SlotError."""
        with self._lighting:
            self._lamp_users += 1 if needed else -1
            self.set_lamp(self._lamp_users > 0)

    def set_status(self, status: StatusLight) -> None:
        """Show ``status`` on the status light. Raises SlotError."""
        with _answers("switching the status light"):
            self._hardware.set_status(status)

    def clear(self) -> None:
        """Forget a jam and an emergency stop, once a technician has seen to them.

        Raises Interlocked while anything moves, SlotError while the button is still pressed.
        """
        with self._alone("clearing"):
            self._hardware.clear()

    def release(self) -> None:
        """Switch everything off and free the hardware; called once, at the end. Raises SlotError."""
        with _answers("switching everything off"):
            self._hardware.close()

    @contextmanager
    def _moves(self, movement: str) -> Iterator[None]:
        with self._alone(movement):
            if self._hardware.sensors().emergency_stop:
                raise EmergencyStopped()
            yield

    @contextmanager
    def _alone(self, movement: str) -> Iterator[None]:
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
