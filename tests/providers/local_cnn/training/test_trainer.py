"""Training end to end, on a handful of generated pictures, and the parts that need no TensorFlow."""

import hashlib
import importlib
import importlib.util
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from providers.base import LABELS, TASKS, ProviderMisconfigured, Task
from providers.costs import Costs
from providers.local_cnn import backbone, bundle, calibration
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.provider import LocalCnn
from providers.local_cnn.runtime import Runtime
from providers.local_cnn.training import (
    augmentation,
    embedding,
    head,
    label_shift,
    rehearsal,
    rehearsal_check,
    trainer,
    training_set,
    tuning,
    weight_import,
)
from providers.local_cnn.training.hyperparameters import Hyperparameters
from providers.local_cnn.training.training_set import TOLD, UNKNOWN, Classes, Pictures, TrainingSet
from providers.local_cnn.training.tuning import Checkpoint, State
from testing.image_files import encoded
from tests.support.training_sets import CUP, OTHER, SMALL, drawn, pictures
from triof.evaluation import before_after
from triof.judging import photo
from triof.settings.sections.policy import Policy


def train(path: Path, on_progress: trainer.Progress = lambda *_: None) -> trainer.Trained:
    """One network for both tasks."""
    photos: dict[trainer.Part, Pictures] = {"train": pictures(12), "val": pictures(4)}
    return trainer.train(TASKS, photos, SMALL, Checkpoint(path / "checkpoint.npz"), on_progress)


class Whole(NamedTuple):
    """A training without any interruption."""

    trained: trainer.Trained
    stages: Mapping[str, tuple[int, int]]
    """What it told of its progress."""
    left: Path
    """What a power cut in its last epoch would have left."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """As training takes its time, all tests look at the same one."""
    stages: dict[str, tuple[int, int]] = {}
    path = tmp_path_factory.mktemp("whole")

    def on_progress(stage: str, done: int, total: int) -> None:
        stages[stage] = (done, total)
        if stage == "tuning" and done == total:
            shutil.copytree(path, path / "left")

    return Whole(train(path, on_progress), stages, path / "left")


@pytest.mark.train
def test_some_epochs_make_a_bundle_that_answers(whole: Whole, tmp_path: Path) -> None:
    trained, stages, _ = whole
    bundle.save(tmp_path / "bundle", trained.card, trained.model)
    provider = LocalCnn("cleanliness", LocalCnnOptions(cleanliness_bundle=tmp_path / "bundle"))
    answers = [provider.predict(photo.load(encoded(drawn(index), "PNG")), timeout=5) for index in range(4)]
    assert [answer.label for answer in answers] == ["clean", "dirty", "clean", "dirty"]
    # They are the photos of val, but for JPEG: each number has mean 0 and standard deviation 1, or is not there.
    embeddings = np.array([answer.embedding for answer in answers])
    assert embeddings.shape == (4, embedding.SIZE)
    assert embeddings.mean(axis=0) == pytest.approx(0, abs=0.5)
    assert embeddings.std(axis=0)[:2] == pytest.approx(1, abs=0.5)
    card = trained.card.of("cleanliness")
    assert card.reference
    assert card.reference.labels == {"clean": 0.5, "dirty": 0.5}
    assert card.reference.brightness[0] == pytest.approx(0.82, abs=0.02)
    assert [(curve["member"], curve["epoch"]) for curve in trained.curves] == [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (1, 2),
    ]
    assert trained.curves[1]["train_loss"] != trained.curves[4]["train_loss"]
    assert list(stages) == ["fitting the heads", "tuning"]
    assert all(done == total for done, total in stages.values())
    assert set(card.thresholds) == set(LABELS["cleanliness"])
    assert trained.card.task == "waste_type"
    assert trained.card.labels == (*LABELS["waste_type"], bundle.EMPTY)
    other = LocalCnn("waste_type", LocalCnnOptions(waste_type_bundle=tmp_path / "bundle"))
    said = other.predict(photo.load(encoded(drawn(0), "PNG")), timeout=5)
    assert (said.label, set(said.scores)) == ("cup", set(LABELS["waste_type"]))


@pytest.mark.train
def test_an_interrupted_training_goes_on_and_ends_as_if_nothing_had_happened(whole: Whole) -> None:
    stages: list[str] = []
    resumed = train(whole.left, lambda stage, *_: stages.append(stage))
    assert "fitting the heads" not in stages
    assert stages.count("tuning") == 2, "the steps of the last epoch"
    assert resumed.curves == whole.trained.curves


@pytest.mark.train
def test_the_weights_of_a_bundle_can_be_read_back(whole: Whole, tmp_path: Path) -> None:
    before = whole.trained
    like, other = (trainer.build_model(labels) for labels in (7, 3))
    start = bundle.Bundle(tmp_path, before.card, before.model)
    weight_import.load_weights(like, start)
    seen = photo.load(encoded(drawn(3), "PNG")).resized(64, 64)
    outputs = Runtime(start).ask(seen, timeout=5).outputs
    answered = np.concatenate([outputs[task] for task in TASKS])
    assert np.asarray(like(backbone.scaled(seen)[None]))[0] == pytest.approx(answered, abs=0.02)
    with pytest.raises(ProviderMisconfigured, match=r"go on from .* another one"):
        weight_import.load_weights(other, start)


def four_labels(folder: Path) -> bundle.Bundle:
    """A bundle of the time before the label of the empty slot; its head has learned nothing."""
    whole = trainer.build_model(4)
    # A bias of zeros is not kept.
    head_ = whole.get_layer("head")
    head_.set_weights([np.random.default_rng(1).normal(0, 0.01, array.shape) for array in head_.get_weights()])
    model = trainer.convert(whole, 64, half_precision=True)
    card = bundle.BundleCard(
        task="waste_type",
        labels=LABELS["waste_type"],
        version="before",
        input=bundle.Input(width=64, height=64, range=backbone.INPUT_RANGE),
        sha256=hashlib.sha256(model).hexdigest(),
    )
    return bundle.Bundle(folder, card, model)


@pytest.mark.train
def test_a_bundle_without_the_empty_slot_keeps_what_it_knows(tmp_path: Path) -> None:
    everything: dict[trainer.Part, Pictures] = {"train": pictures(12), "val": pictures(4)}
    types = {
        part: replace(found, classes={"waste_type": found.classes["waste_type"]}) for part, found in everything.items()
    }
    start = four_labels(tmp_path / "start")
    still = SMALL.model_copy(update={"epochs": 0, "members": 1, "input_side": start.card.input.width})
    still = still.model_copy(update={"foreign_in_service": label_shift.learned_share(types["train"], still)})
    trained = trainer.train(("waste_type",), types, still, Checkpoint(tmp_path / "c.npz"), lambda *_: None, start=start)
    seen = photo.load(encoded(drawn(0), "PNG")).resized(start.card.input.width, start.card.input.height)
    found = bundle.Bundle(tmp_path, trained.card, trained.model)
    before, after = (Runtime(each).ask(seen, timeout=5).outputs["waste_type"] for each in (start, found))
    said = calibration.softmax(after[None], counted_to=trained.card.counted_to)[0]
    assert said == pytest.approx(calibration.softmax(before[None])[0], abs=0.02)


@pytest.mark.train
def test_a_network_that_answers_the_new_photos_alone_is_worse_elsewhere(whole: Whole, tmp_path: Path) -> None:
    trained = whole.trained
    kept = rehearsal_check.keep(
        bundle.Bundle(tmp_path, trained.card, trained.model),
        {"train": pictures(4), "val": pictures(8)},
        None,
        (SMALL.train_side, SMALL.input_side),
    )
    bundle.save(tmp_path / "before", trained.card, trained.model, rehearsal=kept)
    before = bundle.load(tmp_path / "before")
    stored = rehearsal.load(before)
    assert stored
    from_rows, from_photos = rehearsal_check.about_rows(before, stored, stored.judged), pictures(8)
    for task, answers in rehearsal_check.about_photos(before, from_photos).items():
        assert from_rows[task] == pytest.approx(answers, abs=0.05)
    # Where the canteen's discs are dirty, one that has dirt and cleanliness exchanged is right, and wrong elsewhere.
    (dirt,) = before.card.also
    exchanged = dirt.model_copy(update={"labels": dirt.labels[::-1]})
    after = replace(before, card=before.card.model_copy(update={"also": (exchanged,)}))
    dirty = from_photos.classes["cleanliness"]
    classes = {**from_photos.classes, "cleanliness": 1 - dirty}
    theirs = replace(from_photos, classes=classes, sources=["canteen"] * 8)
    found = before_after.compare(before, after, theirs, stored, Policy())
    changes = {(one.place, one.about): one.change for one in found.hits}
    assert (changes["theirs", "cleanliness"], changes["theirs", "waste_type"]) == ("better", "as before")
    assert (changes["elsewhere", "cleanliness"], changes["elsewhere", "waste_type"]) == ("worse", "as before")
    assert found.result == "worse_elsewhere"
    assert before_after.compare(before, after, theirs, None, Policy()).result == "unknown_elsewhere"


def test_a_damaged_checkpoint_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    assert Checkpoint(path).load() is None
    numbers = [np.arange(1000.0)]
    Checkpoint(path).save(State(numbers, numbers, numbers, [{"epoch": 0}]))
    whole = path.read_bytes()
    assert Checkpoint(path).load() is not None
    flipped = bytes([*whole[:200], whole[200] ^ 1, *whole[201:]])
    for damaged in (b"", whole[:10], whole[: len(whole) // 2], whole[:-5], flipped):
        path.write_bytes(damaged)
        assert Checkpoint(path).load() is None


def test_training_without_its_extra_names_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ProviderMisconfigured, match=r"triof\[train\]"):
        train(tmp_path)


def labels_of(task: Task, hyperparameters: Hyperparameters, tasks: tuple[Task, ...] = TASKS) -> set[str]:
    """Of many views, as far as they are known."""
    rng, photos = np.random.default_rng(1), TrainingSet(tasks, pictures(12), hyperparameters)
    drawn = [photos.view(rng)[1][task] for _ in range(60)]
    return {TOLD[task][class_] for class_ in drawn if class_ != UNKNOWN}


SIMPLE = Hyperparameters(train_side=32, empty=0, plain=0)


@pytest.mark.train
def test_stains_turn_clean_into_dirty_and_no_type_into_another() -> None:
    hyperparameters = SIMPLE.model_copy(update={"stained": 1.0})
    assert labels_of("cleanliness", hyperparameters, ("cleanliness",)) == {"dirty"}
    assert labels_of("waste_type", hyperparameters) == {"cup", "other"}


@pytest.mark.train
def test_an_empty_slot_is_empty_and_neither_clean_nor_dirty() -> None:
    hyperparameters = SIMPLE.model_copy(update={"empty": 1.0})
    assert labels_of("waste_type", hyperparameters) == {bundle.EMPTY}
    assert labels_of("cleanliness", hyperparameters) == set()


@pytest.mark.train
def test_a_training_draws_the_same_views_for_the_same_seeds_alone() -> None:
    def drawn_with(hyperparameters: Hyperparameters, *seeds: int) -> NDArray[np.float32]:
        photos = TrainingSet(TASKS, pictures(4), hyperparameters)
        return np.concatenate([batch.rows for batch in photos.batches(2, lambda view: view.ravel(), *seeds)])

    first = drawn_with(SIMPLE, 0, 1)
    assert len(first) == 2 * SIMPLE.batch
    assert np.array_equal(first, drawn_with(SIMPLE, 0, 1))
    assert not np.array_equal(first, drawn_with(SIMPLE, 0, 2))
    assert not np.array_equal(first, drawn_with(SIMPLE.model_copy(update={"seed": 2}), 0, 1))


@pytest.mark.train
def test_both_halves_of_a_network_give_what_it_gives() -> None:
    whole = trainer.build_model(6)
    photo_ = backbone.scaled(np.random.default_rng(1).integers(0, 255, (1, 64, 64, 3), np.uint8))
    for blocks in (0, 5, 11):
        lower, upper = backbone.halves(importlib.import_module("keras"), whole, 64, blocks)
        assert np.asarray(upper(lower(photo_))) == pytest.approx(np.asarray(whole(photo_)), abs=1e-3)


def test_a_source_of_foreign_objects_does_not_drown_the_plastic() -> None:
    types = np.array([CUP] * 10 + [OTHER] * 90)
    photos = Pictures(
        [augmentation.uncut(b"")] * 100,
        {"waste_type": types},
        ["shop"] * 5 + ["home"] * 5 + ["dump"] * 80 + ["home"] * 10,
    )
    drawn_by = training_set.shares(photos, Hyperparameters(foreign=0.4, balance=0.5))
    assert drawn_by[:10].sum() == pytest.approx(0.6)
    dump, home = drawn_by[10:90].sum(), drawn_by[90:].sum()
    assert dump / home == pytest.approx(8**0.5)


@pytest.mark.train
def test_what_nobody_said_teaches_nothing() -> None:
    targets = training_set.smoothed(np.array([1, UNKNOWN]), 2, 0.1)
    assert targets.tolist() == [pytest.approx([0.05, 0.95]), [0, 0]]


@pytest.mark.train
def test_a_photo_without_a_label_for_a_task_moves_none_of_its_logits() -> None:
    tensorflow = importlib.import_module("tensorflow")
    types = training_set.smoothed(np.array([1, 1]), 5, 0.1)
    dirt = training_set.smoothed(np.array([1, UNKNOWN]), 2, 0.1)
    logits = tensorflow.Variable(np.random.default_rng(1).normal(0, 1, (2, 7)).astype(np.float32))
    loss = tuning.loss_of(tensorflow, tuning.spans_of(TASKS).values())
    with tensorflow.GradientTape() as tape:
        lost = tensorflow.reduce_mean(loss(np.concatenate([types, dirt], axis=1), logits))
    gradient = tape.gradient(lost, logits).numpy()
    assert np.abs(gradient[:, :5]).max(axis=1) == pytest.approx([0.3, 0.3], abs=0.25)
    assert np.abs(gradient[0, 5:]).min() > 0.01
    assert gradient[1, 5:].tolist() == [0, 0]


def test_the_head_learns_what_can_be_told_apart() -> None:
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 2, 200)
    features = rng.normal(0, 1, (200, 8)).astype(np.float32)
    features[:, 3] += 4 * classes
    targets = np.eye(2, dtype=np.float32)[classes]
    fitted = head.fit(features, targets, np.ones(200, np.float32), features, classes)
    assert (fitted.logits(features).argmax(axis=1) == classes).mean() > 0.95


def test_the_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(1)
    classes = np.arange(1000) % 2
    said = np.where(rng.random(1000) < 0.8, classes, 1 - classes)
    logits = np.eye(2)[said] * 4
    probabilities = calibration.softmax(logits, calibration.fit_temperature(logits, classes))
    assert probabilities.max(axis=1).mean() == pytest.approx(0.8, abs=0.03)


def calibrated(count: int) -> tuple[NDArray[np.float64], Classes]:
    """Probabilities of clean and dirty that are as true as they say."""
    rng = np.random.default_rng(1)
    dirty = rng.uniform(0, 1, count)
    return np.column_stack([1 - dirty, dirty]), (rng.random(count) < dirty).astype(np.int64)


@pytest.mark.slow
def test_where_probabilities_are_true_a_threshold_is_what_the_costs_say() -> None:
    costs = Costs(wrong_accept=20, wrong_refusal=5, ask=1)
    thresholds = calibration.fit_thresholds(*calibrated(4_000), LABELS["cleanliness"], costs)
    assert thresholds["clean"] == pytest.approx(0.95, abs=0.03)
    assert thresholds["dirty"] == pytest.approx(0.80, abs=0.04)
    dear = calibration.fit_thresholds(*calibrated(4_000), LABELS["cleanliness"], costs.model_copy(update={"ask": 2}))
    assert dear["dirty"] < thresholds["dirty"]


def test_a_threshold_follows_the_photos_where_probabilities_boast() -> None:
    probability = np.repeat([0.97, 0.999], 1000)
    dirty = np.arange(2000) % 10 == 0
    dirty[1000:] = False
    thresholds = calibration.fit_thresholds(
        np.column_stack([probability, 1 - probability]),
        dirty.astype(np.int64),
        LABELS["cleanliness"],
        Costs(),
    )
    assert 0.97 < thresholds["clean"] <= 0.999
