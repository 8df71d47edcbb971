"""The cloud's recorded answers: added to, never rewritten, and none lost by a power cut."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from triof.evaluation import recorded_predictions
from triof.evaluation.recorded_predictions import RecordedPrediction

SCORES = {"bottle": 0.75, "cup": 0.25}


def answer(number: int) -> RecordedPrediction:
    return RecordedPrediction(Path(f"/photos/{number}.jpg"), f"{number:064x}", SCORES)


def test_what_was_added_is_read(tmp_path: Path) -> None:
    assert recorded_predictions.read(tmp_path, "A1") == []
    for number in range(3):
        recorded_predictions.add(tmp_path, "A1", answer(number))
    recorded_predictions.add(tmp_path, "b2", answer(9))
    assert recorded_predictions.read(tmp_path, "a1") == [answer(number) for number in range(3)]
    assert sorted(recorded_predictions.iterations(tmp_path)) == ["a1", "b2"]


def test_the_latest_answer_about_a_photo_counts(tmp_path: Path) -> None:
    recorded_predictions.add(tmp_path, "a1", answer(1))
    later = RecordedPrediction(Path("/elsewhere.jpg"), answer(1).sha256, {"cup": 1.0})
    recorded_predictions.add(tmp_path, "a1", later)
    assert recorded_predictions.read(tmp_path, "a1") == [later]


@pytest.mark.parametrize(
    "torn", [b'{"path": "/pho', b"\xff\n", b"[]\n", b'{"path": 1, "sha256": "", "scores": {"a": []}}']
)
def test_a_line_that_a_power_cut_has_torn_spoils_no_other(tmp_path: Path, torn: bytes) -> None:
    recorded_predictions.add(tmp_path, "a1", answer(1))
    with (tmp_path / "azure" / "answers" / "a1.jsonl").open("ab") as file:
        file.write(torn)
    recorded_predictions.add(tmp_path, "a1", answer(2))
    assert recorded_predictions.read(tmp_path, "a1") == [answer(1), answer(2)]


def test_many_may_add_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: recorded_predictions.add(tmp_path, "a1", answer(number)), range(64)))
    assert {each.path for each in recorded_predictions.read(tmp_path, "a1")} == {
        answer(number).path for number in range(64)
    }


@pytest.mark.parametrize("iteration", ["", "../x", "/etc/x", ".hidden", "a\\b"])
def test_an_id_that_is_none_names_no_file(tmp_path: Path, iteration: str) -> None:
    with pytest.raises(ValueError, match="no id of an iteration"):
        recorded_predictions.add(tmp_path, iteration, answer(1))
