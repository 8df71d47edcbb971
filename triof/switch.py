"""The switch between cloud and local, which a running kiosk looks at before every photo."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, get_args

from triof.durable import read_json, replace_file
from triof.router import Mode


class Turned(NamedTuple):
    """The last turn of the switch that still holds."""

    mode: Mode
    who: str
    why: str
    at: str
    """Local time, to the second."""


class Switch:
    """Which mode holds: the one the switch was turned to, or the one of the settings if they changed since.

    A file of its own rather than a row of the journal: the last turn must hold even where the machine's clock is
    wrong, and be read in front of a person.
    """

    def __init__(self, home: Path, configured: Mode) -> None:
        self._path = home / "mode.json"
        self._configured = configured

    def mode(self) -> Mode:
        """What holds now."""
        turned = self.turned()
        return turned.mode if turned else self._configured

    def turned(self) -> Turned | None:
        """The last turn, unless the settings hold."""
        kept = read_json(self._path)
        if kept.get("mode") not in get_args(Mode) or self._overruled(kept):
            return None
        return Turned(kept["mode"], *(str(kept.get(name, "")) for name in ("who", "why", "at")))

    def turn(self, mode: Mode, who: str, why: str) -> None:
        """Turn to ``mode`` for good; on return it holds for a running kiosk too. Raises OSError."""
        turned = Turned(mode, who, why, datetime.now(UTC).astimezone().isoformat(" ", "seconds"))
        replace_file(self._path, json.dumps({**turned._asdict(), "configured": self._configured}).encode())

    def settle(self) -> None:
        """Forget a turn that the settings have overruled, so that it does not come back when they change again."""
        if self._overruled(read_json(self._path)):
            self._path.unlink(missing_ok=True)

    def _overruled(self, kept: dict[str, Any]) -> bool:
        return kept.get("configured") != self._configured
