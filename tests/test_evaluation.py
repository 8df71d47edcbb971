"""The numbers of an evaluation, against ones worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from providers.base import ProviderUnavailable
from providers.fake import FakeProvider, Step
from tests.conftest import encoded
from triof import curves, evaluation
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
    bottle, cup = measured.labels["bottle"], measured.labels["cup"]
    assert (bottle.precision, bottle.recall, bottle.support) == (1.0, 0.5, 2)
    assert bottle.f1 == pytest.approx(2 / 3)
    assert (cup.precision, cup.recall, cup.f1) == pytest.approx((2 / 3, 1.0, 0.8))
    assert measured.labels["cutlery"] == evaluation.LabelMetrics(0.0, 0.0, 0.0, 0, 0.0)
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
    assert curves.calibration_error([1.0, 1.0], [True, True]) == 0


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
    written = json.loads(json.dumps(measured.as_dict()))
    assert written["labels"]["cup"]["f1"] == 1.0
    assert "answers" not in written


def test_rows_are_what_it_is_and_columns_what_was_said() -> None:
    confusion = evaluation.confusion_matrix("cleanliness", ["clean", "clean", "dirty"], ["clean", "dirty", "dirty"])
    assert np.array_equal(confusion, [[1, 1], [0, 1]])


def test_each_photos_answer_is_kept_without_its_pixels(tmp_path: Path) -> None:
    photos = labelled(tmp_path, "cup", "bottle")
    measured = evaluation.evaluate(FakeProvider("waste_type", [scores("cup", 0.7)]), "waste_type", photos)
    assert [(answer.item.path.name, answer.right, answer.said, answer.hit) for answer in measured.answers] == [
        ("0.png", "cup", "cup", True),
        ("1.png", "bottle", "cup", False),
    ]
    assert measured.answers[0].prediction.scores["cup"] == 0.7
    assert measured.provider == "fake"


def test_answers_from_elsewhere_are_measured_the_same_way(tmp_path: Path) -> None:
    measured = evaluation.evaluate(
        FakeProvider("waste_type", ["cup", "other"]), "waste_type", labelled(tmp_path, "cup", "cup", groups="aa")
    )
    assert evaluation.measure("waste_type", measured.answers, []) == measured
    with pytest.raises(DatasetError, match="None of the 0 photos"):
        evaluation.measure("waste_type", [], [])


def test_average_precision_by_hand() -> None:
    curve = curves.precision_recall([0.9, 0.8, 0.7, 0.6], [True, False, True, False])
    assert curve.recall.tolist() == [0.5, 0.5, 1.0, 1.0]
    assert curve.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 2 / 4])
    assert curve.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_equal_probabilities_are_one_point_of_the_curve() -> None:
    curve = curves.precision_recall([0.5, 0.5, 0.5], [True, False, False])
    assert (curve.recall.tolist(), curve.precision.tolist()) == ([1.0], [pytest.approx(1 / 3)])
    nobody = curves.precision_recall([0.5, 0.4], [False, False])
    assert nobody.average_precision == 0
    assert curves.precision_recall([], []).average_precision == 0


def test_the_area_is_that_of_every_threshold_tried_in_turn() -> None:
    random = np.random.default_rng(1)
    given, carried = random.integers(0, 20, 300) / 20, random.random(300) < 0.3
    area, reached = 0.0, 0.0
    for threshold in sorted(set(given.tolist()), reverse=True):
        believed = given >= threshold
        recall = (believed & carried).sum() / carried.sum()
        area += (recall - reached) * (believed & carried).sum() / believed.sum()
        reached = recall
    assert curves.precision_recall(given.tolist(), carried.tolist()).average_precision == pytest.approx(area)


def test_bins_hold_what_was_promised_and_what_came_true() -> None:
    bins = curves.reliability([0.32, 0.38, 1.0], [True, False, True])
    assert [bin_.count for bin_ in bins] == [0, 0, 0, 2, 0, 0, 0, 0, 0, 1]
    assert (bins[3].promised, bins[3].true) == pytest.approx((0.35, 0.5))
    assert (bins[9].low, bins[9].high, bins[9].true) == (0.9, 1.0, 1.0)


def test_the_interval_is_wilsons() -> None:
    assert curves.interval(0.9, 100) == pytest.approx((0.8256, 0.9448), abs=1e-4)
    assert curves.interval(1.0, 5)[1] == 1.0


@pytest.mark.parametrize(("one", "other", "chance"), [(0, 0, 1.0), (0, 5, 0.0625), (5, 0, 0.0625), (3, 3, 1.0)])
def test_the_chance_of_an_uneven_split(one: int, other: int, chance: float) -> None:
    assert curves.chance_of_split(one, other) == pytest.approx(chance)
