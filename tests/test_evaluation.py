"""The numbers of an evaluation, against ones worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from providers.base import ProviderUnavailable
from providers.fake import FakeProvider, Step
from tests.conftest import encoded
from triof import evaluation
from triof.datasets import DatasetError, LabelledPhoto


def labelled(folder: Path, *labels: str, groups: str = "") -> list[LabelledPhoto]:
    """One readable photo per label, each in its own group unless ``groups`` names them."""
    items = []
    for index, label in enumerate(labels):
        path = folder / f"{index}.png"
        path.write_bytes(encoded(Image.new("RGB", (40, 40), (index, 0, 0)), "PNG"))
        group = groups[index] if groups else str(index)
        items.append(LabelledPhoto(path, {"waste_type": label}, group, "test"))
    return items


def scores(label: str, probability: float) -> Step:
    rest = (1 - probability) / 3
    return {name: probability if name == label else rest for name in ("bottle", "cup", "cutlery", "other")}


def test_the_metrics_are_those_of_the_book(tmp_path: Path) -> None:
    photos = labelled(tmp_path, "bottle", "bottle", "cup", "cup", "other")
    measured = evaluation.evaluate(
        FakeProvider("waste_type", ["bottle", "cup", "cup", "cup", "other"]), "waste_type", photos
    )
    assert measured.accuracy == pytest.approx(0.8)
    assert measured.confusion == ((1, 1, 0, 0), (0, 2, 0, 0), (0, 0, 0, 0), (0, 0, 0, 1))
    assert measured.labels["bottle"] == evaluation.LabelMetrics(1.0, 0.5, pytest.approx(2 / 3), 2)
    assert measured.labels["cup"] == evaluation.LabelMetrics(pytest.approx(2 / 3), 1.0, pytest.approx(0.8), 2)
    assert measured.labels["cutlery"] == evaluation.LabelMetrics(0.0, 0.0, 0.0, 0)
    assert measured.macro_f1 == pytest.approx((2 / 3 + 0.8 + 0 + 1) / 4)


def test_a_group_of_near_duplicates_counts_once(tmp_path: Path) -> None:
    photos = labelled(tmp_path, "cup", "cup", "cup", "other", groups="aaab")
    measured = evaluation.evaluate(FakeProvider("waste_type", ["cup"]), "waste_type", photos)
    assert (measured.photos, measured.groups) == (4, 2)
    assert measured.accuracy == pytest.approx(0.75)
    assert measured.group_accuracy == pytest.approx(0.5)


def test_the_calibration_error_is_the_gap_between_promise_and_truth(tmp_path: Path) -> None:
    photos = labelled(tmp_path, "cup", "cup", "cup", "other")
    measured = evaluation.evaluate(FakeProvider("waste_type", [scores("cup", 0.95)]), "waste_type", photos)
    assert measured.calibration_error == pytest.approx(0.2)
    assert (measured.believed, measured.believed_accuracy) == (1.0, 0.75)
    assert evaluation.calibration_error([1.0, 1.0], [True, True]) == 0


def test_unreadable_photos_are_left_out_and_named(tmp_path: Path) -> None:
    photos = labelled(tmp_path, "cup", "cup")
    photos[0].path.write_bytes(b"<html>")
    measured = evaluation.evaluate(FakeProvider("waste_type", ["cup"]), "waste_type", photos)
    assert measured.photos == 1
    assert "0.png" in measured.unreadable[0]


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    photos = labelled(tmp_path, "cup")
    photos[0].path.unlink()
    with pytest.raises(DatasetError, match="None of the 1 photos"):
        evaluation.evaluate(FakeProvider("waste_type", ["cup"]), "waste_type", photos)


def test_a_provider_that_fails_fails_the_evaluation(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable):
        evaluation.evaluate(
            FakeProvider("waste_type", [ProviderUnavailable("off")]), "waste_type", labelled(tmp_path, "cup")
        )


def test_it_can_be_written_as_json(tmp_path: Path) -> None:
    measured = evaluation.evaluate(FakeProvider("waste_type", ["cup"]), "waste_type", labelled(tmp_path, "cup"))
    assert json.loads(json.dumps(measured.as_dict()))["labels"]["cup"]["f1"] == 1.0


def test_rows_are_what_it_is_and_columns_what_was_said() -> None:
    confusion = evaluation.confusion_matrix("cleanliness", [0, 0, 1], [0, 1, 1])
    assert np.array_equal(confusion, [[1, 1], [0, 1]])
