"""What a machine writes is readable by its user alone, in homes of earlier versions too."""

import os
import shutil
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.kill_drill import SCRIPT
from tools.running_kiosk import RunningKiosk
from triof.cli import main
from triof.drills.visitor import Visitor

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there a user's folder is that user's alone")


def modes(home: Path) -> dict[str, int]:
    """The permissions of a folder and of all below it, by their names."""
    return {
        str(path.relative_to(home)): stat.S_IMODE(path.lstat().st_mode)
        for path in (home, *home.rglob("*"))
        if not path.is_symlink()
    }


def wrong(home: Path) -> dict[str, str]:
    """What is not 0700 or 0600."""
    return {
        name: oct(mode) for name, mode in modes(home).items() if mode != (0o700 if (home / name).is_dir() else 0o600)
    }


@pytest.mark.slow
def test_a_home_of_an_earlier_version_is_tightened_and_stays_so(tmp_path: Path, new_journal: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in ("photos/ab", "logs", "queue", "monitoring", "bundles/waste_type/1", "config", "backups"):
        (home / folder).mkdir(parents=True)
        (home / folder / "old.jpg").write_bytes(b"")
    shutil.copy(new_journal, home / "journal.db")
    for name in ("machine_id", "alerts.json", "journal.damaged-2026-11-30-101500.db-wal", "rounds.lock"):
        (home / name).write_text("")
    elsewhere.write_text("not the machine's")
    elsewhere.chmod(0o644)
    (home / "logs" / "link").symlink_to(elsewhere)
    for path in (home, *home.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    with RunningKiosk(home, SCRIPT) as kiosk:
        person = Visitor(kiosk.url)
        person.press("/start")
        person.press("/waste/pick-type")
        assert {"journal.db-wal", "journal.db-shm", "secret_key", "machine.lock", "reserve"} <= set(modes(home))
        assert len([name for name in modes(home) if name.startswith("photos/") and name.endswith(".jpg")]) == 2
        assert wrong(home) == {}
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o644


def test_commands_make_nothing_that_others_may_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for arguments in (["mode", "local"], ["keys", "create", "till"], ["slot", "jam", "box"], ["journal", "backup"]):
        assert CliRunner().invoke(main, arguments).exit_code == 0
    assert wrong(home) == {}


def test_the_files_of_the_slot_are_the_machines_too(tmp_path: Path) -> None:
    """A home with a reference picture was taken for a folder of others, and left open."""
    home = tmp_path / "home"
    home.mkdir()
    machine = ("empty_slot.png", "empty_slot.request", "simulated_machine.item", "simulated_machine.stop")
    for name in (*machine, "gpio_machine.json", "gpio_machine.sock", "technician_pin.json", "setup-picture.jpg"):
        (home / name).write_text("")
        (home / name).chmod(0o644)
    home.chmod(0o755)
    assert CliRunner().invoke(main, ["--set", "journal.url=nonsense", "serve"]).exit_code == 1
    assert wrong(home) == {}


def test_what_is_not_the_machines_keeps_its_permissions(tmp_path: Path) -> None:
    """A home may be a folder that others use as well, such as /tmp."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "theirs").mkdir()
    (home / "theirs" / "script.sh").write_text("")
    for path in (home, home / "theirs", home / "theirs" / "script.sh"):
        path.chmod(0o755)
    for _ in range(2):
        ran = CliRunner().invoke(main, ["--set", "journal.url=nonsense", "serve"])
        assert ran.exit_code == 1
    assert (home / "machine_id").exists()
    assert {modes(home)[name] for name in (".", "theirs", "theirs/script.sh")} == {0o755}
