"""``triof slot`` moves each part of a machine whose kiosk is stopped, within the interlocks."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from triof.cli import main
from triof.settings.tree import Settings
from triof.storage import data_folder

pytestmark = pytest.mark.slow


def slot(*words: str, **options: str) -> Result:
    none = [f"slot.simulated_seconds.{part}=0" for part in ("slot", "box", "shred")]
    flags = [word for setting in none for word in ("--set", setting)]
    return CliRunner().invoke(main, [*flags, "slot", *words], **options)  # type: ignore[arg-type]


def test_each_part_moves_alone_and_the_shredder_only_while_the_slot_is_closed() -> None:
    assert slot("open").exit_code == 0
    assert slot().stdout == "slot: open, jammed: nothing, item: no sensor, emergency stop: no\n"
    refused = slot("shred", input="y\n")
    assert (refused.exit_code, "close it before shredding" in refused.output) == (1, True)
    assert slot("close").exit_code == 0
    assert slot("box", "2").exit_code == 0
    assert slot("shred", "--yes").exit_code == 0
    assert slot("lights", "--seconds", "0").stdout.split() == ["lamp", "ready", "busy", "fault"]


def test_the_shredder_waits_for_a_yes() -> None:
    assert slot("shred", input="n\n").exit_code == 1


def test_a_box_that_is_not_there_is_one_sentence() -> None:
    assert "There is no box 7: slot.boxes has 1, 2, 3." in slot("box", "7").output


def test_nothing_moves_by_hand_while_a_kiosk_runs_but_a_fault_is_cleared(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    data_folder.make(settings)
    with data_folder.take_machine(settings):
        for words in (["open"], ["close"], ["box", "1"], ["shred", "--yes"], ["lights"]):
            assert "Another kiosk runs the machine" in slot(*words).output
        assert slot("stop").exit_code == 0
        assert "emergency stop: pressed" in slot().stdout
        assert "still pressed" in slot("clear").output
        assert slot("stop", "--release").exit_code == 0
        assert slot("clear").exit_code == 0


def test_only_the_simulated_machine_can_be_played(tmp_path: Path) -> None:
    for words in (["jam", "box"], ["item", "present"], ["stop"]):
        ran = CliRunner().invoke(main, ["--set", "slot.kind=gpiozero", "slot", *words])
        assert (ran.exit_code, "Only the simulated machine" in ran.output) == (2, True)
