"""The interlocks hold for whoever asks, and the simulated machine behaves like one."""

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest

from triof.machine.simulated import SimulatedHardware
from triof.machine.slot import Interlocked, Jammed, Slot
from triof.settings.sections.slot import SimulatedSeconds


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
