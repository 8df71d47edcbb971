"""``triof train`` and ``triof evaluate``, through the front door."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from providers.local_cnn import bundle
from providers.local_cnn.options import shipped
from providers.local_cnn.training import rehearsal
from tests.support.paths import ROOT
from tests.support.training_sets import drawn
from triof.cli import main


def numbers(*others: str) -> list[str]:
    return [f"--recipe={other}" for other in others]


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
    drawn(1).save(tmp_path / "attic.png")
    lines.append("attic.png,cup,dirty,attic,attic,train")
    (tmp_path / "page.png").write_text("<html>")
    lines.append("page.png,cup,clean,12,drawn,train")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.train
def test_a_trained_bundle_can_be_evaluated(photos: Path, tmp_path: Path) -> None:
    out, runs = tmp_path / "out", tmp_path / "runs"
    (photos / "notes.md").write_text("Drawn discs and squares.")
    calibration = {"cleanliness": {"temperature": 2.0, "thresholds": {"clean": 0.9}}}
    (photos / "calibration.json").write_text(json.dumps(calibration))
    left_out = ("--leave-out", "attic", "--calibration", photos / "calibration.json")
    cheap = ("plain=0.5", "train_side=64", "input_side=64", "fewest_batches=1", "frozen_blocks=11", "batch=8")
    small = ("--epochs", 1, *numbers(*cheap))
    told = ("--notes", photos / "notes.md", *left_out)
    trained = triof("train", "cleanliness", "--data", photos, "--out", out, "--runs", runs, *told, *small)
    assert trained.exit_code == 0, trained.output
    assert "Skipped" in trained.output
    card = json.loads((out / "bundle.json").read_text())
    assert card["trained_on"]["photos"] == {"train": 8, "val": 2}
    assert (card["trained_on"]["sources"], card["trained_on"]["left_out"]) == (["drawn"], ["attic"])
    assert (card["temperature"], card["thresholds"]) == (2.0, {"clean": 0.9})
    (record,) = runs.glob("*/run.json")
    assert json.loads(record.read_text())["card"]["version"] == card["version"]
    assert not list(runs.glob("unfinished-*"))
    page = (out / "model-card.md").read_text()
    for part in (card["version"], "Drawn discs and squares.", "8 in `train`", card["trained_on"]["data_sha256"]):
        assert part in page
    evaluated = triof("evaluate", "cleanliness", "--data", photos, "--bundle", out, "--json")
    assert evaluated.exit_code == 0, evaluated.output
    measured = json.loads(evaluated.stdout)["cleanliness"]
    assert (measured["model_version"], measured["photos"], measured["accuracy"]) == (card["version"], 2, 1.0)
    recorded = triof("evaluate", "cleanliness", "--data", photos, "--bundle", out, "--record", "--no-report")
    assert recorded.exit_code == 0, recorded.output
    kept = json.loads((out / "bundle.json").read_text())
    assert kept["metrics"]["test"]["figures"] == measured["figures"]
    assert kept["metrics"]["training"] == card["metrics"]["training"]
    assert "| accuracy | 1.000 | 1.000 to 1.000 |" in (out / "model-card.md").read_text()
    goes_on = ("--data", photos, "--runs", runs, "--start", out, "--epochs", 1, "--out", tmp_path / "next")
    resumed = triof("train", "cleanliness", *goes_on, *numbers("fewest_batches=1", "batch=8"))
    assert resumed.exit_code == 0, resumed.output
    fresh = json.loads((tmp_path / "next" / "bundle.json").read_text())
    assert fresh["trained_on"]["start"] == card["version"]
    assert fresh["input"] == card["input"]
    assert fresh["trained_on"]["frozen_blocks"] == rehearsal.BLOCKS
    kept = rehearsal.load(bundle.load(tmp_path / "next"))
    assert kept
    assert (len(kept.learned), len(kept.judged)) == (2 * 8 + 1, 2 * 2), "those that it had, and those it learned now"
    assert (
        "No better on your photos. On your photos: cleanliness as before, 2 of 2 right instead of 2" in resumed.output
    )
    assert "Elsewhere: cleanliness as before, 2 of 2 right instead of 2" in resumed.output
    assert fresh["metrics"]["learned_more"]["result"] == "no_better"
    again = triof("evaluate", "cleanliness", "--data", photos, "--bundle", tmp_path / "next", "--json", "--no-report")
    assert json.loads(again.stdout)["cleanliness"]["accuracy"] == 1.0


def test_a_training_may_go_on_from_the_shipped_bundle(photos: Path) -> None:
    ran = triof("train", "cleanliness", "--data", photos, "--start", "shipped", "--leave-out", "cellar")
    assert ran.exit_code == 1
    assert "has no source 'cellar'" in ran.output, "what ships could be read"
    (photos / "shipped").mkdir()
    ran = triof("train", "cleanliness", "--data", photos, "--start", "./shipped", "--leave-out", "cellar")
    assert "shipped cannot be used: bundle.json cannot be read" in ran.output


def test_an_evaluation_is_a_table_of_the_shipped_bundle(photos: Path) -> None:
    shown = triof("evaluate", "cleanliness", "--data", photos)
    assert shown.exit_code == 0, shown.output
    for word in ("cleanliness", "macro F1", "95 % interval", "precision", "dirty"):
        assert word in shown.output


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["train", "cleanliness", "--data", "nowhere"], 1, "does not exist"),
        (["train", "shape", "--data", "."], 2, "waste_type"),
        (["train", "cleanliness", "--data", ".", "--recipe", "speed=9"], 2, "speed"),
        (["train", "cleanliness", "--data", ".", "--recipe", "held"], 2, "NAME=VALUE"),
        (["train", "cleanliness", "--data", ".", "--calibration", "full/page.png"], 2, "--calibration"),
        (["train", "cleanliness", "--data", ".", "--recipe", "epochs=3"], 2, "--epochs"),
        (["train", "cleanliness", "--data", ".", "--out", "full"], 2, "something else than a bundle"),
        (["train", "cleanliness", "--data", ".", "--runs", "full/page.png"], 1, "cannot be written"),
        (["train", "cleanliness", "--data", ".", "--notes", "full/page.png"], 2, "UTF-8"),
        (["train", "cleanliness", "--data", ".", "--start", "full"], 1, "bundle.json"),
        (["evaluate", "--data", "nowhere"], 1, "does not exist"),
        (["evaluate", "--data", ".", "--bundle", "x"], 1, "The bundle x cannot be used"),
        (["evaluate", "cleanliness", "--data", ".", "--record"], 2, "--bundle"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], code: int, reason: str) -> None:
    Path("full").mkdir()
    Path("full/page.png").write_bytes(b"\xe9\xff no text")
    ran = triof(*arguments)
    assert ran.exit_code == code, ran.output
    assert reason in ran.output
    assert "Traceback" not in ran.output


def test_a_source_that_is_not_there_cannot_be_left_out(photos: Path) -> None:
    ran = triof("train", "cleanliness", "--data", photos, "--leave-out", "cellar")
    assert ran.exit_code == 1
    assert "has no source 'cellar' to leave out: it has attic, drawn." in ran.output


def test_one_label_alone_cannot_be_trained(photos: Path) -> None:
    ran = triof("train", "waste_type", "--data", photos)
    assert ran.exit_code == 1
    assert "fewer than two labels" in ran.output


@pytest.mark.slow
def test_the_shipped_bundle_is_good_enough(dataset: Path) -> None:
    photos = ("--data", dataset / "all.csv", "--corrections", ROOT / "config" / "corrections.csv")
    measured = json.loads(triof("evaluate", *photos, "--by", "source", "--json", "--no-report").stdout)
    everything = {name: figure["value"] for name, figure in measured["by_source"][-1]["figures"].items()}
    assert measured["cleanliness"]["macro_f1"] >= 0.88
    assert everything["type over plastic"] >= 0.95
    assert everything["plastic refused"] <= 0.03
    assert everything["foreign not accepted"] >= 0.98
    assert everything["of all accepted, wrong"] <= 0.03


@pytest.mark.slow
def test_a_skipped_path_that_looks_like_markup_is_printed(photos: Path) -> None:
    (photos / "[").mkdir()
    (photos / "[" / "x].png").write_text("<html>")
    with (photos / "manifest.csv").open("a") as manifest:
        manifest.write("\n[/x].png,cup,clean,13,drawn,test\n[/x].png,cup,clean,13,drawn,test")
    shown = triof("evaluate", "cleanliness", "--data", photos)
    assert shown.exit_code == 0, shown.output
    assert "[/x].png" in shown.output


@pytest.mark.slow
def test_an_evaluation_asks_the_bundle_of_the_settings(photos: Path) -> None:
    ran = triof("--set", "local_cnn.cleanliness_bundle=/nowhere", "evaluate", "cleanliness", "--data", photos)
    assert ran.exit_code == 1
    assert "/nowhere" in ran.output
    there = shipped("cleanliness")
    ran = triof(
        "--set",
        "local_cnn.cleanliness_bundle=/nowhere",
        "evaluate",
        "cleanliness",
        "--data",
        photos,
        "--bundle",
        there,
    )
    assert ran.exit_code == 0, ran.output
    assert triof("--set", "mode=no", "evaluate", "--data", photos).exit_code == 2
