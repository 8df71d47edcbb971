"""Every driver keeps the contract: the simulated machine, mock pins in this process, and a class from outside."""

from pathlib import Path

from tests.support.hardware_contract import HardwareContract, PlayedHardware
from tests.support.pins import PlayedPins
from triof.machine.hardware.base import Hardware, Part
from triof.machine.hardware.registry import build_hardware
from triof.machine.hardware.simulated import SimulatedHardware
from triof.settings.sections.machine.gpio import GpioSettings
from triof.settings.sections.machine.slot import SimulatedSeconds, SlotSettings
from triof.settings.tree import Settings

AT_ONCE = SimulatedSeconds(slot=0, box=0, shred=0)


class PlayedSimulation(PlayedHardware):
    """The simulated machine, by its files."""

    def __init__(self, folder: Path) -> None:
        self.hand = SimulatedHardware(folder / "machine.json", AT_ONCE)
        self.folder = folder

    def start(self) -> Hardware:
        return SimulatedHardware(self.folder / "machine.json", AT_ONCE)

    def press_stop(self) -> None:
        self.hand.press_stop()

    def release_stop(self) -> None:
        self.hand.release_stop()

    def stick(self, part: Part | None) -> None:
        # A jam of the simulated machine is one from the start, and holds.
        if part:
            self.hand.jam(part)

    def put_item(self, is_there: bool) -> None:
        self.hand.put_item(is_there)


class TestSimulatedMachine(HardwareContract):
    def build(self, folder: Path) -> PlayedHardware:
        return PlayedSimulation(folder)


class OwnHardware(SimulatedHardware):
    """A driver as another vendor would write it: built with the settings."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.home / "machine.json", AT_ONCE)


class PlayedForeign(PlayedSimulation):
    def start(self) -> Hardware:
        return build_hardware(Settings(home=self.folder, slot=SlotSettings(kind=f"{__name__}:OwnHardware")))


class TestForeignDriver(HardwareContract):
    def build(self, folder: Path) -> PlayedHardware:
        return PlayedForeign(folder)


class TestPinsWithAServoForTheBoxes(HardwareContract):
    parts = ("slot", "shredder")
    """A servo does not tell whether it has arrived."""

    def build(self, folder: Path) -> PlayedHardware:
        return PlayedPins(folder, GpioSettings())


MOTOR = GpioSettings(box_drive="motor", box_forward=16, box_backward=20, box_switches=(19, 21, 26))


class TestPinsWithAMotorAndSwitches(HardwareContract):
    def build(self, folder: Path) -> PlayedHardware:
        return PlayedPins(folder, MOTOR)
