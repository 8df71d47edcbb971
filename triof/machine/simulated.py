"""A simulated machine that behaves: movements take time, parts jam when told to, and its state outlives a crash.

The state stands in a file because a real machine's slot does not close by itself when the computer dies, and
because a technician's shell and the running kiosk must see the same machine.
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
    """Hardware in a JSON file. ``wait`` spends the seconds that a movement takes."""

    def __init__(
        self,
        path: Path,
        seconds: SimulatedSeconds | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        # Apart from the state, so that a technician's shell and the kiosk never write the same file.
        self._jam = path.with_suffix(".jam")
        self._seconds = seconds or SimulatedSeconds()
        self._wait = wait

    def open_slot(self) -> None:
        """Open the slot; it counts as open from the first moment."""
        self._check("slot")
        if not self.slot_is_open():
            self._change(slot_open=True)
            self._wait(self._seconds.slot)

    def close_slot(self) -> None:
        """Close the slot; it counts as closed from the last moment."""
        self._check("slot")
        if self.slot_is_open():
            self._wait(self._seconds.slot)
            self._change(slot_open=False)

    def move_box(self, number: int) -> None:
        """Bring box ``number`` under the slot."""
        self._check("box")
        if self._state().box != number:
            self._wait(self._seconds.box)
            self._change(box=number)

    def shred(self) -> None:
        """Shred; refuses with the slot open, as a real one would by its own switch."""
        self._check("shredder")
        if self.slot_is_open():
            raise Interlocked("The shredder's own switch says that the slot is open.")
        self._wait(self._seconds.shred)
        self._check("shredder")

    def slot_is_open(self) -> bool:
        """Whether the slot is open, wholly or in part."""
        return self._state().slot_open

    def jammed(self) -> Part | None:
        """The part that is stuck, if any."""
        said = self._jam.read_text(errors="replace").strip() if self._jam.exists() else ""
        return next((part for part in get_args(Part) if part == said), None)

    def jam(self, part: Part | None) -> None:
        """Let ``part`` be stuck from now on; None frees all."""
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
            # Nobody knows any more, so the slot counts as open: then it is closed, and nothing is shredded before.
            return _SlotState(slot_open=True)

    def _change(self, **changes: bool | int) -> None:
        keep_state(self._path, json.dumps({**asdict(self._state()), **changes}).encode())
