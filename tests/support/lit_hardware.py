"""A driver of another vendor that writes down when its lamp is switched."""

from pathlib import Path

from triof.machine.hardware.simulated import SimulatedHardware
from triof.settings.sections.machine.slot import SimulatedSeconds
from triof.settings.tree import Settings

KIND = "tests.support.lit_hardware:LitHardware"


class LitHardware(SimulatedHardware):
    """Simulated hardware with a record of its lamp."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.home / "simulated_machine.json", SimulatedSeconds(slot=0, box=0, shred=0))
        self._record = settings.home / "lamp.jsonl"

    def set_lamp(self, on: bool) -> None:
        super().set_lamp(on)
        with self._record.open("a") as record:
            record.write("on\n" if on else "off\n")


def lamp_record(home: Path) -> list[str]:
    """How the lamp was switched, in turn."""
    record = home / "lamp.jsonl"
    return record.read_text().split() if record.exists() else []
