"""``triof azure rehearse``: what is found of the strict service, and what it learns from a recording."""

import json
from pathlib import Path
from typing import Any

import pytest

from testing.azure.recording import behave_as
from testing.azure.training_server import TrainingServer
from tests.support.azure_desk import Desk

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(desk: Desk) -> Path:
    return desk.photos({"bottle": 5, "cup": 6})


def recording_of(desk: Desk, photos: Path, *options: str) -> dict[str, Any]:
    out = desk.folder / "recording.json"
    desk.well("rehearse", str(photos), "--out", str(out), "--yes", *options)
    kept: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return kept


def test_ten_photos_tell_what_the_service_does(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    azure.filters = "prefixed"
    azure.prediction_rate_per_second, azure.clock = 2, desk.timing.clock
    kept = recording_of(desk, photos, "--portal-calls", "13")
    facts = kept["facts"]
    assert facts["filters"]["metadata=triof_batch eq '{}'"] == {"found": 5, "expected": 5}
    assert facts["filters"]["triof_batch eq '{}'"]["found"] != 5
    assert facts["duplicate"] == "OKDuplicate"
    assert len(facts["answers"]) == 10
    assert all(set(answer) == {"bottle", "cup"} for answer in facts["answers"])
    assert facts["rate"]["refused"] == 1
    assert (facts["rate"]["retry_after"], facts["rate"]["retry_after_holds"]) == (1, True)
    assert facts["calls"]["portal"] == 13
    assert facts["unpublished"]["error"] == "ProviderMisconfigured"
    assert kept["replies"]["too_fast"]["headers"]["retry-after"] == "1"
    assert kept["replies"]["wrong_key"]["status"] == 401
    assert azure.projects == {}, "nothing is left in the cloud"


def test_nothing_secret_is_recorded(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    text = json.dumps(recording_of(desk, photos))
    for secret in (azure.training_key, azure.prediction_key, azure.endpoint, "127.0.0.1", "/subscriptions/"):
        assert secret not in text
    assert "00000000-0000-0000-0000-000000000000" in text


def test_the_exported_model_is_compared_with_the_cloud(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    export = recording_of(desk, photos)["facts"]["export"]
    assert export["bytes"] > 0
    assert export["read_here"] is True or export["why"]


def test_the_project_is_deleted_whatever_happens(desk: Desk, azure: TrainingServer, photos: Path) -> None:
    azure.faults_next(1, "bad_json", "/train$")
    facts = recording_of(desk, photos)["facts"]
    assert facts["training"]["error"] == "ProviderUnavailable"
    assert azure.projects == {}


def test_too_few_photos_are_refused_before_anything_is_sent(desk: Desk, azure: TrainingServer) -> None:
    assert "5 photos of 2 labels" in desk.fails("rehearse", str(desk.photos({"bottle": 9, "cup": 4})), "--yes")
    assert azure.received == 0


@pytest.mark.parametrize("form", ["prefixed", "bare", "refused"])
def test_the_strict_server_learns_from_a_recording(desk: Desk, azure: TrainingServer, photos: Path, form: Any) -> None:
    azure.filters = form
    recording_of(desk, photos)
    with TrainingServer() as other:
        behave_as(other, desk.folder / "recording.json")
        assert other.filters == form
        assert other.canned["empty_401"].status == 401
