"""The table of sources that were left out, on answers that are kept from the last time."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.progress import Progress

from providers.base import LABELS, Task
from providers.local_cnn.training.hyperparameters import Hyperparameters
from tools import leave_one_out
from tools.leave_one_out import Answers, Trainings
from triof.datasets import photo_dataset

pytestmark = pytest.mark.slow

BOTTLE, CUP, OTHER = (
    [6.0 if label == wanted else 0.0 for label in LABELS["waste_type"]] for wanted in ("bottle", "cup", "other")
)


def photos(folder: Path) -> Path:
    """A manifest of four sources, two of which are related; the files themselves are not needed."""
    rows = [
        *(("eco22", "cup", index) for index in range(20)),
        *(("home", "other", index) for index in range(20)),
        *(("conveyor", "bottle", index) for index in range(20)),
        *(("web", "cup", index) for index in range(5)),
    ]
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("path", "waste_type", "cleanliness", "source", "split"))
        for source, label, index in rows:
            dirt = "" if label == "other" else ("clean", "dirty")[index % 2]
            table.writerow((f"{source}/{index}.jpg", label, dirt, source, "train"))
    return folder / "manifest.csv"


def keep(manifest: Path, out: Path, fold: str, rows: list[tuple[str, list[float]]]) -> None:
    """Answers of a fold, as a training would have left them."""
    names = tuple(name for name, _ in rows)
    clean = np.array([[3.0, -3.0] if int(Path(name).stem) % 2 == 0 else [-3.0, 3.0] for name in names], np.float32)
    logits: dict[Task, NDArray[np.float32]] = {
        "waste_type": np.array([logits for _, logits in rows], np.float32),
        "cleanliness": clean,
    }
    folder = Trainings(photo_dataset.read(manifest), Hyperparameters(), out, Progress()).folder
    Answers(names, logits, LABELS, np.zeros(len(names), np.float32)).save(folder / f"{fold}.npz")


def test_related_sources_share_a_fold_and_the_web_is_always_learned(tmp_path: Path) -> None:
    items = photo_dataset.read(photos(tmp_path)).photos
    assert leave_one_out.folds_of(items) == {"homes": ("eco22", "home"), "belt": ("conveyor",)}


def test_what_was_left_out_is_judged_by_source_and_calibrates_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, out = photos(tmp_path), tmp_path / "out"
    # Of the cups half are taken for something else, of the foreign objects one for a cup.
    homes = [(f"eco22/{index}.jpg", CUP if index < 10 else OTHER) for index in range(20)]
    homes += [(f"home/{index}.jpg", OTHER if index else CUP) for index in range(20)]
    keep(manifest, out, "homes", homes)
    keep(manifest, out, "belt", [(f"conveyor/{index}.jpg", BOTTLE) for index in range(20)])
    monkeypatch.setattr(sys, "argv", ["leave_one_out", "--data", str(manifest), "--out", str(out), "--only", "none"])
    assert leave_one_out.main() == 0
    shown = capsys.readouterr().out
    for line in (
        "| type over plastic | 0.750 | 0.500 | eco22 | 0.750 |",
        "| plastic refused | 0.250 | 0.500 | eco22 | 0.250 |",
        "| foreign called other | 0.950 | 0.950 | home | 0.950 |",
    ):
        assert line in shown
    (calibration,) = out.glob("*/calibration.json")
    found = json.loads(calibration.read_text())
    assert set(found) == {"waste_type", "cleanliness"}
    # A quarter of what it is sure of is wrong, so that it learns to be less sure.
    assert found["waste_type"]["temperature"] > 1.5
    assert set(found["waste_type"]["thresholds"]) == set(LABELS["waste_type"])
