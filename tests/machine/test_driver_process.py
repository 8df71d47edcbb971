"""The driver's process: it stops everything when its owner is killed, hangs or ends, and serves guests."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Timer

import psutil
import pytest

from testing.gpio_bench import FOLDER, Bench
from tests.support.hardware_contract import HardwareContract, PlayedHardware
from tests.support.paths import ROOT
from tests.support.raw_clients import eventually
from triof.machine.hardware.base import Part
from triof.machine.hardware.gpio.client import GpioHardware
from triof.machine.hardware.gpio.places import connect
from triof.machine.slot import Slot, SlotError
from triof.settings.sections.machine.gpio import GpioSettings

pytestmark = pytest.mark.slow

FACTORY = "testing.gpio_bench:BenchFactory"
QUICK = GpioSettings(
    pin_factory=FACTORY,
    slot_seconds=0.01,
    box_seconds=0.01,
    shred_seconds=0.05,
    slot_timeout_seconds=1,
    shredder_timeout_seconds=1,
)
LONG = GpioSettings(pin_factory=FACTORY, slot_seconds=0.01, shred_seconds=60, shredder_timeout_seconds=90)

Start = Callable[..., GpioHardware]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return Bench(tmp_path)


@pytest.fixture
def start(bench: Bench) -> Iterator[Start]:
    started: list[GpioHardware] = []

    def build(settings: GpioSettings = QUICK, answer_seconds: float = 5.0) -> GpioHardware:
        started.append(GpioHardware(settings, bench.folder, answer_seconds))
        return started[-1]

    yield build
    for hardware in started:
        hardware.close()


class PlayedProcess(PlayedHardware):
    """The driver in its process; what is played has arrived there when it is said."""

    def __init__(self, folder: Path) -> None:
        self.bench = Bench(folder)
        self.hardware: GpioHardware

    def start(self) -> GpioHardware:
        self.hardware = GpioHardware(QUICK, self.bench.folder)
        return self.hardware

    def press_stop(self) -> None:
        self.bench.press_stop()
        assert eventually(lambda: self.hardware.sensors().emergency_stop)

    def release_stop(self) -> None:
        # Seen by the next process, which reads all that was played before it starts.
        self.bench.release_stop()

    def stick(self, part: Part | None) -> None:
        self.bench.stick(*([part] if part else []))
        # Read in order: once the item is noticed, so is what came before.
        self.put_item(False)
        self.put_item(True)

    def put_item(self, is_there: bool) -> None:
        self.bench.put_item(is_there)
        assert eventually(lambda: self.hardware.sensors().item is is_there)


class TestDriverProcess(HardwareContract):
    parts = ("slot", "shredder")

    @pytest.fixture(autouse=True)
    def _finds_the_bench(self, bench: Bench) -> None:
        pass

    def build(self, folder: Path) -> PlayedHardware:
        return PlayedProcess(folder)


OWNER = """
import sys
from pathlib import Path
from triof.machine.hardware.gpio.client import GpioHardware
from triof.settings.sections.machine.gpio import GpioSettings
hardware = GpioHardware(GpioSettings.model_validate_json(sys.argv[1]), Path(sys.argv[2]))
hardware.close_slot()
print(hardware.driver_pid(), flush=True)
hardware.shred()
"""


@pytest.fixture
def shredding(bench: Bench) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """A program that shreds for a minute, and its driver."""
    settings = LONG.model_copy(update={"heartbeat_seconds": 1.0})
    command = [sys.executable, "-c", OWNER, settings.model_dump_json(), str(bench.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        driver = psutil.Process(int(owner.stdout.readline()))
        assert eventually(lambda: bench.level(LONG.shredder_relay) == 1)
        yield owner, driver
        owner.kill()


def test_the_shredder_stops_when_the_kiosk_is_killed(
    bench: Bench, shredding: tuple[subprocess.Popen[str], psutil.Process]
) -> None:
    owner, driver = shredding
    owner.kill()
    assert eventually(lambda: bench.driven() == {})
    assert eventually(lambda: not driver.is_running() or driver.status() == psutil.STATUS_ZOMBIE)


def test_the_shredder_stops_when_the_kiosk_hangs(
    bench: Bench, shredding: tuple[subprocess.Popen[str], psutil.Process]
) -> None:
    owner, _ = shredding
    owner.send_signal(signal.SIGSTOP)
    assert eventually(lambda: bench.driven() == {})


def test_a_signal_to_the_whole_service_leaves_the_driver_to_its_owner(
    bench: Bench, shredding: tuple[subprocess.Popen[str], psutil.Process]
) -> None:
    _, driver = shredding
    driver.send_signal(signal.SIGTERM)
    driver.send_signal(signal.SIGINT)
    with pytest.raises(psutil.TimeoutExpired):
        driver.wait(0.2)
    assert bench.level(LONG.shredder_relay) == 1


def test_a_driver_that_is_killed_is_started_again_with_everything_off(bench: Bench, start: Start) -> None:
    hardware = start()
    hardware.close_slot()
    hardware.set_lamp(True)
    first = hardware.driver_pid()
    assert first
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: bench.driven() == {}), "without being asked for anything"
    assert not hardware.slot_is_open()
    assert hardware.driver_pid() != first


def test_a_driver_that_hangs_is_killed_and_started_again_with_everything_off(bench: Bench, start: Start) -> None:
    hardware = start(answer_seconds=1.5)
    hardware.set_lamp(True)
    first = hardware.driver_pid()
    assert first
    os.kill(first, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        hardware.sensors()
    assert eventually(lambda: bench.driven() == {}), "without being asked for anything"
    assert hardware.sensors().emergency_stop is False
    assert hardware.driver_pid() != first


def test_a_driver_that_hangs_does_not_hold_up_the_end(start: Start) -> None:
    hardware = start(answer_seconds=1.5)
    hardware.set_lamp(True)
    pid = hardware.driver_pid()
    assert pid
    os.kill(pid, signal.SIGSTOP)
    hardware.close()
    assert not psutil.pid_exists(pid)


def test_a_movement_whose_driver_dies_is_an_error_and_the_next_one_works(bench: Bench, start: Start) -> None:
    slot = Slot(hardware := start(QUICK.model_copy(update={"slot_timeout_seconds": 30})))
    slot.close()
    bench.stick("slot")
    pid = hardware.driver_pid()
    assert pid
    Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(SlotError, match="does not answer while opening the slot"):
        slot.open()
    bench.stick()
    slot.open()


def test_other_programs_read_and_clear_but_move_nothing(bench: Bench, start: Start) -> None:
    kiosk, shell = start(), start()
    kiosk.close_slot()
    assert not shell.slot_is_open()
    for movement in (shell.shred, shell.open_slot, lambda: shell.move_box(1), lambda: shell.set_lamp(True)):
        with pytest.raises(SlotError, match="Another program runs the machine"):
            movement()
    bench.press_stop()
    assert eventually(lambda: shell.sensors().emergency_stop)
    with pytest.raises(SlotError, match="still pressed"):
        shell.clear()
    bench.release_stop()

    def cleared() -> bool:
        try:
            shell.clear()
        except SlotError:
            return False
        return True

    assert eventually(cleared)
    kiosk.open_slot()
    shell.close()
    assert kiosk.slot_is_open(), "a guest that leaves stops nothing"
    kiosk.close()
    assert bench.driven() == {}


def test_a_guest_that_talks_nonsense_disturbs_no_one(start: Start, bench: Bench) -> None:
    kiosk = start()
    kiosk.open_slot()
    pid = kiosk.driver_pid()
    for sent in (b"noise\n", b"[]\n{}\n7\n", b'{"call": "sensors"}\n', b'{"id": 1, "call": 7, "args": 8}\n'):
        with connect(bench.folder) as guest:
            guest.sendall(sent)
            kiosk.close_slot()
            kiosk.open_slot()
    assert kiosk.driver_pid() == pid


def test_a_guest_that_reads_nothing_does_not_keep_the_driver_from_its_owner(start: Start, bench: Bench) -> None:
    kiosk = start()
    kiosk.open_slot()
    with connect(bench.folder) as guest:
        guest.setblocking(False)
        with suppress(OSError):
            for _ in range(200):
                guest.sendall(b'{"id": 1, "call": "sensors", "args": []}\n' * 100)
        kiosk.close_slot()
        assert not kiosk.slot_is_open()


def test_pins_that_cannot_be_had_are_one_sentence(start: Start) -> None:
    hardware = start(GpioSettings(pin_factory="lgpoi"))
    for _ in range(2):
        with pytest.raises(SlotError, match=r"mend slot\.gpiozero\.pin_factory"):
            hardware.sensors()
