"""ONNX bundles answer as those of LiteRT do, and are installed, checked and rolled back in the same way."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from providers.base import LABELS, TASKS, ProviderMisconfigured
from providers.local_cnn import bundle
from providers.local_cnn.options import LocalCnnOptions, shipped
from providers.local_cnn.provider import BundleProvider, LocalCnn
from providers.onnx.options import ENGINES, OnnxOptions
from providers.onnx.provider import Onnx
from testing.azure.azure_export import expected_scores
from testing.azure.onnx_export import onnx_export_zip
from tests.support.colour_models import save_both, shown
from triof.cli import main
from triof.common.paths import DEMO_PICTURES
from triof.judging import photo

pytestmark = pytest.mark.slow

TAGS = ("Bouteille", "Couvert", "Gobelet", "Negative")
MEANING = {"Bouteille": "bottle", "Couvert": "cutlery", "Gobelet": "cup", "Negative": "other"}
AZURE = "azure-waste_type-35921ec4"
PICTURES = [DEMO_PICTURES / name for name in ("bottle-clean-1.jpg", "cup-clean-1.jpg", "other-can-1.jpg")]

engines = pytest.mark.parametrize("runtime", ENGINES)


@pytest.fixture
def home(tmp_path: Path, new_journal: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(new_journal, home / "journal.db")
    return home


def triof(*arguments: object, code: int = 0) -> str:
    ran = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert ran.exit_code == code, ran.output
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran.output


def both(tmp_path: Path, runtime: str, task: str) -> Sequence[BundleProvider]:
    """The same network in either format."""
    lite = save_both(tmp_path / "lite", knows_itself=True, sees_nothing=True)
    onnx = save_both(tmp_path / "onnx", knows_itself=True, sees_nothing=True, format="onnx")
    name = f"{task}_bundle"
    return (
        LocalCnn(task, LocalCnnOptions.model_validate({name: lite})),  # type: ignore[arg-type]
        Onnx(task, OnnxOptions.model_validate({name: onnx, "runtime": runtime})),  # type: ignore[arg-type]
    )


@engines
@pytest.mark.parametrize("task", TASKS)
def test_the_same_network_answers_the_same_with_all_that_belongs_to_an_answer(
    runtime: str, task: str, tmp_path: Path
) -> None:
    lite, onnx = both(tmp_path, runtime, task)
    for label in (*LABELS["waste_type"], "empty"):
        for cleanliness in ("clean", "dirty", "unfamiliar"):
            seen = photo.load(shown(label, cleanliness))
            one, other = lite.predict(seen, timeout=5), onnx.predict(seen, timeout=5)
            assert other.label == one.label
            assert dict(other.scores) == pytest.approx(dict(one.scores), abs=1e-5)
            assert other.embedding == pytest.approx(one.embedding, abs=1e-5)
            assert other.unfamiliarity == pytest.approx(one.unfamiliarity, abs=1e-4)
            assert other.nothing == pytest.approx(one.nothing, abs=1e-5)
            assert other.thresholds == one.thresholds
    assert (onnx.name, lite.name) == ("onnx", "local_cnn")


def test_a_bundle_of_the_other_format_is_refused(tmp_path: Path) -> None:
    lite, onnx = save_both(tmp_path / "lite"), save_both(tmp_path / "onnx", format="onnx")
    with pytest.raises(ProviderMisconfigured, match=r"its network is model\.tflite, which onnx does not run"):
        Onnx("waste_type", OnnxOptions(waste_type_bundle=lite))
    with pytest.raises(ProviderMisconfigured, match=r"its network is model\.onnx, which local_cnn does not run"):
        LocalCnn("waste_type", LocalCnnOptions(waste_type_bundle=onnx))


def test_without_a_bundle_the_error_says_how_to_get_one(home: Path) -> None:
    told = triof("--set", "routes.waste_type=onnx", "classify", PICTURES[0], code=1)
    assert "No bundle with a network in the format onnx is in service for waste_type" in told
    assert "docs/guide/engines.md" in told


@engines
def test_a_bundle_is_installed_put_into_service_rolled_back_and_removed(
    runtime: str, home: Path, tmp_path: Path
) -> None:
    mine = ("--set", f"onnx.runtime={runtime}")
    for version in ("both-1", "both-2"):
        save_both(tmp_path / version, version, format="onnx")
        told = triof(*mine, "bundles", "install", tmp_path / version, "--activate")
        assert f"waste_type: {version} answers now, before it" in told
    assert "To go back: triof bundles rollback waste_type --provider onnx" in told
    listed = triof("bundles", "list")
    assert "waste_type, onnx\n  - both-1" in listed
    assert "  * both-2" in listed
    routed = (*mine, "--set", "routes.waste_type=onnx")
    assert "(onnx)" in triof(*routed, "classify", PICTURES[0])
    assert "onnx both-2" in triof(*routed, "doctor")
    triof("bundles", "rollback", "waste_type", "--provider", "onnx")
    assert "onnx both-1" in triof(*routed, "doctor")
    assert "both-2 is removed" in triof("bundles", "remove", "waste_type/both-2")
    assert "shipped" in triof("bundles", "list"), "the bundles of LiteRT are left alone"


@engines
@pytest.mark.parametrize("table", [True, False])
def test_an_export_of_azure_answers_as_the_cloud_does(runtime: str, table: bool, home: Path, tmp_path: Path) -> None:
    (tmp_path / "export.zip").write_bytes(onnx_export_zip(TAGS, table=table))
    told = triof("--set", f"onnx.runtime={runtime}", "bundles", "install", tmp_path / "export.zip", "--activate")
    assert "it reads BGR from 0 to 255, 224 x 224 pixels" in told
    assert "Negative = other, " in told or "Bouteille = bottle" in told
    folder = home / "bundles" / "onnx" / "waste_type" / AZURE
    onnx = Onnx("waste_type", OnnxOptions.model_validate({"waste_type_bundle": folder, "runtime": runtime}))
    for path in PICTURES:
        expected = {MEANING[tag]: score for tag, score in expected_scores(path.read_bytes(), TAGS).items()}
        said = onnx.predict(photo.load(path.read_bytes()), timeout=5)
        assert dict(said.scores) == pytest.approx(expected, abs=0.01)
    assert "installed already" in triof("bundles", "install", tmp_path / "export.zip")


def test_metadata_that_lie_are_found_out(home: Path, tmp_path: Path) -> None:
    (tmp_path / "export.zip").write_bytes(onnx_export_zip(TAGS, lying=True))
    told = triof("bundles", "install", tmp_path / "export.zip")
    assert "The metadata of the export are wrong" in told
    assert "It wants" in told


@engines
def test_a_file_that_is_no_network_is_refused(runtime: str, home: Path, tmp_path: Path) -> None:
    good = bundle.load(save_both(tmp_path / "both", format="onnx"))
    broken = b"\x08\x08" + good.model[40:]
    card = good.card.model_copy(update={"sha256": hashlib.sha256(broken).hexdigest()})
    bundle.save(tmp_path / "both", card, broken)
    told = triof("--set", f"onnx.runtime={runtime}", "bundles", "install", tmp_path / "both", code=1)
    assert "cannot read its model" in told


@pytest.mark.train
@engines
def test_our_own_network_converted_answers_as_it_did(runtime: str, home: Path, tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx")
    told = triof("bundles", "convert", "shipped", "--out", tmp_path / "converted")
    assert "triof bundles install" in told
    triof("--set", f"onnx.runtime={runtime}", "bundles", "install", tmp_path / "converted", "--activate")
    for task in TASKS:
        lite = LocalCnn(task, LocalCnnOptions.model_validate({f"{task}_bundle": shipped(task)}))
        onnx = Onnx(task, OnnxOptions.model_validate({f"{task}_bundle": tmp_path / "converted", "runtime": runtime}))
        for path in PICTURES:
            seen = photo.load(path.read_bytes())
            one, other = lite.predict(seen, timeout=5), onnx.predict(seen, timeout=5)
            assert dict(other.scores) == pytest.approx(dict(one.scores), abs=1e-3)
            assert other.unfamiliarity == pytest.approx(one.unfamiliarity, abs=1e-3)


def test_what_cannot_be_converted_is_said(home: Path, tmp_path: Path) -> None:
    folder = save_both(tmp_path / "both", format="onnx")
    assert "its network is model.onnx already" in triof("bundles", "convert", folder, "--out", tmp_path / "x", code=1)
