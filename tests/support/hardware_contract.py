"""What every hardware driver must do; each driver's test class inherits it and says how one is built."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from triof.machine.hardware.base import Hardware, Part, Sensors
from triof.machine.slot import EmergencyStopped, Interlocked, Jammed, Slot, SlotError


class PlayedHardware:
    """A driver together with the hand that presses, jams and puts in; ``start`` builds it again, as after a restart."""

    def start(self) -> Hardware:
        raise NotImplementedError

    def press_stop(self) -> None:
        raise NotImplementedError

    def release_stop(self) -> None:
        raise NotImplementedError

    def stick(self, part: Part | None) -> None:
        """Let a part stick; None: all are free, though a jam that was noticed still holds."""
        raise NotImplementedError

    def put_item(self, is_there: bool) -> None:
        raise NotImplementedError


MOVEMENTS: dict[Part, Callable[[Slot], None]] = {
    "slot": Slot.open,
    "box": lambda slot: slot.move_box(2),
    "shredder": Slot.shred,
}


class HardwareContract:
    """Inherit, and build a machine at rest: slot closed, no item, nothing pressed."""

    parts: tuple[Part, ...] = ("slot", "box", "shredder")
    """Those whose jam the driver can notice."""

    def build(self, folder: Path) -> PlayedHardware:
        raise NotImplementedError

    @pytest.fixture
    def played(self, tmp_path: Path) -> PlayedHardware:
        return self.build(tmp_path)

    @pytest.fixture
    def hardware(self, played: PlayedHardware) -> Iterator[Hardware]:
        hardware = played.start()
        yield hardware
        hardware.close()

    @pytest.fixture
    def slot(self, hardware: Hardware) -> Slot:
        return Slot(hardware)

    def test_the_slot_opens_and_closes_as_often_as_it_is_told(self, slot: Slot) -> None:
        slot.close()
        for _ in range(2):
            slot.open()
            slot.open()
            assert slot.is_open()
            assert slot.sensors().slot_open
            slot.close()
            slot.close()
            assert not slot.is_open()

    def test_a_whole_deposit_moves_every_part(self, slot: Slot, played: PlayedHardware) -> None:
        slot.close()
        slot.open()
        played.put_item(True)
        slot.close()
        assert slot.sensors() == Sensors(slot_open=False, item=True, emergency_stop=False)
        for number in (1, 3, 2):
            slot.move_box(number)
        slot.shred()
        assert slot.sensors().item is False
        assert slot.fault() is None

    def test_the_shredders_own_switch_refuses_with_the_slot_open(self, hardware: Hardware) -> None:
        hardware.open_slot()
        with pytest.raises(Interlocked):
            hardware.shred()

    def test_a_jam_is_noticed_and_holds_over_a_restart_until_it_is_cleared(
        self, slot: Slot, hardware: Hardware, played: PlayedHardware
    ) -> None:
        slot.close()
        for part in self.parts:
            played.put_item(True)
            played.stick(part)
            with pytest.raises(Jammed, match=f"The {part} is jammed") as refused:
                MOVEMENTS[part](slot)
            assert (refused.value.part, slot.jammed()) == (part, part)
            played.stick(None)
        hardware.close()
        again = played.start()
        try:
            assert again.jammed() == self.parts[-1]
            with pytest.raises(Jammed):
                MOVEMENTS[self.parts[-1]](Slot(again))
            again.clear()
            assert again.jammed() is None
            MOVEMENTS[self.parts[-1]](Slot(again))
        finally:
            again.close()

    def test_an_emergency_stop_holds_over_a_restart_until_it_is_released_and_cleared(
        self, slot: Slot, hardware: Hardware, played: PlayedHardware
    ) -> None:
        slot.close()
        played.press_stop()
        assert slot.sensors().emergency_stop
        for movement in (*MOVEMENTS.values(), Slot.close):
            with pytest.raises(EmergencyStopped):
                movement(slot)
        with pytest.raises(SlotError, match="still pressed"):
            slot.clear()
        played.release_stop()
        hardware.close()
        again = played.start()
        try:
            assert isinstance(Slot(again).fault(), EmergencyStopped)
            again.clear()
            assert Slot(again).fault() is None
            Slot(again).open()
        finally:
            again.close()

    def test_lights_go_on_and_off_at_any_time(self, slot: Slot, played: PlayedHardware) -> None:
        played.press_stop()
        slot.set_lamp(True)
        for status in ("ready", "busy", "fault"):
            slot.set_status(status)
        slot.set_lamp(False)

    def test_releasing_twice_is_harmless(self, hardware: Hardware) -> None:
        hardware.sensors()
        hardware.close()
        hardware.close()
