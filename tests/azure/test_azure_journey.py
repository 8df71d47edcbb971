"""From photos to a model that answers, by the command line alone, against a strict service on loopback."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess, Popen

import pytest

from testing.azure.training_server import TrainingServer
from triof.common.paths import DEMO_PICTURES

pytestmark = pytest.mark.slow

PHOTOS = 2000
KILLED_AFTER = (3, 5, 4)
"""Requests that were stored before the process is killed, in each of its lives; the answer to the last never comes."""


@pytest.fixture
def azure() -> Iterator[TrainingServer]:
    with TrainingServer(tier="S0", rate_per_second=10) as azure:
        azure.filters = "refused"
        yield azure


class Shell:
    """A technician's shell, whose settings reach the service."""

    def __init__(self, azure: TrainingServer, folder: Path) -> None:
        self.folder = folder
        resource = {
            "TRAINING_ENDPOINT": azure.endpoint,
            "TRAINING_KEY": azure.training_key,
            "TRAINING_TIER": "S0",
            "PREDICTION_ENDPOINT": azure.endpoint,
            "PREDICTION_KEY": azure.prediction_key,
            "PREDICTION_RESOURCE_ID": azure.prediction_resource_id,
            "TIER": "S0",
            "POLL_SECONDS": "0",
        }
        ours = {f"TRIOF_CUSTOM_VISION__{name}": value for name, value in resource.items()}
        self._environ = {**os.environ, **ours, "TRIOF_HOME": str(folder / "home"), "COLUMNS": "200"}

    def begin(self, *arguments: str) -> Popen[str]:
        command = [sys.executable, "-m", "triof.cli", *arguments]
        pipe = subprocess.PIPE
        return Popen(command, env=self._environ, cwd=self.folder, text=True, stdout=pipe, stderr=pipe)

    def run(self, *arguments: str) -> CompletedProcess[str]:
        process = self.begin(*arguments)
        out, err = process.communicate(timeout=120)
        return CompletedProcess(arguments, process.returncode, out, err)

    def well(self, *arguments: str) -> str:
        ended = self.run(*arguments)
        assert ended.returncode == 0, f"{arguments}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout


@pytest.fixture
def manifest(dataset: Path, tmp_path: Path) -> Path:
    """2,000 photos of the real data, of all kinds, without those that are for tests."""
    with (dataset / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] != "test"]
    rows = [rows[position * len(rows) // PHOTOS] for position in range(PHOTOS)]
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "path": str(dataset / row["path"])} for row in rows)
    return tmp_path / "manifest.csv"


def upload_and_die(shell: Shell, azure: TrainingServer, manifest: Path, after: int) -> None:
    """Begin to upload, and be killed when so many requests more were stored, before the last one is answered."""
    process = shell.begin("azure", "upload", str(manifest))
    left = [after]

    def kill(_: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

    azure.after_store = kill
    process.communicate(timeout=120)
    azure.after_store = None
    assert process.returncode == -signal.SIGKILL


def test_the_whole_way_with_three_kills(azure: TrainingServer, manifest: Path, tmp_path: Path) -> None:
    shell = Shell(azure, tmp_path)
    shell.well("azure", "setup")
    for after in KILLED_AFTER:
        upload_and_die(shell, azure, manifest, after)
    assert 0 < len(azure.photos) < PHOTOS, "it was killed on the way"

    table = shell.well("azure", "upload", str(manifest))
    distinct = len(azure.photos)
    assert f"{PHOTOS:,}" in table or "refused" in table
    assert {photo.times_sent for photo in azure.photos.values()} == {1}
    again = shell.well("azure", "upload", str(manifest))
    assert {photo.times_sent for photo in azure.photos.values()} == {1}
    assert len(azure.photos) == distinct
    assert " 0 " in again

    assert "trained" in shell.well("azure", "train", "--wait")
    assert "Nothing has changed" in shell.well("azure", "train")
    shell.well("azure", "publish", "latest")

    pictures = [str(path) for path in sorted(DEMO_PICTURES.glob("*.jpg"))]
    cloud = answers(shell.well("classify", "--json", "--mode", "cloud", *pictures))
    assert {answer["provider"] for answer in cloud} == {"custom_vision"}
    shell.well("azure", "export", "latest", "--install", "--activate")
    local = answers(shell.well("classify", "--json", "--mode", "local", *pictures))
    assert {answer["provider"] for answer in local} == {"local_cnn"}
    assert [answer["label"] for answer in local] == [answer["label"] for answer in cloud]

    assert azure.violations == []
    assert azure.peak_per_second <= 10


def answers(output: str) -> list[dict[str, str]]:
    return [json.loads(line)["waste_type"] for line in output.splitlines()]
