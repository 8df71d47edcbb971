"""Training end to end, on a handful of generated pictures, and the parts that need no TensorFlow."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from providers.base import LABELS
from providers.local_cnn import augmentation, bundle, calibration, head, trainer, weights
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.provider import LocalCnn
from tests.conftest import encoded
from triof import photo

MISSING = [name for name in ("tensorflow", weights.WEIGHTS_PACKAGE) if importlib.util.find_spec(name) is None]


def drawn(index: int) -> Image.Image:
    """A green disc (clean) or a brown square (dirty) on white."""
    picture = Image.new("RGB", (120, 120), "white")
    box = (20 + index, 20, 90 + index, 90)
    if index % 2:
        ImageDraw.Draw(picture).rectangle(box, fill=(110, 70, 30))
    else:
        ImageDraw.Draw(picture).ellipse(box, fill=(40, 200, 90))
    return picture


def pictures(count: int) -> trainer.Pictures:
    return trainer.Pictures([drawn(index) for index in range(count)], np.arange(count) % 2)


@pytest.mark.skipif(bool(MISSING), reason=f"the train extra is not installed: {', '.join(MISSING)}")
def test_one_epoch_makes_a_bundle_that_answers(tmp_path: Path) -> None:
    stages: dict[str, tuple[int, int]] = {}
    trained = trainer.train(
        "cleanliness",
        pictures(12),
        pictures(4),
        trainer.TrainerSettings(epochs=1, views=1, batch=13),
        lambda stage, done, total: stages.update({stage: (done, total)}),
    )
    bundle.save(tmp_path / "bundle", trained.card, trained.model)
    provider = LocalCnn("cleanliness", LocalCnnOptions(cleanliness_bundle=tmp_path / "bundle"))
    labels = [provider.predict(photo.load(encoded(drawn(index), "PNG")), timeout=5).label for index in range(4)]
    assert labels == ["clean", "dirty", "clean", "dirty"]
    assert [curve["epoch"] for curve in trained.curves] == [0, 1]
    assert all(done == total for done, total in stages.values())
    assert set(trained.card.thresholds) == set(LABELS["cleanliness"])


def test_training_without_its_extra_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(trainer.ProviderMisconfigured, match=r"triof\[train\]"):
        trainer.train("cleanliness", pictures(2), pictures(2), trainer.TrainerSettings(), lambda *_: None)


def test_views_are_the_same_for_the_same_seed_and_differ_from_each_other() -> None:
    first, again, other = (augmentation.augmented(drawn(1), 64, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_ground_is_exchanged_under_the_item() -> None:
    corners = {tuple(augmentation.augmented(drawn(0), 64, np.random.default_rng(seed))[0, 0]) for seed in range(20)}
    assert len(corners) > 10


def test_an_empty_tray_is_plain_and_light() -> None:
    for seed in range(10):
        ground = augmentation.find_ground(augmentation.empty_tray(64, np.random.default_rng(seed)))
        assert ground.colour.mean() > 80


def test_stains_fall_on_the_item_only() -> None:
    before = np.asarray(drawn(0).resize((64, 64), Image.Resampling.BILINEAR)).astype(int)
    stained = augmentation.soiled(drawn(0), 64, np.random.default_rng(3))
    assert stained is not None
    changed = np.abs(np.asarray(stained).astype(int) - before).max(axis=2) > 20
    assert changed.mean() > 0.01
    assert not changed[:8].any()
    assert not changed[-8:].any()


def test_what_has_no_plain_ground_is_not_stained() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    assert augmentation.soiled(Image.fromarray(noise), 64, np.random.default_rng(1)) is None


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


def test_a_threshold_is_the_lowest_that_keeps_the_precision() -> None:
    dirty = np.array([0.95, 0.9, 0.8, 0.7, 0.6, 0.55])
    classes = np.array([1, 1, 1, 1, 0, 0])
    thresholds = calibration.fit_thresholds("cleanliness", np.column_stack([1 - dirty, dirty]), classes)
    assert thresholds["dirty"] == pytest.approx(0.7)
