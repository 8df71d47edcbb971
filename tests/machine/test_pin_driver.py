"""The pin driver on mock pins: what is driven, time-outs, the emergency stop and the table's mistakes."""

from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from tests.support.pins import PlayedPins
from triof.machine.hardware.gpio.parts import Contact, pin_factory
from triof.machine.slot import EmergencyStopped, Interlocked, Jammed, SlotError
from triof.settings.loader import SettingsError, load
from triof.settings.sections.machine.gpio import GpioSettings

TABLE = GpioSettings()
MOTOR = GpioSettings(box_drive="motor", box_forward=16, box_switches=(19, 21, 26))
CARRIAGE = GpioSettings(box_drive="motor", box_forward=16, box_backward=20, box_switches=(19, 21, 26))


@pytest.fixture
def played(tmp_path: Path) -> PlayedPins:
    return PlayedPins(tmp_path, TABLE)


def test_a_new_driver_drives_nothing_and_a_closed_one_neither(played: PlayedPins) -> None:
    driver = played.start()
    assert played.bench.driven() == {}
    driver.set_lamp(True)
    driver.set_status("busy")
    driver.open_slot()
    assert set(played.bench.driven()) == {TABLE.lamp_relay, TABLE.status_blue, TABLE.slot_servo}
    driver.close()
    assert played.bench.driven() == {}


def test_relays_that_are_on_at_the_low_level_are_off_at_the_high_one(tmp_path: Path) -> None:
    played = PlayedPins(tmp_path, GpioSettings(shredder_active="low"))
    driver = played.start()
    assert played.bench.driven() == {TABLE.shredder_relay: 1}
    driver.close_slot()
    driver.shred()
    assert played.bench.history(TABLE.shredder_relay) == [1, 0, 1]


def test_servos_go_to_their_angles(played: PlayedPins) -> None:
    driver = played.start()
    driver.open_slot()
    driver.move_box(3)
    # Half a millisecond at 0 degrees, 2.5 at 180, of 20.
    assert played.bench.driven() == pytest.approx({TABLE.slot_servo: 1.5 / 20, TABLE.box_servo: 2.5 / 20})


def test_the_shredder_runs_its_time_and_on_until_the_item_is_gone(played: PlayedPins) -> None:
    driver = played.start()
    driver.close_slot()
    began = played.clock()
    driver.shred()
    assert played.clock() - began == pytest.approx(TABLE.shred_seconds, abs=0.05)
    assert played.bench.history(TABLE.shredder_relay) == [1, 0]
    played.put_item(True)
    played.stick("shredder")
    played.interrupt(7, lambda: played.stick(None))
    began = played.clock()
    driver.shred()
    assert played.clock() - began == pytest.approx(7, abs=0.1)


@pytest.mark.parametrize("movement", ["open", "close", "shredder", "box"])
def test_a_movement_that_does_not_end_is_a_jam_with_every_motor_off(tmp_path: Path, movement: str) -> None:
    played = PlayedPins(tmp_path, MOTOR)
    driver = played.start()
    driver.close_slot()
    if movement == "close":
        driver.open_slot()
    played.put_item(True)
    played.stick(part := "slot" if movement in ("open", "close") else movement)  # type: ignore[arg-type]
    moves: dict[str, Callable[[], None]] = {
        "open": driver.open_slot,
        "close": driver.close_slot,
        "shredder": driver.shred,
        "box": lambda: driver.move_box(3),
    }
    limits = {"open": 3, "close": 3, "shredder": 15, "box": 10}
    began = played.clock()
    with pytest.raises(Jammed) as refused:
        moves[movement]()
    assert refused.value.part == part
    assert played.clock() - began == pytest.approx(limits[movement], abs=0.1)
    assert played.bench.driven() == {}


@pytest.mark.parametrize("movement", ["open", "close", "shred", "box", "motor"])
def test_the_emergency_stop_ends_each_movement_at_once(tmp_path: Path, movement: str) -> None:
    played = PlayedPins(tmp_path, CARRIAGE if movement == "motor" else TABLE)
    driver = played.start()
    driver.close_slot()
    if movement == "close":
        driver.open_slot()
    driver.set_lamp(True)
    if movement in ("close", "motor"):
        played.stick("slot" if movement == "close" else "box")
    moves: dict[str, Callable[[], None]] = {
        "open": driver.open_slot,
        "close": driver.close_slot,
        "shred": driver.shred,
        "box": lambda: driver.move_box(2),
        "motor": lambda: driver.move_box(2),
    }
    pressed: list[dict[int, float]] = []

    def press() -> None:
        assert played.bench.driven(), "something moved"
        played.press_stop()
        # By the edge of the pin itself, before the movement's own thread goes on.
        pressed.append(played.bench.driven())

    played.interrupt(0.05, press)
    began = played.clock()
    with pytest.raises(EmergencyStopped):
        moves[movement]()
    assert pressed == [{}]
    assert played.clock() - began < 0.1
    assert played.bench.driven() == {}


def test_a_pressed_button_whose_edge_was_missed_stops_all_the_same(played: PlayedPins) -> None:
    driver = played.start()
    driver.set_lamp(True)
    assert driver.parts.emergency_stop
    driver.parts.emergency_stop.when_active(lambda: None)
    played.press_stop()
    with pytest.raises(EmergencyStopped):
        driver.open_slot()
    assert played.bench.driven() == {}
    assert driver.sensors().emergency_stop
    with pytest.raises(SlotError, match="still pressed"):
        driver.clear()
    played.release_stop()
    driver.clear()
    driver.open_slot()


def test_a_button_that_is_pressed_while_the_stop_is_cleared_counts(played: PlayedPins) -> None:
    driver = played.start()
    press = Thread(target=played.press_stop)

    class Hasty(Contact):
        @property
        def is_active(self) -> bool:
            # The callback waits for the driver's lock, so the thread ends only after the call.
            if not press.ident:
                press.start()
                press.join(0.1)
            return False

    # A device without a reference is closed, and calls nothing any more.
    button, driver.parts.emergency_stop = driver.parts.emergency_stop, Hasty(None, "high")
    driver.clear()
    press.join()
    assert button
    assert driver.sensors().emergency_stop
    with pytest.raises(EmergencyStopped):
        driver.open_slot()


def test_a_stop_that_is_pressed_at_the_start_holds(played: PlayedPins) -> None:
    played.bench.press_stop()
    driver = played.start()
    assert driver.sensors().emergency_stop
    with pytest.raises(EmergencyStopped):
        driver.open_slot()
    assert played.bench.entries() == []


def test_the_shredder_stops_when_the_slot_is_pushed_open(played: PlayedPins) -> None:
    driver = played.start()
    driver.move_box(1)
    played.interrupt(1, lambda: played.bench.set_switch(is_closed=False))
    with pytest.raises(Interlocked):
        driver.shred()
    assert played.bench.history(TABLE.shredder_relay) == [1, 0]


def test_nothing_is_switched_on_by_a_movement_that_outlives_the_driver(played: PlayedPins) -> None:
    driver = played.start()
    played.interrupt(0.05, driver.close)
    with pytest.raises(SlotError, match="being stopped"):
        driver.shred()
    assert played.bench.history(TABLE.shredder_relay) == [1, 0]


def test_a_carriage_takes_the_shorter_way_and_a_turntable_the_only_one(tmp_path: Path) -> None:
    (tmp_path / "carriage").mkdir()
    (tmp_path / "turntable").mkdir()
    played = PlayedPins(tmp_path / "carriage", CARRIAGE)
    driver = played.start()
    for number in (3, 1, 2):
        driver.move_box(number)
    # From an unknown place it goes back to find a switch.
    assert played.bench.history(CARRIAGE.box_backward)[:2] == [1, 0]
    assert played.bench.history(CARRIAGE.box_forward)[-2:] == [1, 0]
    played = PlayedPins(tmp_path / "turntable", MOTOR)
    driver = played.start()
    for number in (3, 1, 2):
        driver.move_box(number)
    assert played.bench.history(MOTOR.box_forward) == [1, 0] * 3


def test_without_a_switch_the_slot_is_believed_and_counts_as_open_at_a_start(tmp_path: Path) -> None:
    played = PlayedPins(tmp_path, GpioSettings(slot_switch=0, item_sensor=0))
    driver = played.start()
    assert driver.slot_is_open()
    assert driver.sensors().item is None
    driver.close_slot()
    assert not driver.slot_is_open()
    driver.shred()


@pytest.mark.parametrize("content", [b"", b"{", b'{"jammed": "lid"}', b'{"lid": 1}'])
def test_a_latch_that_cannot_be_read_wants_a_technician(played: PlayedPins, content: bytes) -> None:
    (played.bench.folder / "latch.json").write_bytes(content)
    driver = played.start()
    with pytest.raises(EmergencyStopped):
        driver.open_slot()
    driver.clear()
    driver.open_slot()


def test_every_mistake_of_the_pin_table_is_told_at_once(tmp_path: Path) -> None:
    flags = {
        "slot.kind": "gpiozero",
        "slot.gpiozero.slot_servo": "24",
        "slot.gpiozero.lamp_relay": "40",
        "slot.gpiozero.emergency_stop": "0",
        "slot.gpiozero.box_degrees": "0, 90",
        "slot.gpiozero.slot_open_degrees": "0",
        "slot.gpiozero.shred_seconds": "20",
    }
    with pytest.raises(SettingsError) as refused:
        load(flags, {}, tmp_path / ".env")
    told = str(refused.value)
    for mistake in (
        "slot_servo and shredder_relay share pin 24",
        "lamp_relay = 40 is no pin of the header (BCM 2 to 27)",
        "emergency_stop is needed",
        "box_degrees has 2 positions for 3 boxes",
        "slot_open_degrees and slot_closed_degrees are the same",
        "shredder_timeout_seconds must be above shred_seconds",
    ):
        assert mistake in told
    assert len(refused.value.mistakes) == 1
    del flags["slot.kind"]
    load(flags, {}, tmp_path / ".env")


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        ({"box_drive": "motor"}, "box_forward is needed; box_switches has 0 positions for 3 boxes"),
        ({"box_degrees": (0, 0, 90)}, "box_degrees has one position twice"),
        ({"servo_shortest_ms": 2.5}, "servo_longest_ms must be above servo_shortest_ms"),
        ({"slot_timeout_seconds": 0.5}, "slot_timeout_seconds must be above slot_seconds"),
        (
            {"box_drive": "motor", "box_forward": 5, "box_switches": (6, 7, 7)},
            "box_switches[2] and box_switches[3] share",
        ),
    ],
)
def test_other_mistakes_of_the_table(table: dict[str, object], mistake: str) -> None:
    assert mistake in "; ".join(GpioSettings.model_validate(table).mistakes(3))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("lgpoi", "mend slot.gpiozero.pin_factory"),
        ("no.such:Factory", "mend"),
        (f"{__name__}:forbidden", "aG gpio"),
        (f"{__name__}:unable", "sudo apt-get install python3-lgpio .*mend slot.gpiozero.pin_factory"),
    ],
)
def test_pins_that_cannot_be_reached_say_what_to_do(name: str, why: str) -> None:
    with pytest.raises(SlotError, match=why):
        pin_factory(name)


def forbidden() -> None:
    raise PermissionError(13, "Permission denied", "/dev/gpiochip0")


def unable() -> None:
    """Fail like gpiozero's own factory where lgpio is not installed."""
    raise ModuleNotFoundError("No module named 'lgpio'", name="lgpio")
