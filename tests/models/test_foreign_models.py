"""Models that end the program which runs them: refused in words, wherever they are loaded first."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import psutil
import pytest
from ai_edge_litert import schema_py_generated as tflite
from click.testing import CliRunner

from providers.base import ProviderMisconfigured
from providers.local_cnn import bundle
from providers.local_cnn.bundle import BundleCard, Input
from providers.local_cnn.engine import LITERT
from providers.local_cnn.isolated import IsolatedInterpreter
from testing.azure.azure_export import SIDE, azure_export_zip, litert_model, manifest
from tests.support.candidates import activate
from tests.support.paths import SHARED
from triof.cli import main
from triof.common.paths import DEMO_PICTURES

pytestmark = pytest.mark.slow

CASE = SHARED / "cases" / "export_custom_TFLite_Detection_PostProcess.zip"
TAGS = ("Bouteille", "Couvert", "Gobelet", "Negative")
DIED = "it ends the process that runs it (SIGSEGV)"

Model = Any
Change = Callable[[Model], None]


def changed(change: Change) -> bytes:
    """The test network with another part."""
    model = tflite.ModelT.InitFromPackedBuf(litert_model(TAGS, logits=True), 0)
    change(model)
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operation(code: int, name: str = "", at: int = 0) -> Change:
    """Another operation in the place of one."""

    def change(model: Model) -> None:
        found = model.operatorCodes[at]
        found.builtinCode, found.deprecatedBuiltinCode, found.customCode = code, min(code, 127), name.encode() or None
        model.subgraphs[0].operators[at].builtinOptions = None
        model.subgraphs[0].operators[at].builtinOptionsType = 0

    return change


def custom(name: str, at: int = 0) -> Change:
    return operation(tflite.BuiltinOperator.CUSTOM, name, at)


def inputs(tensors: list[int], at: int = 0) -> Change:
    def change(model: Model) -> None:
        model.subgraphs[0].operators[at].inputs = tensors

    return change


def shape(lengths: list[int], at: int = 0) -> Change:
    def change(model: Model) -> None:
        model.subgraphs[0].tensors[at].shape = lengths

    return change


DEADLY = {name: custom(name) for name in ("TFLite_Detection_PostProcess", "Mfcc", "AudioSpectrogram", "NumericVerify")}
UNFIT = {
    "unknown custom operation": custom("Nothing"),
    "matrices of one": operation(tflite.BuiltinOperator.BATCH_MATMUL),
    "no cells": operation(tflite.BuiltinOperator.LSTM),
    "missing input": inputs([-1]),
    "input that is not there": inputs([999]),
    "constant that is not there": inputs([2], 2),
    "number overflows": shape([1, 2**31 - 1, 2**31 - 1, 3]),
    "more memory than there is": shape([1, 200_000, 200_000, 3], 1),
}


@pytest.mark.parametrize("change", UNFIT.values(), ids=list(UNFIT))
def test_a_model_that_cannot_be_run_costs_a_process_of_its_own_at_most(change: Change) -> None:
    with pytest.raises((ProviderMisconfigured, ValueError, RuntimeError)):
        IsolatedInterpreter(Path("x.zip"), changed(change)).invoke()


def test_one_that_can_be_run_answers_as_in_this_process() -> None:
    model = litert_model(TAGS)
    here, isolated = LITERT.interpreter(model), IsolatedInterpreter(Path("x.zip"), model)
    try:
        for photo in np.random.default_rng(7).uniform(0, 255, (2, 1, SIDE, SIDE, 3)).astype(np.float32):
            answers: list[Any] = []
            for interpreter in (here, isolated):
                interpreter.tensor(interpreter.get_input_details()[0]["index"])()[:] = photo
                interpreter.invoke()
                answers.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).copy())
            assert np.array_equal(*answers)
    finally:
        isolated.close()


def test_one_that_never_answers_is_given_up() -> None:
    isolated = IsolatedInterpreter(Path("x.zip"), litert_model(TAGS), answer_seconds=0.2)
    (child,) = psutil.Process().children()
    child.suspend()
    with pytest.raises(ProviderMisconfigured, match=r"does not answer within 0\.2 s"):
        isolated.invoke()
    isolated.close()
    assert not child.is_running()


# ---- wherever a model is loaded first ----


@pytest.fixture
def home(tmp_path: Path, new_journal: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(new_journal, home / "journal.db")
    return home


def own_bundle(folder: Path, model: bytes, version: str = "mine-1") -> Path:
    """A bundle as `triof train` makes it, with another model."""
    card = BundleCard(
        task="waste_type",
        version=version,
        labels=("bottle", "cutlery", "cup", "other"),
        input=Input(width=SIDE, height=SIDE, channels="bgr", range=(0, 255)),
        sha256=hashlib.sha256(model).hexdigest(),
    )
    bundle.save(folder, card, model)
    return folder


def triof(*arguments: object, code: int = 1) -> str:
    ran = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert ran.exit_code == code, ran.output
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran.output


def test_the_export_that_once_ended_everything_is_refused_in_words(home: Path) -> None:
    if not CASE.exists():
        pytest.skip(f"no {CASE}")
    told = triof("bundles", "install", CASE)
    assert DIED in told
    assert "General (compact)" in told
    assert not list(home.rglob("*.tflite"))


@pytest.mark.parametrize("name", DEADLY)
def test_an_export_or_a_bundle_with_such_an_operation_is_not_installed(home: Path, tmp_path: Path, name: str) -> None:
    model = changed(DEADLY[name])
    changes = {"model.tflite": model, "cvexport.manifest": json.dumps(manifest(model)).encode()}
    (tmp_path / "export.zip").write_bytes(azure_export_zip(TAGS, changes=changes))
    for source in (tmp_path / "export.zip", own_bundle(tmp_path / "bundle", model)):
        assert DIED in triof("bundles", "install", source)
    assert not list((home / "bundles").glob("*/*"))


def test_a_bundle_whose_8_bit_network_has_such_an_operation_is_not_installed(home: Path, tmp_path: Path) -> None:
    whole = bundle.load(own_bundle(tmp_path / "bundle", litert_model(TAGS, logits=True)))
    bundle.save(whole.folder, whole.card, whole.model, changed(DEADLY["Mfcc"]))
    told = triof("bundles", "install", whole.folder)
    assert "model-8bit.tflite is refused" in told
    assert DIED in told
    assert not list((home / "bundles").glob("*/*"))


def test_one_that_was_put_there_by_hand_is_tried_before_anything_runs_it(home: Path, tmp_path: Path) -> None:
    model = changed(DEADLY["Mfcc"])
    installed = own_bundle(home / "bundles" / "waste_type" / "mine-1", model)
    chosen = ("--set", f"local_cnn.waste_type_bundle={installed}")
    for command in (
        ("bundles", "activate", "mine-1"),
        ("models", "shadow", "mine-1"),
        ("models", "canary", "mine-1"),
        (*chosen, "classify", "--mode", "local", DEMO_PICTURES / "bottle-clean-1.jpg"),
        (*chosen, "doctor"),
    ):
        assert "SIGSEGV" in triof(*command), command
    activate(home, "mine-1")
    assert "SIGSEGV" in triof("doctor", code=0), "the machine answers with the shipped one"


def test_what_was_tried_once_runs_without_another_process(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    triof("bundles", "install", own_bundle(tmp_path / "bundle", litert_model(TAGS, logits=True)), code=0)
    # No other interpreter of Python can be started from here on.
    monkeypatch.setattr("sys.executable", str(tmp_path / "nowhere"))
    triof("bundles", "activate", "mine-1", code=0)
    picture = DEMO_PICTURES / "bottle-clean-1.jpg"
    triof("classify", "--mode", "local", picture, code=0)
    triof("--set", f"local_cnn.waste_type_bundle={tmp_path / 'bundle'}", "classify", picture, code=0)
    other = own_bundle(tmp_path / "other", litert_model(TAGS[::-1], logits=True), "mine-2")
    assert "no process can be started" in triof("bundles", "install", other)
