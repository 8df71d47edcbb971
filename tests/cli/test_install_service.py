"""``triof install-service`` and its opposite, in the tree of an image, and what systemd says of the units."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from triof.cli import main
from triof.installation import units
from triof.installation.units import ServicePlan

PLAN = ServicePlan(["/bin/true"], units.SYSTEM_HOME, "triof", [Path("/mnt/back up")])
MOST_EXPOSED = 2.0
"""systemd's exposure of a service, from 0 (kept in) to 10; what has no options at all has 9.6."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "image").mkdir()
    return tmp_path / "image"


def triof(*arguments: str, root: Path) -> Result:
    return CliRunner().invoke(main, [*arguments, "--root", str(root)], env={"TRIOF_HOME": None})


def found(root: Path) -> dict[str, str]:
    """Every file and link of the tree, with what it holds or where it leads."""
    paths = [path for path in sorted(root.rglob("*")) if not path.is_dir()]
    return {
        str(path.relative_to(root)): str(path.readlink()) if path.is_symlink() else path.read_text() for path in paths
    }


def test_it_writes_units_user_and_rules_and_the_second_time_nothing(root: Path) -> None:
    ran = triof("install-service", "--browser", root=root)
    assert ran.exit_code == 0, ran.output
    files = found(root)
    assert set(files) == {
        "etc/systemd/system/triof.service",
        "etc/systemd/system/triof-browser.service",
        "etc/systemd/system/multi-user.target.wants/triof.service",
        "etc/systemd/system/multi-user.target.wants/triof-browser.service",
        "etc/sysusers.d/triof.conf",
        "etc/udev/rules.d/60-triof.rules",
    }
    unit = files["etc/systemd/system/triof.service"].splitlines()
    expected = {"Type=notify", "User=triof", "Environment=TRIOF_HOME=/var/lib/triof", "ProtectSystem=strict"}
    assert expected | {"StateDirectory=triof", "MemoryMax=1G", "DeviceAllow=char-video4linux rw"} <= set(unit)
    assert "kiosk --browser" in files["etc/systemd/system/triof-browser.service"]
    assert files["etc/systemd/system/multi-user.target.wants/triof.service"] == "../triof.service"
    assert "m triof gpio" in files["etc/sysusers.d/triof.conf"]
    again = triof("install-service", "--browser", root=root)
    assert again.stdout == "Everything is installed as it should be.\n"
    assert found(root) == files


def test_a_dry_run_shows_the_difference_and_changes_nothing(root: Path) -> None:
    ran = triof("install-service", "--dry-run", root=root)
    assert ran.exit_code == 0
    assert "+Type=notify" in ran.stdout
    assert found(root) == {}
    triof("install-service", root=root)
    unit = root / "etc/systemd/system/triof.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=60", "WatchdogSec=5"))
    before = found(root)
    ran = triof("install-service", "--dry-run", root=root)
    changes = [line for line in ran.stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert changes == ["-WatchdogSec=5", "+WatchdogSec=60"]
    assert found(root) == before
    assert f"written: {unit}" in triof("install-service", root=root).stdout


def test_a_unit_of_another_hand_is_left_alone(root: Path) -> None:
    unit = root / "etc/systemd/system/triof.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=/srv/mine\n")
    for name in ("install-service", "uninstall-service"):
        ran = triof(name, root=root)
        assert ran.exit_code == 1
        assert f"{unit} was not written by `triof install-service`" in ran.stderr
        assert found(root) == {"etc/systemd/system/triof.service": "[Service]\nExecStart=/srv/mine\n"}


def test_uninstalling_removes_what_was_written_and_nothing_else(root: Path) -> None:
    triof("install-service", "--browser", root=root)
    (root / "var/lib/triof").mkdir(parents=True)
    (root / "var/lib/triof/journal.db").write_text("deposits")
    ran = triof("uninstall-service", "--dry-run", root=root)
    assert "-Type=notify" in ran.stdout
    assert len(found(root)) == 7
    ran = triof("uninstall-service", root=root)
    assert ran.exit_code == 0
    assert "stay in the home folder" in ran.stderr
    assert found(root) == {"var/lib/triof/journal.db": "deposits"}
    assert triof("uninstall-service", root=root).stdout == "No service of Triof is installed.\n"


def test_folders_elsewhere_that_the_settings_name_may_be_written(root: Path) -> None:
    config = root / "var/lib/triof/config"
    config.mkdir(parents=True)
    (config / "backup.toml").write_text('[journal]\nbackup_folder = "/mnt/back up"\n')
    triof("install-service", root=root)
    unit = found(root)["etc/systemd/system/triof.service"]
    assert 'ReadWritePaths=-/var/lib/triof "-/mnt/back up"' in unit


def test_a_home_folder_of_a_person_is_told(root: Path) -> None:
    ran = triof("install-service", "--home", "/home/pi/triof", root=root)
    assert "lies in a person's home folder" in ran.stderr
    unit = found(root)["etc/systemd/system/triof.service"]
    assert "ProtectHome=read-only" in unit
    assert "StateDirectory" not in unit


def test_services_of_one_person_need_no_root_and_name_no_user(root: Path) -> None:
    ran = triof("install-service", "--user", "--browser", "--home", "/home/pi/triof", root=root)
    assert ran.exit_code == 0, ran.output
    assert "loginctl enable-linger" in ran.stderr
    files = found(root)
    (unit,) = (text for name, text in files.items() if name.endswith("user/triof.service"))
    assert "Type=notify" in unit
    assert "User=" not in unit
    assert "DeviceAllow" not in unit
    assert any(name.endswith("user/graphical-session.target.wants/triof-browser.service") for name in files)
    assert not any("udev" in name or "sysusers" in name for name in files)
    triof("uninstall-service", "--user", root=root)
    assert found(root) == {}


@pytest.mark.parametrize("home", ["/srv/a\nExecStartPre=/bin/evil", "/srv/\x07"])
def test_a_home_folder_cannot_add_lines_to_a_unit(home: str, root: Path) -> None:
    ran = triof("install-service", "--home", home, root=root)
    assert ran.exit_code == 2
    assert found(root) == {}


def test_names_are_quoted_as_systemd_reads_them() -> None:
    plan = ServicePlan(["/opt/my triof/100%/$bin"], Path("/srv/50%"), "triof")
    lines = units.server(plan).splitlines()
    assert 'ExecStart="/opt/my triof/100%%/$$bin" kiosk' in lines
    assert "Environment=TRIOF_HOME=/srv/50%%" in lines


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can stop to be root")
def test_only_root_installs_for_all_and_the_remedy_is_told() -> None:
    words = ["install-service", "--home", "/srv/triof"]
    # Also imports all that the other user may not read.
    assert CliRunner().invoke(main, [*words, "--dry-run"]).exit_code == 0
    os.seteuid(65534)
    try:
        ran = CliRunner().invoke(main, words)
    finally:
        os.seteuid(0)
    assert ran.exit_code == 1
    assert "sudo" in ran.stderr
    assert "--dry-run" in ran.stderr


def analyze(*words: str) -> "subprocess.CompletedProcess[str]":
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze: apt-get install systemd")
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("user", ["triof", None])
@pytest.mark.slow
def test_systemd_understands_every_line(user: str | None, tmp_path: Path) -> None:
    plan = ServicePlan(PLAN.command, PLAN.home, user, PLAN.written)
    (tmp_path / "triof.service").write_text(units.server(plan))
    # Of the browser's unit only the compositor may be missing here.
    (tmp_path / "triof-browser.service").write_text(units.browser(plan).replace("/usr/bin/cage", "/bin/true"))
    names: Sequence[str] = [str(tmp_path / name) for name in ("triof.service", "triof-browser.service")]
    done = analyze("verify", *([] if user else ["--user"]), "--man=no", *names)
    ours = [line for line in done.stderr.splitlines() if "triof" in line]
    assert ours == []


@pytest.mark.slow
def test_systemd_finds_the_machine_well_kept_in(tmp_path: Path) -> None:
    (tmp_path / "triof.service").write_text(units.server(PLAN))
    done = analyze(
        "security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", str(tmp_path / "triof.service")
    )
    assert done.returncode == 0, done.stdout[-200:]
