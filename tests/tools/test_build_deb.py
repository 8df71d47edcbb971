"""The Debian package: what its tree and its control files hold. `make deb-check` installs a real one."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tools.build_deb import EXTRA, PINS, ROOT, Package, build, files, stage
from triof import __version__

PACKAGE = Package("arm64", "3.13")


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / "triof-1-py3-none-any.whl").write_bytes(b"a wheel")
    return folder


@pytest.fixture
def tree(wheels: Path, tmp_path: Path) -> Path:
    stage(PACKAGE, wheels, tmp_path / "tree")
    return tmp_path / "tree"


def test_the_control_file_names_version_processor_and_python(tree: Path) -> None:
    control = (tree / "DEBIAN" / "control").read_text()
    assert f"Version: {__version__}\n" in control
    assert "Architecture: arm64\n" in control
    assert "Depends: python3 (>= 3.13), python3 (<< 3.14), python3-venv, adduser\n" in control
    assert PACKAGE.file == f"triof_{__version__}_arm64.deb"


def test_what_only_some_machines_need_is_not_needed_for_installing(tree: Path) -> None:
    fields = dict(
        line.split(": ", 1) for line in (tree / "DEBIAN" / "control").read_text().splitlines() if ": " in line
    )
    assert "python3-lgpio" in fields["Recommends"].split(", ")
    assert fields["Suggests"] == "python3-picamera2"
    assert "lgpio" not in fields["Depends"]


def test_the_environment_has_webcams_and_pins_and_the_systems_libraries_come_last(tree: Path) -> None:
    script = (tree / "DEBIAN/postinst").read_text()
    assert f'"triof[camera]=={__version__}" gpiozero\n' in script
    assert "-m venv --clear --system-site-packages /opt/triof/venv\n" in script
    assert " --ignore-installed " in script
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert EXTRA in extras
    assert PINS in extras["gpio"]


def test_the_tree_has_what_a_machine_needs_and_its_settings_are_the_owners(tree: Path) -> None:
    unit = (tree / "lib/systemd/system/triof.service").read_text()
    assert "ExecStart=/opt/triof/venv/bin/triof kiosk" in unit
    assert "ReadWritePaths=-/var/lib/triof -/etc/triof" in unit
    assert "install-service" not in unit
    assert (tree / "opt/triof/wheels/triof-1-py3-none-any.whl").read_bytes() == b"a wheel"
    assert (tree / "DEBIAN/conffiles").read_text() == "/etc/triof/triof.toml\n"
    assert (tree / "usr/bin/triof").stat().st_mode & 0o777 == 0o755
    assert not (tree / "var").exists()


def test_sums_cover_every_file_but_the_settings(tree: Path) -> None:
    listed = {line.split("  ")[1] for line in (tree / "DEBIAN/md5sums").read_text().splitlines()}
    there = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    assert listed == {name for name in there if not name.startswith(("DEBIAN/", "etc/"))}


def test_state_is_removed_by_a_purge_alone(tree: Path) -> None:
    script = (tree / "DEBIAN/postrm").read_text()
    before, _, after = script.partition('if [ "$1" = purge ]; then\n')
    assert "/var/lib/triof" not in before
    assert "rm -rf /var/lib/triof /etc/triof" in after


@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm", "triof.sh"])
def test_the_scripts_are_scripts_of_a_plain_shell(name: str, tree: Path) -> None:
    shell = shutil.which("dash") or shutil.which("sh")
    if not shell:
        pytest.skip("there is no shell")
    path = tree / "usr/bin/triof" if name == "triof.sh" else tree / "DEBIAN" / name
    done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert path.stat().st_mode & 0o111


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="there is no dpkg-deb")
def test_dpkg_takes_the_package(wheels: Path, tmp_path: Path) -> None:
    path = build(PACKAGE, wheels, tmp_path / "dist")
    shown = subprocess.run(["dpkg-deb", "--contents", str(path)], capture_output=True, text=True, check=True).stdout
    assert all(f"./{name}" in shown for name in files(PACKAGE) if not name.endswith("changelog"))
    assert all(line.split()[1] == "root/root" for line in shown.splitlines())
