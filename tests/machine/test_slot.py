"""The interlocks hold for whoever asks, and the simulated machine behaves like one."""

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest
from pydantic import ValidationError

from triof.deposits.lamp import lamp_on
from triof.machine.hardware.base import Sensors
from triof.machine.hardware.registry import build_hardware
from triof.machine.hardware.simulated import SimulatedHardware
from triof.machine.slot import EmergencyStopped, Interlocked, Jammed, Slot, SlotError
from triof.settings.sections.machine.slot import SimulatedSeconds, SlotSettings
from triof.settings.tree import Settings


def hardware(tmp_path: Path, wait: Callable[[float], None] = lambda _: None) -> SimulatedHardware:
    return SimulatedHardware(tmp_path / "machine.json", SimulatedSeconds(), wait)


def test_nothing_is_shredded_with_the_slot_open(tmp_path: Path) -> None:
    slot = Slot(hardware(tmp_path))
    slot.open()
    with pytest.raises(Interlocked, match="close it before shredding"):
        slot.shred()
    slot.close()
    slot.shred()


def test_the_hardwares_own_switch_refuses_too(tmp_path: Path) -> None:
    bare = hardware(tmp_path)
    bare.open_slot()
    with pytest.raises(Interlocked):
        bare.shred()


@pytest.mark.parametrize("movement", ["open", "close", "shred", "move_box"])
def test_nothing_moves_while_shredding(tmp_path: Path, movement: str) -> None:
    begun, over = Event(), Event()

    def wait(_: float) -> None:
        begun.set()
        over.wait()

    slot = Slot(hardware(tmp_path, wait))
    shredding = Thread(target=slot.shred)
    shredding.start()
    begun.wait()
    try:
        with pytest.raises(Interlocked, match="shredding"):
            slot.move_box(2) if movement == "move_box" else getattr(slot, movement)()
    finally:
        over.set()
        shredding.join()
    slot.move_box(2)


def test_movements_take_their_time(tmp_path: Path) -> None:
    waits: list[float] = []
    slot = Slot(hardware(tmp_path, waits.append))
    slot.open()
    slot.close()
    slot.close()
    slot.move_box(2)
    slot.move_box(2)
    slot.shred()
    assert waits == [0.6, 0.6, 1.5, 3.0]


@pytest.mark.parametrize("part", ["slot", "box", "shredder"])
def test_a_jam_is_seen_by_every_process_and_outlives_a_restart(tmp_path: Path, part: str) -> None:
    hardware(tmp_path).jam(part)  # type: ignore[arg-type]
    slot = Slot(hardware(tmp_path))
    assert slot.jammed() == part
    moves = {"slot": slot.open, "box": lambda: slot.move_box(3), "shredder": slot.shred}
    with pytest.raises(Jammed, match=f"The {part} is jammed.*triof slot clear"):
        moves[part]()
    hardware(tmp_path).jam(None)
    moves[part]()


def test_the_slot_stays_open_over_a_crash(tmp_path: Path) -> None:
    hardware(tmp_path).open_slot()
    assert Slot(hardware(tmp_path)).is_open()


@pytest.mark.parametrize("content", [b"", b"{", b'{"lid": 1}'])
def test_a_state_that_cannot_be_read_counts_as_open(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "machine.json").write_bytes(content)
    slot = Slot(hardware(tmp_path))
    with pytest.raises(Interlocked):
        slot.shred()
    slot.close()
    slot.shred()


def test_an_emergency_stop_holds_until_it_is_released_and_cleared(tmp_path: Path) -> None:
    slot = Slot(hardware(tmp_path))
    slot.open()
    hardware(tmp_path).press_stop()
    assert slot.sensors() == Sensors(slot_open=True, item=None, emergency_stop=True)
    assert isinstance(slot.fault(), EmergencyStopped)
    for movement in (slot.open, slot.close, slot.shred, lambda: slot.move_box(2)):
        with pytest.raises(EmergencyStopped, match="triof slot clear"):
            movement()
    with pytest.raises(SlotError, match="still pressed"):
        slot.clear()
    hardware(tmp_path).release_stop()
    assert slot.sensors().emergency_stop
    slot.clear()
    assert slot.fault() is None
    slot.close()


def test_an_emergency_stop_ends_a_movement_under_way(tmp_path: Path) -> None:
    slot = Slot(hardware(tmp_path, lambda _: hardware(tmp_path).press_stop()))
    with pytest.raises(EmergencyStopped):
        slot.shred()


def test_a_shredded_item_is_gone_and_without_a_sensor_none_is_known(tmp_path: Path) -> None:
    bare, slot = hardware(tmp_path), Slot(hardware(tmp_path))
    assert slot.sensors().item is None
    bare.put_item(True)
    assert slot.sensors().item
    slot.shred()
    assert slot.sensors().item is False
    bare.put_item(None)
    assert slot.sensors().item is None


def test_the_lamp_goes_out_after_the_last_photo_that_needs_it(tmp_path: Path) -> None:
    """A deposit may begin while the machine looks into its empty slot."""
    bare = SimulatedHardware(tmp_path / "machine.json")
    slot = Slot(bare)
    with lamp_on(slot):
        with lamp_on(slot):
            assert bare.lamp
        assert bare.lamp, "the other photo is not taken yet"
    assert not bare.lamp


def test_lamp_and_status_light_are_passed_on_and_go_out_at_the_end(tmp_path: Path) -> None:
    bare = hardware(tmp_path)
    slot = Slot(bare)
    slot.set_lamp(True)
    slot.set_status("fault")
    assert (bare.lamp, bare.status) == (True, "fault")
    slot.release()
    assert not bare.lamp


class ForeignHardware(SimulatedHardware):
    """A driver that is no part of Triof."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.home / "foreign.json")


def test_any_class_can_be_the_hardware(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, slot=SlotSettings(kind=f"{__name__}:ForeignHardware"))
    assert isinstance(build_hardware(settings), ForeignHardware)


@pytest.mark.parametrize(
    ("kind", "why"),
    [("no.such:Thing", "install it"), ("builtins:print", "it lacks open_slot"), ("builtins:no", "mend")],
)
def test_what_is_no_hardware_is_refused_by_its_name(tmp_path: Path, kind: str, why: str) -> None:
    with pytest.raises(SlotError, match=why) as refused:
        build_hardware(Settings(home=tmp_path, slot=SlotSettings(kind=kind)))
    assert kind in str(refused.value)


def test_a_kind_that_is_no_name_of_a_class_is_a_mistake_of_the_settings() -> None:
    with pytest.raises(ValidationError, match="No hardware is called 'lego': use simulated"):
        SlotSettings(kind="lego")
