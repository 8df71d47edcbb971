"""Simulated hardware: movements take time, parts jam on request, and the state survives a crash.

The state is in a file, because a real slot does not close by itself when the computer stops, and because the
technician's shell and the running kiosk must share one machine.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from triof.common.atomic_files import keep_state
from triof.machine.hardware.base import Part, Sensors, StatusLight
from triof.machine.slot import EmergencyStopped, Interlocked, Jammed, SlotError
from triof.settings.sections.machine.slot import SimulatedSeconds


@dataclass(frozen=True)
class _SlotState:
    slot_open: bool = False
    box: int = 1


class SimulatedHardware:
    """Hardware whose state is a JSON file. ``wait`` sleeps for the seconds of a movement."""

    def __init__(
        self,
        path: Path,
        seconds: SimulatedSeconds | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        # Separate files, so that the technician's shell and the kiosk never write the same one.
        self._jam = path.with_suffix(".jam")
        self._item = path.with_suffix(".item")
        self._stop = path.with_suffix(".stop")
        self.lamp = False
        self.status: StatusLight = "ready"
        self._seconds = seconds or SimulatedSeconds()
        self._wait = wait

    def open_slot(self) -> None:
        """Open the slot; it counts as open from the start of the movement."""
        self._check("slot")
        if not self.slot_is_open():
            self._change(slot_open=True)
            self._move(self._seconds.slot)

    def close_slot(self) -> None:
        """Close the slot; it counts as closed at the end of the movement."""
        self._check("slot")
        if self.slot_is_open():
            self._move(self._seconds.slot)
            self._change(slot_open=False)

    def move_box(self, number: int) -> None:
        """Move box ``number`` under the slot."""
        self._check("box")
        if self._state().box != number:
            self._move(self._seconds.box)
            self._change(box=number)

    def shred(self) -> None:
        """Shred the item. Raises Interlocked while the slot is open, like a real shredder's own switch."""
        self._check("shredder")
        if self.slot_is_open():
            raise Interlocked("The shredder's own switch says that the slot is open.")
        self._move(self._seconds.shred)
        self._check("shredder")
        if self.item():
            self.put_item(False)

    def slot_is_open(self) -> bool:
        """Return whether the slot is open, wholly or in part."""
        return self._state().slot_open

    def jammed(self) -> Part | None:
        """Return the jammed part, if any."""
        said = _read(self._jam)
        return next((part for part in get_args(Part) if part == said), None)

    def jam(self, part: Part | None) -> None:
        """Jam ``part``; None frees all parts."""
        _write(self._jam, part)

    def sensors(self) -> Sensors:
        """Return what the sensors say now."""
        return Sensors(self.slot_is_open(), self.item(), bool(_read(self._stop)))

    def item(self) -> bool | None:
        """Return whether an item lies in the slot; None: no sensor, which is the default."""
        return {"present": True, "absent": False}.get(_read(self._item))

    def put_item(self, item: bool | None) -> None:
        """Put an item in, or take it out; None removes the sensor."""
        _write(self._item, None if item is None else "present" if item else "absent")

    def press_stop(self) -> None:
        """Press the emergency stop, which stays pressed."""
        _write(self._stop, "pressed")

    def release_stop(self) -> None:
        """Release the emergency stop, which holds until it is cleared."""
        if _read(self._stop):
            _write(self._stop, "released")

    def set_lamp(self, on: bool) -> None:
        """Switch the lamp on or off."""
        self.lamp = on

    def set_status(self, status: StatusLight) -> None:
        """Show ``status``."""
        self.status = status

    def clear(self) -> None:
        """Forget a jam and an emergency stop. Raises SlotError if the button is still pressed."""
        if _read(self._stop) == "pressed":
            raise SlotError("The emergency stop is still pressed: release the button, then run `triof slot clear`.")
        _write(self._stop, None)
        self.jam(None)

    def close(self) -> None:
        """Switch the lamp off."""
        self.lamp = False

    def _move(self, seconds: float) -> None:
        self._wait(seconds)
        if _read(self._stop):
            raise EmergencyStopped()

    def _check(self, part: Part) -> None:
        if self.jammed() == part:
            raise Jammed(part)

    def _state(self) -> _SlotState:
        try:
            return _SlotState(**json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return _SlotState()
        except (ValueError, TypeError, RecursionError):
            # After a damaged file the slot counts as open, so that it is closed before anything is shredded.
            return _SlotState(slot_open=True)

    def _change(self, **changes: bool | int) -> None:
        keep_state(self._path, json.dumps({**asdict(self._state()), **changes}).encode())


def _read(path: Path) -> str:
    return path.read_text(errors="replace").strip() if path.exists() else ""


def _write(path: Path, word: str | None) -> None:
    if word is None:
        path.unlink(missing_ok=True)
    else:
        keep_state(path, word.encode())
