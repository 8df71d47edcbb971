"""Whole deposits through HTTP on mock pins: the item's sensor, time-outs and the emergency stop at every stage."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.machines import BuildMachine, Machine, Visitor
from tests.support.pins import PlayedPins
from triof.machine.cameras.folder import FolderCamera
from triof.settings.sections.machine.gpio import GpioSettings

pytestmark = pytest.mark.slow

TABLE = GpioSettings(box_drive="motor", box_forward=16, box_switches=(19, 21, 26))


class OnPins(NamedTuple):
    """A machine, its visitor, and the hand at its pins."""

    machine: Machine
    visitor: Visitor
    played: PlayedPins

    def insert(self) -> None:
        """Put an item in as a person does."""
        self.visitor.press("/start")
        self.played.put_item(True)

    def judge(self) -> None:
        """Put an item in and have it judged."""
        self.insert()
        self.visitor.press("/waste/pick-type")

    def confirm(self) -> None:
        """Confirm, and look at what the page says once the machine is done."""
        self.visitor.press("/confirmation", waste_type="bottle").wait_idle().open("/confirmation")

    def end(self) -> Visitor:
        """Take the item and leave; the machine tidies up."""
        self.played.put_item(False)
        self.visitor.open("/").press("/done")
        self.machine.services.watch.look()
        return self.visitor.open("/")

    def reasons(self) -> list[tuple[str, str | None]]:
        """How the deposits ended."""
        return [(kind, reason) for kind, _, reason in self.machine.happened() if kind not in ("opened", "judged")]


@pytest.fixture
def on_pins(build_machine: BuildMachine, tmp_path: Path) -> Callable[..., OnPins]:
    (tmp_path / "bench").mkdir()

    def build(table: GpioSettings = TABLE, **scripts: Sequence[str]) -> OnPins:
        played = PlayedPins(tmp_path / "bench", table)
        machine = build_machine(driver=played.start(), **scripts)
        return OnPins(machine, machine.visitor(), played)

    return build


def test_a_deposit_moves_every_part_and_lights_the_photo(build_machine: BuildMachine, tmp_path: Path) -> None:
    lit: list[float] = []

    class Camera(FolderCamera):
        def take(self, upload: bytes | None) -> bytes:
            lit.append(played.bench.level(TABLE.lamp_relay))
            return super().take(upload)

    (tmp_path / "bench").mkdir()
    played = PlayedPins(tmp_path / "bench", TABLE)
    machine = build_machine(driver=played.start(), camera=Camera(tmp_path / "pictures"), waste_type=["cup"])
    run = OnPins(machine, machine.visitor(), played)
    run.judge()
    assert (lit, played.bench.level(TABLE.lamp_relay)) == ([1], 0)
    run.visitor.press("/confirmation", waste_type="cup").wait_idle().open("/confirmation")
    assert run.visitor.shown == "thanks"
    for pin in (TABLE.box_forward, TABLE.shredder_relay):
        assert played.bench.history(pin) == [1, 0]
    assert run.end().shown == "attract"


def test_the_status_light_says_ready_busy_and_out_of_order(on_pins: Callable[..., OnPins]) -> None:
    run = on_pins()
    lights = {"green": TABLE.status_green, "blue": TABLE.status_blue, "red": TABLE.status_red}

    def shown() -> list[str]:
        run.machine.services.watch.look()
        return [name for name, pin in lights.items() if run.played.bench.level(pin)]

    assert shown() == ["green"]
    run.insert()
    assert shown() == ["blue"]
    run.played.press_stop()
    assert not any(run.played.bench.level(pin) for pin in lights.values())
    assert shown() == ["red"]


STAGES = ("attract", "inserting", "closing", "choosing", "box", "shredding", "thanks", "returned")


@pytest.mark.parametrize("stage", STAGES)
def test_an_emergency_stop_at_every_stage(on_pins: Callable[..., OnPins], stage: str) -> None:
    run = on_pins(waste_type=["other" if stage == "returned" else "cutlery"])
    stop = run.played.press_stop
    if stage == "closing":
        run.insert()
        run.played.stick("slot")
        run.played.interrupt(0.05, stop)
        run.visitor.press("/waste/pick-type")
    elif stage in ("box", "shredding"):
        run.judge()
        run.played.interrupt(0.02 if stage == "box" else 2, stop)
        run.visitor.press("/confirmation", waste_type="cutlery").wait_idle().open("/confirmation")
    else:
        if stage == "inserting":
            run.insert()
        elif stage != "attract":
            run.judge()
        if stage == "thanks":
            run.visitor.press("/confirmation", waste_type="cutlery").wait_idle().open("/confirmation")
        stop()
        if stage == "inserting":
            run.visitor.press("/waste/pick-type")
        if stage == "choosing":
            run.visitor.press("/confirmation", waste_type="cutlery").wait_idle()
    assert not any(run.played.bench.level(pin) for pin in (TABLE.shredder_relay, TABLE.box_forward, TABLE.slot_servo))
    if stage in ("inserting", "closing", "choosing", "box", "shredding"):
        assert "Emergency stop" in run.visitor.open("/").page.text
        assert run.reasons()[-1] == ("failed", "EmergencyStopped")
    if stage != "attract":
        run.end()
    assert 'data-state="S3"' in run.visitor.open("/").page.text
    assert "S3" in run.machine.client().get("/readyz").text
    run.played.release_stop()
    run.played.stick(None)
    assert "Out of order" in run.visitor.open("/").page.text, "it holds until it is cleared"
    run.machine.services.deposits.slot.clear()
    run.machine.services.watch.look()
    assert "Out of order" not in run.visitor.open("/").page.text
    assert not run.played.bench.is_slot_open()
    assert not run.played.bench.driven().keys() & {TABLE.shredder_relay, TABLE.box_forward}


@pytest.mark.parametrize("movement", ["opening", "closing", "handing_back", "box", "shredding"])
def test_a_movement_that_does_not_end_takes_the_machine_out_of_order(
    on_pins: Callable[..., OnPins], movement: str
) -> None:
    run = on_pins(waste_type=["cutlery"])
    part = {"box": "box", "shredding": "shredder"}.get(movement, "slot")
    if movement == "opening":
        run.played.stick("slot")
        run.visitor.press("/start")
    elif movement == "closing":
        run.insert()
        run.played.stick("slot")
        run.visitor.press("/waste/pick-type")
    else:
        run.judge()
        run.played.stick(part)  # type: ignore[arg-type]
        if movement == "handing_back":
            run.visitor.press("/return")
        else:
            run.visitor.press("/confirmation", waste_type="cutlery").wait_idle()
    assert "Something is stuck" in run.visitor.open("/").page.text
    assert run.reasons()[-1] == ("failed", part)
    assert run.played.bench.level(TABLE.shredder_relay) == 0
    assert 'data-state="S1"' in run.end().page.text
    run.played.stick(None)
    run.machine.services.deposits.slot.clear()
    run.machine.services.watch.look()
    assert "Out of order" not in run.visitor.open("/").page.text
    assert not run.played.bench.is_slot_open()


@pytest.mark.parametrize("when", ["before confirming", "while the box moves"])
def test_an_item_that_is_taken_back_is_neither_credited_nor_shredded(on_pins: Callable[..., OnPins], when: str) -> None:
    run = on_pins(waste_type=["cutlery"])
    run.judge()
    if when == "before confirming":
        run.played.put_item(False)
    else:
        run.played.interrupt(0.02, lambda: run.played.put_item(False))
    run.visitor.press("/confirmation", waste_type="cutlery").wait_idle().open("/confirmation")
    assert run.visitor.shown == "returned"
    assert "It isn't there any more" in run.visitor.page.text.replace("&#39;", "'")
    assert run.reasons()[-1] == ("returned", "taken_back")
    assert run.played.bench.history(TABLE.shredder_relay) == []
    assert ("confirmed" in dict(run.reasons())) == (when == "while the box moves")
    run.visitor.press("/start")
    assert run.visitor.shown == "insert"
    assert "take it out first" not in run.visitor.page.text


def test_an_item_that_the_sensor_overlooks_is_taken_all_the_same(on_pins: Callable[..., OnPins]) -> None:
    run = on_pins()
    run.visitor.press("/start").press("/waste/pick-type")
    run.confirm()
    assert run.visitor.shown == "thanks"


def test_what_lies_in_the_slot_is_to_be_taken_out_first_also_after_an_orderly_restart(
    on_pins: Callable[..., OnPins], build_machine: BuildMachine
) -> None:
    run = on_pins(waste_type=["other"])
    run.judge()
    run.visitor.press("/done").press("/done")
    assert "take it out first" in run.visitor.press("/start").page.text, "it was not taken"
    run.visitor.press("/waste/pick-type")
    run.machine.services.deposits.close()
    run.machine.services.journal.database.close()
    again = build_machine(driver=run.played.start())
    assert "take it out first" in again.visitor().press("/start").page.text
    run.played.put_item(False)
    again.visitor()
    again.clock.pass_(100)
    again.services.watch.look()
    again.clock.pass_(100)
    again.services.watch.look()
    assert "take it out first" not in again.visitor().press("/start").page.text
