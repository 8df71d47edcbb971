"""What lies where it should not, and what fails again and again, stops no machine and fills no log."""

import logging
import os
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest

from providers.event_log import get_logger
from tests.support.clock import Clock
from tests.support.machines import BuildMachine, ScriptedHardware
from triof import services
from triof.app import create_app
from triof.common.repeated_faults import Complaints
from triof.common.scheduler import ScheduledTask, Scheduler
from triof.machine.hardware.base import Part
from triof.machine.slot import SlotError
from triof.settings.tree import Settings

pytestmark = pytest.mark.slow

STATE = ("mode.json", "rehearsal.json", "alerts.json", "candidates.json", "reserve", "breaker-custom_vision.json")
FOLDERS = ("photos", "photos/ab", "queue", "bundles", "bundles/waste_type", "logs", "monitoring", "backups", "config")


def _strays(home: Path) -> None:
    """In each folder a file, folders, a dead link, a loop and what no text can name; in the place of state, folders."""
    for folder in FOLDERS:
        (home / folder).mkdir(parents=True, exist_ok=True)
        for name in ("stray", "ab-stray.jpg", "ab.photo"):
            (home / folder / name).mkdir()
            (home / folder / name / "deeper.jpg").write_text("")
        (home / folder / "notes.txt").write_text("not from Triof")
        (home / folder / "ab-dead.jpg").symlink_to("nowhere")
        (home / folder / "ab-loop.jpg").symlink_to("ab-loop.jpg")
        (home / folder / os.fsdecode(b"ab-\xff.jpg")).write_text("")
    for name in STATE:
        (home / name).mkdir()
        (home / name / "deeper").write_text("")


def test_strays_in_every_folder_do_not_stop_a_start_and_stay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = tmp_path / "home"
    _strays(home)
    settings = Settings(home=home, language="en")
    built = services.build_kiosk(settings)
    client = create_app(settings, built).test_client()
    assert 'action="/start"' in client.get("/").text
    built.operations.jobs.prune()
    assert built.photo_store.prune() == 0
    assert built.photo_store.make_room(10**12) == 0
    built.operations.monitoring.look()
    built.close()
    assert all((home / folder / "stray" / "deeper.jpg").exists() for folder in FOLDERS)


def test_folders_that_are_files_do_not_stop_a_start(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for folder in ("photos", "queue", "bundles", "logs", "monitoring", "backups", "config"):
        (home / folder).write_text("")
    settings = Settings(home=home, language="en")
    built = services.build_kiosk(settings)
    assert 'action="/start"' in create_app(settings, built).test_client().get("/").text
    built.close()


def test_photos_behind_a_link_are_not_removed(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "ab.jpg").write_text("")
    (tmp_path / "home" / "photos").mkdir(parents=True)
    (tmp_path / "home" / "photos" / "ab").symlink_to(tmp_path / "theirs")
    built = services.build_kiosk(
        Settings.model_validate({"home": tmp_path / "home", "journal": {"keep_photo_days": 0}})
    )
    built.close()
    assert (tmp_path / "theirs" / "ab.jpg").exists()


# ---- what fails again and again ----


class _Failing(ScriptedHardware):
    """Says another number each time, as drivers do."""

    numbers: ClassVar = count()

    def fail(self) -> None:
        raise OSError(5, f"no answer after {next(self.numbers)} ms")


class _Deaf(_Failing):
    """Stands open and does not close."""

    def slot_is_open(self) -> bool:
        return True

    def close_slot(self) -> None:
        self.fail()


class _Blind(_Failing):
    """Does not tell whether the slot is open."""

    def slot_is_open(self) -> bool:
        self.fail()
        return False


class _Dead(_Failing):
    """Tells nothing."""

    def jammed(self) -> Part | None:
        self.fail()
        return None

    def slot_is_open(self) -> bool:
        self.fail()
        return False


@pytest.mark.parametrize("hardware", [_Deaf, _Blind, _Dead])
def test_hardware_that_fails_all_day_writes_a_few_lines(
    build_machine: BuildMachine, hardware: type[ScriptedHardware], caplog: pytest.LogCaptureFixture
) -> None:
    machine = build_machine(hardware=hardware)
    for _ in range(24 * 360):
        machine.clock.pass_(10)
        machine.services.watch.look()
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert 1 <= len(lines) <= 100


def test_hardware_that_does_not_answer_is_told_on_the_first_page(build_machine: BuildMachine) -> None:
    machine = build_machine(hardware=_Dead)
    visitor = machine.visitor()
    assert "My motors don" in visitor.page.text
    assert "S2" in visitor.page.text
    assert "S2" in machine.client().get("/readyz").text


def test_a_round_that_always_fails_writes_a_few_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock, numbers = Clock(), count()

    def fail() -> None:
        raise ValueError(f"row {next(numbers)} is wrong")

    scheduler = Scheduler(tmp_path, [ScheduledTask("broken", 60, fail)], clock)
    for _ in range(24 * 60):
        clock.pass_(60)
        scheduler.run_due()
    scheduler.close()
    assert 1 <= len(caplog.records) <= 50


def test_another_fault_is_told_at_once_and_the_same_one_when_it_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    complaints = Complaints(get_logger("triof.test"), clock)
    for text in "aabbbb" + "ab" * 1000:
        complaints.failed("it.failed", SlotError(text))
    assert [record.getMessage() for record in caplog.records][:3] == [f"it.failed cause={text}" for text in "aba"]
    assert len(caplog.records) == 6
    clock.pass_(3600)
    complaints.failed("it.failed", SlotError("a"))
    assert len(caplog.records) == 7
