"""An executable that stands for Chromium: notes its arguments, then lives, dies or does not end when it is told to."""

from pathlib import Path
from typing import Literal

Behaviour = Literal["lives", "dies", "hangs"]

_SCRIPTS: dict[Behaviour, str] = {
    "lives": "{note}\nexec /bin/sleep 600",
    "dies": "{note}\nexit 7",
    "hangs": "trap '' TERM\n{note}\nwhile :; do /bin/sleep 600 & wait; done",
}


class StandInBrowser:
    """A folder for PATH with an executable called ``name``."""

    def __init__(self, folder: Path, does: Behaviour = "lives", name: str = "chromium") -> None:
        folder.mkdir(exist_ok=True)
        self._notes = folder / "notes"
        self.path = folder / name
        self.do(does)

    def do(self, does: Behaviour) -> None:
        """Behave so from the next start on."""
        note = f'echo "$$ $*" >> {self._notes}'
        self.path.write_text("#!/bin/sh\n" + _SCRIPTS[does].format(note=note) + "\n")
        self.path.chmod(0o755)

    @property
    def starts(self) -> list[tuple[int, list[str]]]:
        """Process id and arguments of each start."""
        lines = self._notes.read_text().splitlines() if self._notes.exists() else []
        return [(int(line.split()[0]), line.split()[1:]) for line in lines]
