"""The parts of ``make compare-models`` that need no TensorFlow."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from providers.base import Task
from testing.image_files import encoded
from tests.support.training_sets import drawn
from tools import compare_models
from tools.compare_models import HeadMetrics
from tools.frozen_features import FeaturePhotos, Records
from triof.datasets.label_names import Split
from triof.datasets.photo_dataset import DatasetError, LabelledPhoto


def features(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


def test_features_are_kept_and_half_a_record_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "lite0@160.features"
    records = Records(path, 2)
    records.add(b"a" * 32, features(1, 2))
    records.add(b"b" * 31 + b"\0", features(3, 4))
    path.write_bytes(path.read_bytes()[:-3])
    again = Records(path, 2)
    assert list(again.known) == [b"a" * 32]
    again.add(b"b" * 31 + b"\0", features(3, 4))
    assert Records(path, 2).known[b"b" * 31 + b"\0"].tolist() == [3, 4]


def test_examples_are_those_of_the_split_that_are_labelled_and_were_seen(tmp_path: Path) -> None:
    items = []
    labelled: list[tuple[Split, dict[Task, str]]] = [
        ("train", {"cleanliness": "clean"}),
        ("train", {"cleanliness": "dirty"}),
        ("train", {"waste_type": "cup"}),
        ("val", {"cleanliness": "clean"}),
    ]
    for index, (split, labels) in enumerate(labelled):
        path = tmp_path / f"{index}.png"
        path.write_bytes(encoded(drawn(index), "PNG"))
        items.append(LabelledPhoto(path, labels, str(index), split))
    photos = FeaturePhotos(items, Console(stderr=True))
    known = {photos.digest(item): features(index) for index, item in enumerate(items)}
    seen, classes = photos.examples("cleanliness", "train", known)
    assert (seen.tolist(), classes.tolist()) == ([[0], [1]], [0, 1])
    with pytest.raises(DatasetError, match="fewer than two"):
        photos.examples("cleanliness", "val", known)


def test_a_head_is_judged_by_accuracy_and_by_what_calibration_leaves() -> None:
    sure, classes = np.array([[3, 0], [0, 3], [0, 3], [0, 3]], np.float32), np.array([0, 1, 1, 0])
    judged = HeadMetrics.of(sure, classes)
    assert judged.cells == ("75.0%", "0.562")
    assert HeadMetrics.of(sure * 1.5, classes).loss == pytest.approx(judged.loss, abs=0.001)
    assert judged.doubt == pytest.approx(0.2165, abs=1e-3)


def test_both_tasks_share_a_network_and_each_is_judged_by_its_own_numbers() -> None:
    items = [
        LabelledPhoto(Path("0"), {"waste_type": "cup", "cleanliness": "dirty"}, "0", "val"),
        LabelledPhoto(Path("1"), {"waste_type": "other"}, "1", "val"),
    ]
    plain = np.array([[0, 9, 0, 0, 0, 9], [0, 0, 0, 9, 9, 0]], np.float32)
    other = np.array([[0, 9, 0, 0, 9, 0], [0, 0, 0, 9, 9, 0]], np.float32)
    cells = compare_models.judged_cells(other, plain, items, ("waste_type", "cleanliness"))
    assert [cells[index] for index in (0, 2, 4, 5)] == ["100.0%", "0.0%", "100.0%", "50.0%"]
