"""The tools that measure: what they cannot measure here they say at once, and what they have measured stays."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tools import bench, resilience
from tools.bench import Ratio


def ratio(name: str) -> Ratio:
    return Ratio(name, 1.0, 2.0, "ms", "<= 1.0")


@pytest.mark.parametrize("name", ["compare_models", "planted_errors", "simulate_drift"])
def test_a_tool_that_needs_photos_says_that_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--data", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"tools.{name}").main()
    assert str(ended.value.code).startswith(f"Nothing can be measured, there are no labelled photos in {tmp_path}")


@pytest.mark.slow
def test_the_bench_says_at_once_what_it_leaves_out(tmp_path: Path) -> None:
    environ = {**os.environ, "TRIOF_DATASET": str(tmp_path / "nowhere")}
    command = [sys.executable, "-m", "tools.bench", "--only", "uploads", "--out", str(tmp_path / "bench.json")]
    ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout == (
        f"---- uploads: left out, as there are no labelled photos in {tmp_path / 'nowhere'}: set TRIOF_DATASET to their"
        " folder\n"
    )


def test_the_bench_shows_and_keeps_each_result_as_it_comes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, seen = tmp_path / "bench.json", []

    def first(rounds: int) -> Iterator[Ratio]:
        yield ratio("one")
        seen.append((capsys.readouterr().out, json.loads(out.read_text())["ratios"][0]["name"]))
        yield ratio("two")
        raise ImportError("No module named 'tensorflow'")

    parts = {"first": first, "uploads": first, "last": lambda rounds: iter([ratio("three")])}
    assert not bench.run(parts, 1, out, without="there are none")
    ((told, kept),) = seen
    assert told.startswith("---- uploads: left out, as there are none\nok   one")
    assert kept == "one"
    assert [each["name"] for each in json.loads(out.read_text())["ratios"]] == ["one", "two", "three"]
    assert "FAIL first: ImportError: No module named 'tensorflow'" in capsys.readouterr().out
    del parts["first"]
    assert bench.run(parts, 1, out, without="there are none")


@pytest.mark.parametrize("cloud", resilience.CLOUDS, ids=lambda cloud: cloud.name)
def test_the_fault_bench_decides_each_photo(cloud: resilience.BenchedCloud) -> None:
    if cloud.name == "rekognition":
        pytest.importorskip("boto3", reason="needs the extra rekognition")
    refused = next(fault for fault in cloud.faults if fault.name == "refused")
    found = resilience.under(cloud, refused, 2)
    assert found.decided == found.photos == 2
