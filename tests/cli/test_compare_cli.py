"""`triof compare`: the providers that are set up, on the same photos."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from providers.local_cnn import bundle
from providers.local_cnn.isolated import Isolation
from providers.onnx.options import ENGINES
from testing.azure.custom_vision_server import CustomVisionServer
from tests.support.colour_models import save_both, shown
from triof.cli import main

pytestmark = pytest.mark.slow

LOCAL = "local_cnn,onnx/onnxruntime,onnx/opencv"


def triof(*arguments: object, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=answer)


def told(*arguments: object) -> dict[str, Any]:
    """What `triof compare --json` prints."""
    ran = triof("compare", "--json", *arguments)
    assert ran.exit_code == 0, ran.output
    return dict(json.loads(ran.stdout))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_journal: Path) -> Path:
    """Of a machine with the same colours in LiteRT and as ONNX."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(new_journal, home / "journal.db")
    lite, onnx = save_both(tmp_path / "lite"), save_both(tmp_path / "onnx", format="onnx")
    Isolation(home / "bundles").remember(bundle.load(lite).model)
    for engine in ENGINES.values():
        Isolation(home / "bundles" / "onnx", engine).remember(bundle.load(onnx).model)
    for provider, folder in (("LOCAL_CNN", lite), ("ONNX", onnx)):
        for task in ("WASTE_TYPE", "CLEANLINESS"):
            monkeypatch.setenv(f"TRIOF_{provider}__{task}_BUNDLE", str(folder))
    monkeypatch.chdir(tmp_path)
    return home


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six, of which one is wrongly labelled."""
    folder = tmp_path / "photos"
    for label, cleanliness in (("bottle", "clean"), ("bottle", "dirty"), ("cup", "clean"), ("cutlery", "clean")):
        path = folder / "test" / label / cleanliness / f"{label}-{cleanliness}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(shown(label, cleanliness))
    (folder / "test" / "other").mkdir()
    (folder / "test" / "other" / "bag.png").write_bytes(shown("other", "clean"))
    (folder / "test" / "cup" / "clean" / "wrong.png").write_bytes(shown("cutlery", "dirty"))
    return folder


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[CustomVisionServer]:
    """Takes everything for a cup."""
    with CustomVisionServer() as server:
        server.scores = {"gobelet": 0.9, "bouteille": 0.1, "couvert": 0.0, "Negative": 0.0}
        values = {
            "PREDICTION_ENDPOINT": server.endpoint,
            "PREDICTION_KEY": server.key,
            "PROJECT_ID": server.project_id,
            "PUBLISHED_NAME": server.published_name,
            "CALLS_PER_SECOND": "1000",
            "EUROS_PER_1000_CALLS": "2",
        }
        for name, value in values.items():
            monkeypatch.setenv(f"TRIOF_CUSTOM_VISION__{name}", value)
        yield server


def test_the_local_engines_are_compared_on_the_demo_pictures_without_anything_else(tmp_path: Path) -> None:
    ran = triof("compare", "--report", "page.html")
    assert ran.exit_code == 0, ran.output
    assert "20 photos that all have answered, of 20." in ran.stdout
    page = (tmp_path / "page.html").read_text()
    assert all(name in page for name in LOCAL.split(","))
    assert "les mêmes 20 photos" in page, "in the language of the settings"
    shown = dict(re.findall(r'<th scope="row">(.*?)</th><td>(.*?)(?:<small>.*?)?</td>', page))
    assert shown["marche hors ligne"] == "oui"
    assert shown["plus grand écart d’une probabilité"] == "0,0000"
    assert shown["les photos vont"] == "nulle part\xa0: elles restent ici"
    assert "http" not in page.replace("http://www.w3.org", ""), "it loads nothing"
    result = told("--no-report")
    assert [engine["name"] for engine in result["engines"]] == LOCAL.split(",")
    for engine in result["engines"]:
        assert (engine["same_label"], engine["needs_network"], engine["euros_per_1000"]) == (1.0, False, 0.0)
        assert engine["largest_difference"] < 1e-4
        assert 0 < engine["median_ms"] <= engine["p95_ms"]
        assert set(engine["evaluations"]) == {"waste_type", "cleanliness"}
    assert result["disagreements"] == []


def test_accuracy_and_verdicts_are_those_of_the_labels(photos: Path) -> None:
    (engine,) = told("--data", photos, "--providers", "local_cnn", "--no-report")["engines"]
    assert engine["evaluations"]["waste_type"]["accuracy"] == pytest.approx(5 / 6)
    assert engine["machine"]["of all accepted, wrong"]["value"] == 0
    assert engine["machine"]["accepted"]["value"] == pytest.approx(3 / 6)
    assert engine["cleanliness_by"] == "local_cnn"


def test_calls_are_counted_and_agreed_to_before_they_are_made_and_paid_once(
    cloud: CustomVisionServer, photos: Path
) -> None:
    arguments = ("compare", "--data", photos, "--providers", "local_cnn,custom_vision")
    declined = triof(*arguments, answer="n\n")
    assert declined.exit_code == 1
    assert "6 calls, 0.01 €" in declined.output
    assert cloud.calls == 0
    assert triof(*arguments, "--no-report", answer="y\n").exit_code == 0
    assert cloud.calls == 6
    result = told(*arguments[1:], "--no-report")
    assert cloud.calls == 6, "the answers are kept"
    ours, theirs = result["engines"]
    assert theirs["needs_network"]
    assert theirs["place"] in cloud.endpoint
    assert theirs["euros_per_1000"] == 2
    assert theirs["cleanliness_by"] == "local_cnn", "the cloud does not tell it"
    assert theirs["same_label"] == pytest.approx(1 / 6)
    assert len(result["disagreements"]) == 5
    assert ours["model_versions"] == ["both-1"]


def test_an_interrupted_comparison_goes_on_where_it_stopped(cloud: CustomVisionServer, photos: Path) -> None:
    cloud.quota = 4
    arguments = ("--data", photos, "--providers", "local_cnn,custom_vision", "--yes", "--no-report")
    first = told(*arguments)
    assert (first["photos"], first["asked"]) == (4, 6)
    assert "the same command goes on with the rest" in first["engines"][1]["notes"][0]
    cloud.quota = None
    assert triof("quota", "--resume").exit_code == 0
    assert told(*arguments)["photos"] == 6
    assert cloud.calls == 6


def test_a_limit_spreads_over_all_photos(photos: Path) -> None:
    (engine,) = told("--data", photos, "--providers", "local_cnn", "--limit", 3, "--no-report")["engines"]
    labels = engine["evaluations"]["waste_type"]["labels"]
    assert sum(label["support"] for label in labels.values()) == 3
    assert sum(label["support"] > 0 for label in labels.values()) >= 2


def test_a_new_model_is_asked_again(cloud: CustomVisionServer, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--data", photos, "--providers", "custom_vision", "--yes", "--no-report")
    told(*arguments)
    cloud.published_name = "triof-2"
    monkeypatch.setenv("TRIOF_CUSTOM_VISION__PUBLISHED_NAME", "triof-2")
    told(*arguments)
    assert cloud.calls == 12


def test_disagreements_are_shown_as_pictures_or_without_them(
    cloud: CustomVisionServer, photos: Path, tmp_path: Path
) -> None:
    arguments = (
        "compare",
        "--data",
        photos,
        "--providers",
        "local_cnn,custom_vision",
        "--yes",
        "--report",
        "page.html",
    )
    assert triof(*arguments).exit_code == 0
    page = (tmp_path / "page.html").read_text()
    assert page.count("<img") == 5
    assert "gobelet\xa0: custom_vision 90\xa0%" in page
    assert triof(*arguments, "--without-pictures").exit_code == 0
    page = (tmp_path / "page.html").read_text()
    assert "<img" not in page
    assert "data:image" not in page
    assert "Les photos ne sont pas jointes à cette page." in page


def test_a_cloud_that_refuses_the_key_is_left_out_and_the_others_are_compared(
    cloud: CustomVisionServer, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIOF_CUSTOM_VISION__PREDICTION_KEY", "wrong")
    result = told("--data", photos, "--yes", "--no-report")
    assert [engine["name"] for engine in result["engines"]] == LOCAL.split(",")
    assert result["left_out"][0].startswith("custom_vision is left out.")


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("nobody", 2, "use custom_vision, local_cnn, onnx"),
        ("local_cnn/opencv", 2, "'local_cnn/opencv' is no provider to compare"),
        ("fake", 2, "'fake' is no provider to compare"),
        ("custom_vision", 1, "custom_vision is not set up: set TRIOF_CUSTOM_VISION__PREDICTION_ENDPOINT"),
    ],
)
def test_a_provider_that_cannot_be_compared_is_refused_with_the_remedy(name: str, code: int, words: str) -> None:
    ran = triof("compare", "--providers", name)
    assert ran.exit_code == code, ran.output
    assert words in ran.output.replace("\n", " ")
