"""The numbers of an evaluation, against ones worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from providers.base import LABELS, Prediction, ProviderUnavailable, Task
from providers.fake import FakeProvider, Step
from testing.image_files import encoded
from triof.datasets.photo_dataset import DatasetError, LabelledPhoto
from triof.evaluation import curves, evaluation
from triof.evaluation.curves import Figure
from triof.evaluation.evaluation import EvaluatedPhoto


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
    # Nobody showed cutlery or spoke of it.
    assert measured.macro_f1 == measured.figures["macro F1"].value == pytest.approx((2 / 3 + 0.8 + 1) / 3)


def test_macro_f1_is_that_of_the_labels_that_occur_or_were_said() -> None:
    perfect = [(label, label, 0.9) for label in ("bottle", "cup", "other")]
    assert evaluation.figures("waste_type", answers("waste_type", *perfect))["macro F1"] == Figure(1.0, 1.0, 1.0)
    once_cutlery = [*perfect, ("cup", "cutlery", 0.6)]
    assert values("waste_type", answers("waste_type", *once_cutlery))["macro F1"] == pytest.approx(
        (1 + 2 / 3 + 0 + 1) / 4
    )


def test_a_resample_without_a_rare_label_does_not_lower_macro_f1() -> None:
    one_cutlery = [("cutlery", "cutlery", 0.9), *[("cup", "cup", 0.9)] * 9]
    assert evaluation.figures("waste_type", answers("waste_type", *one_cutlery))["macro F1"] == Figure(1.0, 1.0, 1.0)


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
    assert curves.calibration_error(np.ones((1, 2)), [1.0, 1.0], [True, True]) == 0


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
    assert written["figures"]["accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert (written["accuracy"], written["group_accuracy"]) == (1.0, 1.0)
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


def test_the_curves_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    calibration = pytest.importorskip("sklearn.calibration")
    random = np.random.default_rng(5)
    given, carried = random.integers(1, 40, 300) / 40, random.random(300) < 0.3
    curve = curves.precision_recall(given.tolist(), carried.tolist())
    precision, recall, thresholds = metrics.precision_recall_curve(carried, given)
    # Theirs runs from the lowest probability up, to a last point of no photo.
    assert curve.thresholds == pytest.approx(thresholds[::-1])
    assert curve.precision == pytest.approx(precision[:-1][::-1])
    assert curve.recall == pytest.approx(recall[:-1][::-1])
    assert curve.average_precision == pytest.approx(metrics.average_precision_score(carried, given))
    # No probability on the edge of a bin: theirs holds its upper edge, ours its lower.
    given = random.random(300) * 0.8
    bins = [bin_ for bin_ in curves.reliability(given.tolist(), carried.tolist()) if bin_.count]
    true, promised = calibration.calibration_curve(carried, given, n_bins=10)
    assert [bin_.true for bin_ in bins] == pytest.approx(true)
    assert [bin_.promised for bin_ in bins] == pytest.approx(promised)


# ---- figures and their intervals ----


def answers(
    task: Task, *pairs: tuple[str, str, float], group_of: int = 1, thresholds: float | None = None
) -> list[EvaluatedPhoto]:
    """What each photo is, what was said, and how surely; every ``group_of`` in a row are near-duplicates."""
    found = []
    for index, (right, said, probability) in enumerate(pairs):
        item = LabelledPhoto(Path(f"{index}.png"), {task: right}, str(index // group_of), "test")
        scores = {label: probability if label == said else 1 - probability for label in LABELS[task]}
        believed = {} if thresholds is None else dict.fromkeys(scores, thresholds)
        found.append(EvaluatedPhoto(item, Prediction(task, said, probability, scores, "fake", "1", believed)))
    return found


def values(task: Task, of: list[EvaluatedPhoto]) -> dict[str, float]:
    return {name: figure.value for name, figure in evaluation.figures(task, of).items()}


def test_the_figures_of_the_waste_type_by_hand() -> None:
    said = [("bottle", "bottle", 0.9), ("cup", "other", 0.9), ("cup", "bottle", 0.6), ("cutlery", "cutlery", 0.6)]
    found = values(
        "waste_type", answers("waste_type", *said, ("other", "other", 0.9), ("other", "cup", 0.9), thresholds=0.7)
    )
    assert found["accuracy"] == pytest.approx(3 / 6)
    assert found["plastic accuracy"] == pytest.approx(2 / 4)
    assert found["plastic turned away"] == pytest.approx(1 / 4)
    assert found["foreign caught"] == pytest.approx(1 / 2)
    assert found["believed"] == pytest.approx(4 / 6)
    assert found["believed and wrong"] == pytest.approx(2 / 6)
    assert list(found) == [
        *("accuracy", "plastic accuracy", "plastic turned away", "foreign caught", "macro F1", "accuracy per group"),
        *("calibration error", "believed", "believed and wrong"),
    ]


def test_a_figure_about_a_label_that_does_not_occur_is_left_out() -> None:
    plastic = values("waste_type", answers("waste_type", ("cup", "other", 0.9)))
    assert plastic["plastic turned away"] == 1
    assert not {"foreign caught", "believed", "believed and wrong"} & set(plastic)
    assert "plastic accuracy" not in values("waste_type", answers("waste_type", ("other", "other", 0.9)))
    caught = "dirty caught at 5 % of clean refused"
    assert caught not in values("cleanliness", answers("cleanliness", ("dirty", "dirty", 0.9)))
    assert caught not in values("cleanliness", answers("cleanliness", ("clean", "dirty", 0.9)))
    assert values("cleanliness", answers("cleanliness", ("clean", "clean", 0.9), ("dirty", "dirty", 0.9)))[caught] == 1


def test_dirty_caught_while_one_clean_in_twenty_is_refused() -> None:
    dirty = [("dirty", "dirty", chance) for chance in (0.95, 0.9, 0.85, 0.7)]
    clean = [("clean", "dirty", chance) for chance in (0.87, 0.8, *(0.3,) * 18)]
    measured = values("cleanliness", answers("cleanliness", *dirty, *clean))
    # One of the twenty may be refused, so that the threshold lies above 0.8.
    assert measured["dirty caught at 5 % of clean refused"] == pytest.approx(3 / 4)
    # With 19 clean ones not even one may.
    measured = values("cleanliness", answers("cleanliness", *dirty, *clean[:-1]))
    assert measured["dirty caught at 5 % of clean refused"] == pytest.approx(2 / 4)


def test_photos_of_one_probability_are_refused_together() -> None:
    once = np.ones((1, 4))
    given = [0.9, 0.5, 0.5, 0.1]
    assert curves.caught(once, given, [True, True, False, False], refused=0.4) == pytest.approx(0.5)
    assert curves.caught(once, given, [True, True, False, False], refused=0.5) == pytest.approx(1.0)
    assert curves.caught(once, given, [False, True, False, True], refused=0.4) == 0


def test_the_interval_holds_the_truth_19_times_in_20() -> None:
    random = np.random.default_rng(4)
    groups = [str(index // 2) for index in range(120)]
    weights = curves.resampled(groups)
    held = 0
    for _ in range(300):
        # Both photos of a group are right or wrong together.
        hits = np.repeat(random.random(60) < 0.7, 2)
        figure = curves.figure(curves.share(weights, hits.tolist(), [True] * 120))
        held += figure.low <= 0.7 <= figure.high
    assert 0.90 <= held / 300 <= 0.98


@pytest.mark.slow
def test_duplicates_in_one_group_widen_the_interval() -> None:
    pairs = [("clean", "clean" if index % 5 else "dirty", 0.8) for index in range(80)]
    copied = [pair for pair in pairs for _ in range(4)]

    def width(group_of: int) -> float:
        found = evaluation.figures("cleanliness", answers("cleanliness", *copied, group_of=group_of))["accuracy"]
        assert found.value == pytest.approx(0.8)
        assert found.low < found.value < found.high
        return found.high - found.low

    # Four copies of each photo are no four photos; the normal approximation tells how wide it has to be.
    assert width(4) == pytest.approx(2 * 1.96 * (0.8 * 0.2 / 80) ** 0.5, rel=0.1)
    assert width(1) == pytest.approx(width(4) / 2, rel=0.1)


def test_the_same_photos_have_the_same_intervals_in_any_order() -> None:
    said = answers(
        "cleanliness", *[(("clean", "dirty")[index % 3 == 0], "clean", 0.5 + index / 100) for index in range(40)]
    )
    there, back = evaluation.figures("cleanliness", said), evaluation.figures("cleanliness", said[::-1])
    assert list(there) == list(back)
    for name, figure in there.items():
        assert (figure.value, figure.low, figure.high) == pytest.approx(
            (back[name].value, back[name].low, back[name].high)
        )


def test_a_resample_without_the_label_says_nothing_of_it() -> None:
    one = answers("waste_type", ("other", "other", 0.9), *[("cup", "cup", 0.9)] * 3)
    assert evaluation.figures("waste_type", one)["foreign caught"] == Figure(1.0, 1.0, 1.0)


def test_the_calibration_error_of_weights_is_that_of_the_bins() -> None:
    random = np.random.default_rng(7)
    promised = random.random(200)
    hits = random.random(200) < promised**2
    bins = curves.reliability(promised.tolist(), hits.tolist())
    gap = sum(bin_.count * abs(bin_.promised - bin_.true) for bin_ in bins) / 200
    assert curves.calibration_error(np.ones((1, 200)), promised.tolist(), hits.tolist())[0] == pytest.approx(gap)
