"""Whoever types what docs/api.md shows sees what it shows."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.api_desk import served
from tests.support.paths import ROOT
from triof import services
from triof.app import create_app
from triof.settings.tree import Settings

CHANGES = re.compile(
    r'(?<="model_version": ")[^"]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+(\.\d+)?(e-\d+)?', re.MULTILINE
)
"""What is another one each time, or with the next model: ids, dates, durations, probabilities."""


def steps(document: str) -> list[tuple[str, str]]:
    """Each command of the page with the output that it shows; of the Python example, what it prints."""
    found: list[tuple[str, str]] = []
    for language, block in re.findall(r"```(console|python)\n(.*?)```", document, re.DOTALL):
        if language == "python":
            found.append((f"python3 - <<'EOF'\n{block}\nEOF", "cutlery clean accept\n"))
        for command, output in re.findall(
            r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block if language == "console" else "", re.M
        ):
            found.append((command, output))
    return found


@pytest.mark.slow
def test_every_command_of_the_page_does_what_it_shows(new_journal: Path, tmp_path: Path) -> None:
    if not shutil.which("curl") or not shutil.which("bash"):
        pytest.skip("curl and bash are needed to type what the page shows")
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(new_journal, home / "journal.db")
    settings = Settings(home=home, mode="local", deadline_seconds=60)
    built = services.build(settings)
    built.operations.jobs.start()
    shown = steps((ROOT / "docs" / "api.md").read_text(encoding="utf-8"))
    script = "set -e\n" + "".join(f"echo @@@\n{command}\n" for command, _ in shown)
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    try:
        with served(create_app(settings, built)) as url:
            typed = script.replace("http://127.0.0.1:8080", url)
            done = subprocess.run(
                ["bash", "-c", typed], cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=300
            )
    finally:
        built.close()
    assert done.returncode == 0, done.stderr
    printed = done.stdout.split("@@@\n")[1:]
    assert len(printed) == len(shown) >= 9
    for (command, expected), output in zip(shown, printed, strict=True):
        assert CHANGES.sub("0", output) == CHANGES.sub("0", expected), command
