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
from triof.machine.slot import Interlocked, Jammed, Part
from triof.settings.sections.slot import SimulatedSeconds


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
        # A separate file, so that the technician's shell and the kiosk never write the same one.
        self._jam = path.with_suffix(".jam")
        self._seconds = seconds or SimulatedSeconds()
        self._wait = wait

    def open_slot(self) -> None:
        """Open the slot; it counts as open from the start of the movement."""
        self._check("slot")
        if not self.slot_is_open():
            self._change(slot_open=True)
            self._wait(self._seconds.slot)

    def close_slot(self) -> None:
        """Close the slot; it counts as closed at the end of the movement."""
        self._check("slot")
        if self.slot_is_open():
            self._wait(self._seconds.slot)
            self._change(slot_open=False)

    def move_box(self, number: int) -> None:
        """Move box ``number`` under the slot."""
        self._check("box")
        if self._state().box != number:
            self._wait(self._seconds.box)
            self._change(box=number)

    def shred(self) -> None:
        """Shred the item. Raises Interlocked while the slot is open, like a real shredder's own switch."""
        self._check("shredder")
        if self.slot_is_open():
            raise Interlocked("The shredder's own switch says that the slot is open.")
        self._wait(self._seconds.shred)
        self._check("shredder")

    def slot_is_open(self) -> bool:
        """Return whether the slot is open, wholly or in part."""
        return self._state().slot_open

    def jammed(self) -> Part | None:
        """Return the jammed part, if any."""
        said = self._jam.read_text(errors="replace").strip() if self._jam.exists() else ""
        return next((part for part in get_args(Part) if part == said), None)

    def jam(self, part: Part | None) -> None:
        """Jam ``part``; None frees all parts."""
        if part is None:
            self._jam.unlink(missing_ok=True)
        else:
            keep_state(self._jam, part.encode())

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
