"""``triof package``: what it writes runs with a bare Python, and says how."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result

from tests.support.colour_models import save_both, shown
from tools.running_kiosk import free_port
from triof.cli import main

KEY = "a-key-of-a-caller-0123"
pytestmark = pytest.mark.slow


def package(bundle: Path, out: Path) -> Result:
    return CliRunner().invoke(main, [f"--set=home={out.parent / 'home'}", "package", str(bundle), "--out", str(out)])


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("shiv", reason="needs the extra package")
    folder = tmp_path_factory.mktemp("package")
    ran = package(save_both(folder / "both"), folder / "out")
    assert ran.exit_code == 0, ran.output
    assert str(folder / "out" / "README.md") in ran.output
    return folder / "out"


@contextmanager
def running(command: list[str], folder: Path, **environ: str) -> Iterator[str]:
    """The address of a service that runs without anything from outside; it must end well."""
    port = free_port()
    (folder / "keys.txt").write_text(f"{KEY}\n")
    with subprocess.Popen(
        [*command, "--port", str(port)],
        env={"PATH": os.environ["PATH"], **environ},
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert f"answers: http://127.0.0.1:{port}" in process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def ask(url: str) -> str:
    headers = {"Authorization": f"Bearer {KEY}"}
    answer = requests.post(f"{url}/api/v2/predict", files={"image": shown("cup", "clean")}, headers=headers, timeout=30)
    assert requests.get(f"{url}/readyz", timeout=30).json()["ready"]
    return str(answer.json()["waste_type"]["label"])


def test_one_file_runs_with_a_bare_python(out: Path, tmp_path: Path) -> None:
    (pyz,) = out.glob("*.pyz")
    # Without any installed package: -S leaves out those of the interpreter, -I those of the user.
    bare = [str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"), "-I", "-S"]
    assert subprocess.run([*bare, "-c", "import flask"], capture_output=True, check=False).returncode
    with running([*bare, str(pyz)], tmp_path, SHIV_ROOT=str(tmp_path / "unpacked")) as url:
        assert ask(url) == "cup"


def test_the_folder_for_the_image_runs_as_the_image_does(out: Path, tmp_path: Path) -> None:
    file = (out / "Containerfile").read_text()
    assert "COPY app app" in file
    assert '"-m", "triof.model_service"' in file
    command = [sys.executable, "-m", "triof.model_service", "--keys", "keys.txt"]
    with running(command, tmp_path, PYTHONPATH=str(out / "app"), PYTHONDONTWRITEBYTECODE="1") as url:
        assert ask(url) == "cup"


def test_every_package_is_pinned_and_none_is_there_for_the_machine_alone(out: Path) -> None:
    lines = [line for line in (out / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][^ ]*", line) for line in lines)
    names = {line.split("==")[0].lower() for line in lines}
    assert {"flask", "numpy", "ai-edge-litert", "waitress"} <= names
    assert not {"sqlalchemy", "alembic", "azure-cognitiveservices-vision-customvision", "tensorflow-cpu"} & names


def test_the_pages_name_no_file_that_is_not_there(out: Path) -> None:
    text = (out / "README.md").read_text()
    assert "$" not in re.sub(r"(?m)^\$ .*$", "", text)
    for name in re.findall(r"\]\(([^)]+)\)", text):
        assert (out / name).is_file()
    assert (out / re.findall(r"`(\S+\.pyz)`", text)[0]).is_file()
    assert "/api/v2/predict" in json.loads((out / "openapi.json").read_text())["paths"]
    assert "read_only: true" in (out / "compose.yaml").read_text()


def test_nothing_is_overwritten_and_nothing_half_is_left(out: Path, tmp_path: Path) -> None:
    before = sorted(out.iterdir())
    ran = package(save_both(tmp_path / "both"), out)
    assert ran.exit_code == 1
    assert "is there already: choose another folder" in ran.output
    assert sorted(out.iterdir()) == before
    (tmp_path / "both" / "model.tflite").write_bytes(b"no model")
    assert "damaged" in package(tmp_path / "both", tmp_path / "other").output
    assert not (tmp_path / "other").exists()


def test_a_bundle_is_found_by_its_name_or_the_choices_are_shown(tmp_path: Path) -> None:
    assert "`triof bundles list` shows" in package(Path("missing"), tmp_path / "out").output
