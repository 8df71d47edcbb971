"""What a wheel carries, and that each kind of installation finds its files."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from triof.common import paths


def test_the_shipped_folders_are_found_in_a_checkout() -> None:
    for folder in (paths.TEMPLATES, paths.STATIC, paths.CONFIG, paths.TRANSLATIONS, paths.MIGRATIONS):
        assert folder.is_dir()
    assert list(paths.DEMO_PICTURES.glob("*.jpg"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        pytest.skip(f"no wheel can be built here: {built.stderr.strip().splitlines()[-1:]}")
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_a_wheel_carries_all_that_runs_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "triof/templates/kiosk/base.html",
        "triof/static/kiosk.css",
        "triof/static/fonts/atkinson-hyperlegible-next.woff2",
        "triof/static/fonts/LICENSE-OFL.txt",
        "triof/config/triof.toml",
        "triof/installation/waiting.html",
        "triof/translations/fr/LC_MESSAGES/messages.mo",
        "triof/storage/migrations/script.py.mako",
        "providers/local_cnn/bundles/all/model.tflite",
        "providers/local_cnn/bundles/all/model-card.md",
        "providers/local_cnn/backbone.tflite",
        "providers/local_cnn/scenery/hands/00.png",
    ):
        assert needed in names
    assert not [name for name in names if ".env" in name or name.startswith(("tests/", "testing/", "tools/", "docs/"))]


@pytest.mark.slow
def test_an_installed_wheel_finds_its_files(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "from triof.common import paths\n"
        "for folder in (paths.TEMPLATES, paths.STATIC, paths.CONFIG):\n"
        f"    assert folder.is_dir() and str(folder).startswith({str(tmp_path)!r}), folder"
    )
    environ = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environ)
