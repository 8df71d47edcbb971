"""``triof train`` and ``triof evaluate``, through the front door."""

import importlib.util
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from providers.local_cnn.options import SHIPPED_BUNDLES
from providers.local_cnn.weights import WEIGHTS_PACKAGE
from tests.test_trainer import drawn
from triof.cli import main

MISSING = [name for name in ("tensorflow", WEIGHTS_PACKAGE) if importlib.util.find_spec(name) is None]


def triof(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def _pages_go_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands write runs/ into the current folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve drawn pictures with a manifest, and one that cannot be read."""
    lines = ["path,waste_type,cleanliness,group,source,split"]
    for index in range(12):
        drawn(index).save(tmp_path / f"{index}.png")
        split = ("train", "train", "train", "train", "val", "test")[index // 2]
        lines.append(f"{index}.png,cup,{('clean', 'dirty')[index % 2]},{index},drawn,{split}")
    (tmp_path / "page.png").write_text("<html>")
    lines.append("page.png,cup,clean,12,drawn,train")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.skipif(bool(MISSING), reason=f"the train extra is not installed: {', '.join(MISSING)}")
def test_a_trained_bundle_can_be_evaluated(photos: Path, tmp_path: Path) -> None:
    out, runs = tmp_path / "out", tmp_path / "runs"
    trained = triof("train", "cleanliness", "--data", photos, "--out", out, "--runs", runs, "--epochs", 0, "--views", 1)
    assert trained.exit_code == 0, trained.output
    assert "Skipped" in trained.output
    card = json.loads((out / "bundle.json").read_text())
    assert card["trained_on"]["photos"] == {"train": 9, "val": 2}
    (record,) = runs.glob("*/run.json")
    assert json.loads(record.read_text())["card"]["version"] == card["version"]
    evaluated = triof("evaluate", "cleanliness", "--data", photos, "--bundle", out, "--json")
    assert evaluated.exit_code == 0, evaluated.output
    measured = json.loads(evaluated.stdout)["cleanliness"]
    assert (measured["model_version"], measured["photos"], measured["accuracy"]) == (card["version"], 2, 1.0)


def test_an_evaluation_is_a_table_of_the_shipped_bundle(photos: Path) -> None:
    shown = triof("evaluate", "cleanliness", "--data", photos)
    assert shown.exit_code == 0, shown.output
    for word in ("cleanliness", "macro-F1", "precision", "dirty"):
        assert word in shown.output


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["train", "cleanliness", "--data", "nowhere"], 1, "does not exist"),
        (["train", "shape", "--data", "."], 2, "waste_type"),
        (["evaluate", "--data", "nowhere"], 1, "does not exist"),
        (["evaluate", "--data", ".", "--bundle", "x"], 2, "belongs to one task"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], code: int, reason: str) -> None:
    ran = triof(*arguments)
    assert ran.exit_code == code
    assert reason in ran.output
    assert "Traceback" not in ran.output


def test_one_label_alone_cannot_be_trained(photos: Path) -> None:
    ran = triof("train", "waste_type", "--data", photos)
    assert ran.exit_code == 1
    assert "fewer than two labels" in ran.output


def test_the_shipped_bundles_keep_what_the_model_card_promises(dataset: Path) -> None:
    measured = json.loads(triof("evaluate", "--data", dataset, "--split", "test", "--json").stdout)
    assert measured["waste_type"]["accuracy"] >= 0.95
    assert measured["cleanliness"]["macro_f1"] >= 0.88


def test_a_skipped_path_that_looks_like_markup_is_printed(photos: Path) -> None:
    (photos / "[").mkdir()
    (photos / "[" / "x].png").write_text("<html>")
    with (photos / "manifest.csv").open("a") as manifest:
        manifest.write("\n[/x].png,cup,clean,13,drawn,test\n[/x].png,cup,clean,13,drawn,test")
    shown = triof("evaluate", "cleanliness", "--data", photos)
    assert shown.exit_code == 0, shown.output
    assert "[/x].png" in shown.output


def test_an_evaluation_asks_the_bundle_of_the_settings(photos: Path) -> None:
    ran = triof("--set", "local_cnn.cleanliness_bundle=/nowhere", "evaluate", "cleanliness", "--data", photos)
    assert ran.exit_code == 1
    assert "/nowhere" in ran.output
    shipped = SHIPPED_BUNDLES / "cleanliness"
    ran = triof(
        "--set",
        "local_cnn.cleanliness_bundle=/nowhere",
        "evaluate",
        "cleanliness",
        "--data",
        photos,
        "--bundle",
        shipped,
    )
    assert ran.exit_code == 0, ran.output
    assert triof("--set", "mode=no", "evaluate", "--data", photos).exit_code == 2
