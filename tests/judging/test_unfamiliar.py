"""A photo unlike anything that the model has learned is never accepted, and is the first to be looked at."""

import csv
import json
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from click.testing import CliRunner, Result

from providers.base import TASKS, ProviderMisconfigured, ProviderUnavailable
from providers.local_cnn import bundle
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.provider import LocalCnn
from tests.support import colour_models
from tests.support.colour_models import shown
from tests.support.machines import Machine
from tests.support.touchscreens import SCREENS, Screen
from triof.cli import main
from triof.curation import labelling
from triof.datasets import photo_dataset
from triof.judging import photo
from triof.settings.tree import Settings

pytestmark = pytest.mark.slow

NEW = shown("cup", "unfamiliar")


def triof(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def settings(tmp_path: Path, new_journal: Path) -> Settings:
    """Those of a machine with a model that knows what it has not learned."""
    return colour_models.settings_of(tmp_path, new_journal, knows_itself=True)


@pytest.fixture
def machine(settings: Settings, tmp_path: Path) -> Iterator[Machine]:
    """It sees in turn: something new, a clean cup, something new that is sure to be foreign."""
    with colour_models.machine_seeing(
        settings, tmp_path, NEW, shown("cup", "clean"), shown("other", "unfamiliar")
    ) as machine:
        yield machine


def test_the_model_tells_how_far_a_photo_is_from_what_it_knows(settings: Settings) -> None:
    for task in TASKS:
        asked = LocalCnn(task, settings.local_cnn)
        assert [
            asked.predict(photo.load(image), timeout=5).is_unfamiliar for image in (NEW, shown("cup", "clean"))
        ] == [True, False]


def test_the_touchscreen_asks_with_nothing_ticked_and_the_journal_keeps_why(machine: Machine) -> None:
    visitor = machine.visitor().press("/start").press("/waste/pick-type")
    told = unescape(visitor.page.text)
    assert "I've never seen this. What is it?" in told
    assert visitor.ticked is None
    # It can tell neither what that is nor whether it is clean.
    assert "Only if it's empty and clean" in told
    assert "99%" not in told
    visitor.press("/confirmation", waste_type="cup").wait_idle()
    (judged,) = machine.events("deposit.judged")
    assert (judged.reason, judged.detail["action"], judged.detail["label"]) == ("unfamiliar", "ask", None)
    assert judged.detail["unfamiliarity"] > 1
    assert machine.happened()[-1][0] == "shredded"


def test_it_fits_the_smallest_screen(machine: Machine, browser: Any, serve: Any) -> None:
    shown = Screen(browser, f"{serve(machine)}/?lang=fr", SCREENS["landscape"])
    shown.press("/start").at("insert").press("/waste/pick-type").at("pick_type").check()


def test_in_french_it_says_so_too(machine: Machine) -> None:
    visitor = machine.visitor().open("/?lang=fr").press("/start").press("/waste/pick-type")
    assert "jamais vu" in visitor.page.text


def test_what_is_familiar_is_accepted_and_what_is_foreign_is_handed_back_all_the_same(machine: Machine) -> None:
    visitor = machine.visitor()
    for expected in ("pick-type", "pick-type", "confirmation"):
        visitor.press("/start").press("/waste/pick-type")
        assert visitor.at.endswith(expected)
        visitor.press("/return" if expected == "pick-type" else "/done").press("/done")
    assert [event.reason for event in machine.events("deposit.judged")] == ["unfamiliar", "sure", "other"]


def test_every_door_tells_the_reason(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "new.png").write_bytes(NEW)
    both = [f"--set=local_cnn.{task}_bundle={tmp_path / 'both'}" for task in TASKS]
    told = json.loads(triof(*both, "classify", "--mode", "local", "--json", tmp_path / "new.png").stdout)
    assert told["verdict"] == {"action": "ask", "label": None, "reason": "unfamiliar"}
    assert "like nothing it has learned" in triof(*both, "classify", "--mode", "local", tmp_path / "new.png").output


def test_it_is_the_first_to_be_labelled(machine: Machine, settings: Settings, tmp_path: Path) -> None:
    visitor = machine.visitor()
    for _ in range(2):
        visitor.press("/start").press("/waste/pick-type").press("/return").press("/done")
    ran = triof(
        "dataset", "from-journal", "--out", tmp_path / "own", "--which", "unfamiliar", "--which", "random", "--share", 1
    )
    assert ran.exit_code == 0, ran.output
    assert "2 photos copied" in ran.output
    with (tmp_path / "own" / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["why"] for row in rows] == ["unfamiliar random", "random"]
    # However late it came, and also where the person said what it is.
    found = photo_dataset.read(tmp_path / "own")
    items = [*found.photos[::-1]]
    turned = photo_dataset.Dataset(found.source, tuple(items))
    asked = labelling.questions(turned, {}, ["waste_type"], "worst")
    assert [ask.item.notes["why"] for ask in asked] == ["unfamiliar random", "random"]


def test_a_card_without_the_number_is_as_before(tmp_path: Path) -> None:
    folder = colour_models.save_both(tmp_path / "both")
    assert "unfamiliar_from" not in json.loads((folder / bundle.CARD_FILE).read_text())
    asked = LocalCnn("waste_type", LocalCnnOptions(waste_type_bundle=folder))
    assert asked.predict(photo.load(NEW), timeout=5).unfamiliarity is None


def test_a_model_without_the_number_that_its_card_promises_is_refused(tmp_path: Path) -> None:
    folder = colour_models.save_both(tmp_path / "both", unfamiliar_from=1.0)
    with pytest.raises(ProviderMisconfigured, match=r"\(1, 1\)"):
        LocalCnn("waste_type", LocalCnnOptions(waste_type_bundle=folder))


def test_a_distance_that_is_no_number_is_no_answer(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = LocalCnn("waste_type", settings.local_cnn)
    tensor = Interpreter.get_tensor

    def spoilt(self: Interpreter, index: int) -> Any:
        found = tensor(self, index)
        return np.full_like(found, np.nan) if found.shape == (1, 1) else found

    monkeypatch.setattr(Interpreter, "get_tensor", spoilt)
    with pytest.raises(ProviderUnavailable, match="not finite"):
        asked.predict(photo.load(NEW), timeout=5)
