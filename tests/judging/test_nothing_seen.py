"""An empty slot is said to be empty: there is nothing that belongs into another bin."""

import json
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from providers.base import LABELS, TASKS, ProviderMisconfigured
from providers.local_cnn import bundle
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.provider import LocalCnn
from tests.support import colour_models
from tests.support.colour_models import shown
from tests.support.machines import Machine
from tests.support.touchscreens import SCREENS, Screen
from triof.cli import main
from triof.judging import photo
from triof.settings.tree import Settings

pytestmark = pytest.mark.slow

NOTHING = shown("empty", "clean")


@pytest.fixture
def settings(tmp_path: Path, new_journal: Path) -> Settings:
    """Those of a machine with a model that knows an empty slot."""
    return colour_models.settings_of(tmp_path, new_journal, sees_nothing=True)


@pytest.fixture
def machine(settings: Settings, tmp_path: Path) -> Iterator[Machine]:
    """It sees in turn: nothing, a clean cup, something foreign."""
    with colour_models.machine_seeing(
        settings, tmp_path, NOTHING, shown("cup", "clean"), shown("other", "clean")
    ) as machine:
        yield machine


def test_the_person_tries_again_and_goes_on(machine: Machine) -> None:
    visitor = machine.visitor().press("/start").press("/waste/pick-type")
    told = unescape(visitor.page.text)
    assert visitor.shown == "returned"
    for words in ("I see nothing", "The slot looks empty to me.", "Put your item in and try again, or cancel."):
        assert words in told
    assert "bin" not in told
    assert "I've taken it" not in told
    assert machine.hardware.slot_is_open()
    visitor.press("/start").press("/waste/pick-type")
    assert (visitor.shown, visitor.ticked) == ("pick_type", "cup")
    (first, _) = machine.events("deposit.judged")
    assert (first.waste_type, first.reason, first.detail["action"]) == ("other", "nothing_seen", "refuse")
    assert [event.reason for event in machine.events("deposit.returned")] == ["nothing_seen"]


def test_the_person_cancels(machine: Machine) -> None:
    visitor = machine.visitor().press("/start").press("/waste/pick-type").press("/done")
    assert visitor.shown == "attract"
    assert not machine.hardware.slot_is_open()


def test_it_fits_the_smallest_screen(machine: Machine, browser: Any, serve: Any) -> None:
    shown = Screen(browser, f"{serve(machine)}/?lang=fr", SCREENS["landscape"])
    shown.press("/start").at("insert").press("/waste/pick-type").at("returned").check()


def test_it_is_said_in_french(machine: Machine) -> None:
    visitor = machine.visitor().open("/?lang=fr").press("/start").press("/waste/pick-type")
    assert "Je ne vois rien" in visitor.page.text


def test_what_is_foreign_still_belongs_into_another_bin(machine: Machine) -> None:
    visitor = machine.visitor()
    for _ in range(2):
        visitor.press("/start").press("/waste/pick-type")
        visitor.press("/done" if visitor.shown == "returned" else "/return").press("/done")
    visitor.press("/start").press("/waste/pick-type")
    assert "Please put it in the right bin." in visitor.page.text


def test_the_share_of_nothing_counts_to_other(settings: Settings) -> None:
    seen = LocalCnn("waste_type", settings.local_cnn).predict(photo.load(NOTHING), timeout=5)
    assert tuple(seen.scores) == LABELS["waste_type"]
    assert (seen.label, seen.nothing) == ("other", pytest.approx(seen.probability, abs=0.01))
    foreign = LocalCnn("waste_type", settings.local_cnn).predict(photo.load(shown("other", "clean")), timeout=5)
    assert (foreign.label, foreign.nothing) == ("other", pytest.approx(0, abs=0.01))


def test_classify_says_so(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "nothing.png").write_bytes(NOTHING)
    both = [f"--set=local_cnn.{task}_bundle={tmp_path / 'both'}" for task in TASKS]
    ran = CliRunner().invoke(main, [*both, "classify", "--mode", "local", "--json", str(tmp_path / "nothing.png")])
    assert json.loads(ran.stdout)["verdict"] == {"action": "refuse", "label": None, "reason": "nothing_seen"}


@pytest.mark.parametrize(
    "changes",
    [
        {"thresholds": {"empty": 0.5}},
        {"also": [{"task": "cleanliness", "labels": ["clean", "empty"]}]},
        {"labels": ["cup", "empty"], "thresholds": {}, "embedding": 3},
    ],
)
def test_empty_is_no_label_of_its_own(tmp_path: Path, changes: dict[str, object]) -> None:
    folder = colour_models.save_both(tmp_path / "both", sees_nothing=True)
    path = folder / bundle.CARD_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(ProviderMisconfigured, match=r"unknown labels empty|at least two of"):
        LocalCnn("waste_type", LocalCnnOptions(waste_type_bundle=folder))
