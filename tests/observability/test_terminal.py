"""No line of a library reaches the terminal: neither a log line, nor a warning, nor what a native library writes."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from testing.azure.azure_export import azure_export_zip
from testing.azure.training_server import TrainingServer
from testing.image_files import encoded
from tests.support.azure_desk import Desk

COMMANDS = """
import logging, sys, warnings
from triof.cli import main

for line in sys.stdin.read().splitlines():
    try:
        main(line.split(), standalone_mode=False)
    except SystemExit:
        pass
logging.getLogger("urllib3").warning("a line of a library")
warnings.warn_explicit("a warning of a library", UserWarning, "pool.py", 1, module="urllib3.pool")
logging.getLogger("triof.judging.guarded_provider").warning("ours.is_shown")
"""


@pytest.mark.slow
def test_libraries_say_nothing_on_the_terminal(desk: Desk, azure: TrainingServer, tmp_path: Path) -> None:
    """A photo whose EXIF Pillow warns of, models that LiteRT tells of, calls that are made again."""
    desk.trained()
    desk.well("publish", "latest")
    (tmp_path / "exif.jpg").write_bytes(
        encoded(Image.new("RGB", (64, 64)), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09\x01\x12")
    )
    (tmp_path / "export.zip").write_bytes(azure_export_zip(("Bouteille", "Couvert", "Gobelet", "Negative")))
    commands = (
        "classify --mode local exif.jpg",
        "bundles install export.zip",
        "azure iterations",
        "azure evaluate latest --data photos --split train --limit 1 --yes --no-report",
    )
    azure.faults_next(1, "empty_503", only="GET .*/iterations$")
    azure.faults_next(1, "empty_503", only="/classify/")
    ran = subprocess.run(
        [sys.executable, "-c", COMMANDS],
        input="\n".join(commands),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=tmp_path,
    )
    assert ran.stderr == "ours.is_shown\n"
    for word in ("stamina", "retry", "PIL", "Corrupt", "XNNPACK", "INFO", "library"):
        assert word not in ran.stdout
    assert "status 503" in ran.stdout, "our own word for it"


@pytest.mark.slow
@pytest.mark.parametrize("asked", [["-W", "default"], []])
def test_who_asks_python_for_warnings_gets_them(asked: list[str]) -> None:
    code = """
import warnings
from triof.observability import terminal
terminal.keep_clean()
warnings.warn_explicit("one of a library", UserWarning, "pool.py", 1, module="urllib3.pool")
warnings.warn_explicit("one of ours", UserWarning, "guard.py", 1, module="triof.judging.guarded_provider")
"""
    ran = subprocess.run([sys.executable, *asked, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert ("one of a library" in ran.stderr) is bool(asked)
    assert "one of ours" in ran.stderr
