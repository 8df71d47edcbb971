"""A bundle fits together or is refused, with the remedy."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from providers.base import LABELS, TASKS, ProviderMisconfigured, Task
from providers.local_cnn import bundle
from providers.local_cnn.options import SHIPPED_BUNDLES, LocalCnnOptions, shipped
from providers.local_cnn.provider import LocalCnn
from tests.support import colour_models


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a shipped bundle, to be damaged."""
    return Path(shutil.copytree(shipped("waste_type"), tmp_path / "bundle"))


def changed_card(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / bundle.CARD_FILE
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def cut_model(folder: Path) -> None:
    path = folder / bundle.MODEL_FILE
    path.write_bytes(path.read_bytes()[:-1])


def swapped_labels(folder: Path) -> None:
    (folder / bundle.LABELS_FILE).write_text("cup\nbottle\ncutlery\nother\n")


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


INPUT = {"width": 224, "height": 224, "channels": "rgb", "range": [-1, 1], "resize": "stretch"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut_model, "its checksum"),
        (swapped_labels, "different labels"),
        (without(bundle.MODEL_FILE), r"model\.tflite cannot be read"),
        (without(bundle.LABELS_FILE), r"labels\.txt cannot be read"),
        (without(bundle.CARD_FILE), r"bundle\.json cannot be read"),
        (changed_card(labels=["cup", "bottle", "cutlery", "other"]), "different labels"),
        (changed_card(labels=["bottle", "cup", "cutlery"], thresholds={}), "different labels"),
        (changed_card(labels=["bottle", "bottle"]), "at least two of bottle, cup, cutlery, other"),
        (changed_card(labels=["bottle", "clean"]), "and no other"),
        (changed_card(labels=[]), "at least two"),
        (changed_card(gives="votes"), "gives"),
        (changed_card(thresholds={"bottel": 0.5}), "unknown labels bottel"),
        (changed_card(thresholds={"bottle": 1.5}), r"thresholds\.bottle"),
        (changed_card(temperature=0), "temperature"),
        (changed_card(input={**INPUT, "range": [1, -1]}), "range"),
        (changed_card(input={**INPUT, "channels": "hsv"}), r"input\.channels"),
        (changed_card(surprise=1), "surprise"),
        (changed_card(input={**INPUT, "width": 192}), r"float32 \(1, 224, 192, 3\)"),
        (lambda folder: (folder / bundle.CARD_FILE).write_bytes(b"\xff\xfe{"), "is wrong"),
        (shutil.rmtree, "cannot be read"),
    ],
)
def test_a_bundle_that_does_not_fit_is_refused(folder: Path, damage: Callable[[Path], None], reason: str) -> None:
    damage(folder)
    with pytest.raises(ProviderMisconfigured, match=reason) as refusal:
        LocalCnn("waste_type", LocalCnnOptions(waste_type_bundle=folder))
    assert "triof train" in str(refusal.value)


def test_the_bundle_of_the_other_task_is_refused(tmp_path: Path) -> None:
    folder = colour_models.save(tmp_path / "bundle", "waste_type")
    with pytest.raises(ProviderMisconfigured, match="answers waste_type, not cleanliness"):
        LocalCnn("cleanliness", LocalCnnOptions(cleanliness_bundle=folder))


@pytest.mark.slow
def test_what_is_no_model_is_refused_even_with_the_right_checksum(folder: Path) -> None:
    card = bundle.load(folder, "waste_type").card
    junk = b"not a model"
    sha256 = "0" * 64
    bundle.save(folder, card.model_copy(update={"sha256": sha256}), junk)
    with pytest.raises(ProviderMisconfigured, match="checksum"):
        bundle.load(folder, "waste_type")
    changed_card(sha256=hashlib.sha256(junk).hexdigest())(folder)
    with pytest.raises(ProviderMisconfigured, match="LiteRT cannot read its model"):
        LocalCnn("waste_type", LocalCnnOptions(waste_type_bundle=folder))


def test_a_saved_bundle_replaces_the_one_before_and_leaves_nothing_else(folder: Path) -> None:
    before = bundle.load(folder, "waste_type")
    bundle.save(folder, before.card.model_copy(update={"version": "next"}), before.model)
    assert bundle.load(folder, "waste_type").card.version == "next"
    assert [path.name for path in folder.parent.iterdir() if path.name != "home"] == ["bundle"]


@pytest.mark.parametrize("task", TASKS)
def test_the_shipped_bundles_are_whole(task: Task) -> None:
    whole = bundle.load(shipped(task), task)
    assert set(whole.card.thresholds) == set(LABELS[task])
    assert task in whole.card.version
    assert whole.card.sha256[:8] in whole.card.version


def test_the_shipped_bundles_are_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED_BUNDLES.rglob("*") if path.is_file()) <= 30_000_000
