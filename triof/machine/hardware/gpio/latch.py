"""What holds until a technician clears it: a jam and an emergency stop, kept in a file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import get_args

from triof.common.atomic_files import keep_state
from triof.machine.hardware.base import Part


@dataclass(frozen=True)
class Latched:
    """The faults that hold."""

    jammed: Part | None = None
    emergency_stop: bool = False


class LatchFile:
    """Keeps the faults over restarts: switching the machine off and on does not free a jam.

    ``now`` holds at once; the file follows by ``write``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = Lock()
        self._written = self.now = self._read()

    def write(self) -> None:
        """Return when the file says what holds now. Raises OSError if it cannot be written; it holds all the same."""
        with self._writing:
            if self._written != self.now:
                now = self.now
                keep_state(self._path, json.dumps(asdict(now)).encode())
                self._written = now

    def _read(self) -> Latched:
        try:
            found = Latched(**json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return Latched()
        except (ValueError, TypeError, RecursionError):
            # What was latched is not known, so a technician has to look.
            return Latched(emergency_stop=True)
        return found if found.jammed in (None, *get_args(Part)) else Latched(emergency_stop=True)
