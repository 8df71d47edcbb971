"""The pin driver on mock pins in this process, on a clock that moves as the driver waits."""

from collections.abc import Callable
from pathlib import Path

from testing.gpio_bench import Bench, BenchFactory
from tests.support.clock import Clock
from tests.support.hardware_contract import PlayedHardware
from triof.machine.hardware.base import Part
from triof.machine.hardware.gpio.driver import PinDriver
from triof.settings.sections.machine.gpio import GpioSettings


class PlayedPins(PlayedHardware):
    """A bench and the driver on it."""

    def __init__(self, folder: Path, table: GpioSettings) -> None:
        self.bench = Bench(folder, table)
        self.clock = Clock()
        self.factory: BenchFactory
        self._at: float | None = None
        self._act: Callable[[], None] = lambda: None

    def start(self) -> PinDriver:
        self.factory = BenchFactory(self.bench.folder, self.bench.table, ticks_alone=False)
        return PinDriver(self.bench.table, self.bench.folder / "latch.json", self.factory, self.clock, self.wait)

    def wait(self, seconds: float) -> None:
        """Let time pass, and the parts move."""
        self.clock.pass_(seconds)
        self.factory.tick()
        if self._at and self.clock() >= self._at:
            self._at = None
            self._act()

    def interrupt(self, seconds: float, act: Callable[[], None]) -> None:
        """Call ``act`` in the middle of the movement that goes on in ``seconds``."""
        self._at, self._act = self.clock() + seconds, act

    def press_stop(self) -> None:
        self.bench.press_stop()
        self.factory.tick()

    def release_stop(self) -> None:
        self.bench.release_stop()
        self.factory.tick()

    def stick(self, part: Part | None) -> None:
        self.bench.stick(*([part] if part else []))
        self.factory.tick()

    def put_item(self, is_there: bool) -> None:
        self.bench.put_item(is_there)
        self.factory.tick()
