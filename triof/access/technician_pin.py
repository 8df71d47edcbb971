"""The PIN of the technician's page, stored as a scrypt digest in the home folder.

It is a file and not a row, so that it opens the page while the journal cannot be read.
"""

import hashlib
import json
import re
from pathlib import Path
from threading import Lock

from werkzeug.security import check_password_hash, generate_password_hash

from triof.common.atomic_files import read_json, replace_file
from triof.common.errors import TriofError

FILE = "technician_pin.json"
SHORTEST_PIN, LONGEST_PIN = 6, 12
BY_PIN = "technician"
"""The actor of those who logged in by PIN, in the journal."""
_METHOD = "scrypt:32768:8:1"
_UNUSED_DIGEST = f"{_METHOD}${'0' * 16}${'0' * 128}"
_PIN = re.compile(rf"[0-9]{{{SHORTEST_PIN},{LONGEST_PIN}}}", re.ASCII)


class PinRefused(TriofError):
    """The PIN cannot be set."""


class TechnicianPin:
    """The PIN in the folder ``home``; a change by another process is seen by the next call."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE
        # scrypt takes 32 MB and a core for a moment.
        self._one_at_a_time = Lock()

    @property
    def is_set(self) -> bool:
        """Whether there is a PIN."""
        return bool(self._digest())

    @property
    def mark(self) -> str:
        """A word that changes with each new PIN, for the logins made with it; it does not tell the PIN."""
        return hashlib.sha256(self._digest().encode()).hexdigest()[:24]

    def set(self, pin: str) -> None:
        """Set the PIN and end the logins with the last one. Raises PinRefused, OSError."""
        if not _PIN.fullmatch(pin):
            raise PinRefused(f"The PIN must have {SHORTEST_PIN} to {LONGEST_PIN} digits and nothing else.")
        if len(set(pin)) < 3:
            raise PinRefused("The PIN is easily guessed: use at least three different digits.")
        replace_file(self._path, json.dumps({"digest": generate_password_hash(pin, _METHOD)}).encode())

    def remove(self) -> None:
        """Remove the PIN. Raises OSError."""
        self._path.unlink(missing_ok=True)

    def is_right(self, pin: str) -> bool:
        """Return whether ``pin`` is the PIN; takes as long if none is set."""
        digest = self._digest()
        with self._one_at_a_time:
            right = check_password_hash(digest or _UNUSED_DIGEST, pin[:LONGEST_PIN])
        return bool(digest) and right and len(pin) <= LONGEST_PIN

    def _digest(self) -> str:
        return str(read_json(self._path).get("digest") or "")
