"""``triof dataset check``: what it finds, what it leaves alone, and what it says where it can say nothing."""

import csv
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from tests.support.drawn_photos import draw, save
from tests.support.watched import watched
from tools.planted_errors import plant, unanimous
from triof.cli import main
from triof.curation import near_duplicates
from triof.datasets import photo_dataset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was seen of a photo is kept here from test to test: all draw the same ones."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _use_the_shared_home(shared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIOF_HOME", str(shared_home))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To copy: drawing takes longer than most tests."""
    folder = tmp_path_factory.mktemp("drawn")
    for label in ("bottle", "cup", "cutlery"):
        save(folder, label, range(10))
    return folder


@pytest.fixture
def photos(drawn: Path, tmp_path: Path) -> Path:
    """Ten bottles, cups and cutlery each, in a tree; all labels are right and no two photos alike."""
    return shutil.copytree(drawn, tmp_path / "photos")


def check(source: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["dataset", "check", str(source), *arguments])


def findings(source: Path, *arguments: str) -> dict[str, Any]:
    ran = check(source, "--json", "--no-report", *arguments)
    assert ran.exit_code == 0, ran.output
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def manifest(path: Path, rows: Sequence[tuple[str, ...]]) -> Path:
    """A manifest of rows ``path, waste_type, cleanliness, group, split``."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "waste_type", "cleanliness", "group", "split"), *rows])
    return path


def test_a_wrong_label_is_the_first_suggestion(photos: Path) -> None:
    (photos / "cup" / "7.png").rename(photos / "bottle" / "wrong.png")
    found = findings(photos)
    worst, *others = found["suggestions"]
    assert {name: worst[name] for name in ("path", "task", "label", "suggested")} == {
        "path": "bottle/wrong.png",
        "task": "waste_type",
        "label": "bottle",
        "suggested": "cup",
    }
    assert worst["probability"] > 0.5 > worst["quality"]
    assert "looks like cup" in worst["why"]
    assert [each["quality"] for each in others] == sorted(each["quality"] for each in others)
    assert len(others) < 6
    assert all(each["quality"] < 2 / 3 for each in found["suggestions"])
    assert set(found["estimated_errors"]) == {"waste_type"}


def test_nothing_is_found_where_nothing_is_wrong(photos: Path) -> None:
    found = findings(photos)
    for name in ("unreadable", "tiny", "duplicates", "near_duplicates", "crossing", "conflicts", "unjudged"):
        assert not found[name], name
    assert found["photos"] == 30


def test_both_tasks_stand_in_one_order(tmp_path: Path) -> None:
    rows = [
        (str(path.relative_to(tmp_path)), label, cleanliness, "", "")
        for label in ("bottle", "cup")
        for cleanliness in ("clean", "dirty")
        for path in save(tmp_path / cleanliness, f"{label}-{cleanliness}", range(8))
    ]
    name, label, *_ = rows[3]
    rows[3] = (name, label, "dirty", "", "")
    name, _, cleanliness, *_ = rows[-3]
    rows[-3] = (name, "bottle", cleanliness, "", "")
    found = findings(manifest(tmp_path / "manifest.csv", rows))["suggestions"]
    assert {(each["path"], each["task"]) for each in found[:2]} == {
        (rows[3][0], "cleanliness"),
        (rows[-3][0], "waste_type"),
    }


def test_files_that_cannot_be_read_are_told_with_the_reason(photos: Path) -> None:
    (photos / "cup" / "page.jpg").write_bytes(b"<html>404</html>")
    (photos / "cup" / "empty.jpg").write_bytes(b"")
    rows = [(str(path.relative_to(photos)), path.parent.name, "", "", "") for path in sorted(photos.rglob("*.*"))]
    source = manifest(photos / "manifest.csv", [*rows, ("gone.jpg", "cup", "", "", ""), ("cup", "cup", "", "", "")])
    reasons = {Path(fault["path"]).name: fault["reason"] for fault in findings(source)["unreadable"]}
    assert set(reasons) == {"page.jpg", "empty.jpg", "gone.jpg", "cup"}
    assert "not a photo" in reasons["page.jpg"]
    assert "empty" in reasons["empty.jpg"]
    assert "No such file" in reasons["gone.jpg"]


def test_tiny_photos_are_told_with_their_size(photos: Path) -> None:
    draw("cup", 50).resize((300, 95)).save(photos / "cup" / "low.png")
    draw("cup", 51).resize((96, 96)).save(photos / "cup" / "just.png")
    assert findings(photos)["tiny"] == [{"path": "cup/low.png", "width": 300, "height": 95}]


def test_copies_and_near_duplicates_are_found(photos: Path) -> None:
    original = photos / "cup" / "3.png"
    (photos / "cup" / "copy.png").write_bytes(original.read_bytes())
    with Image.open(original) as picture:
        picture.resize((400, 400)).save(photos / "cup" / "larger.jpg", quality=60)
    found = findings(photos)
    assert found["duplicates"] == [["cup/3.png", "cup/copy.png"]]
    assert found["near_duplicates"] == [["cup/3.png", "cup/copy.png", "cup/larger.jpg"]]
    assert not found["conflicts"]


def test_what_contradicts_its_near_duplicates_is_suspected(photos: Path) -> None:
    with Image.open(photos / "cup" / "3.png") as picture:
        for number in range(3):
            (photos / "cutlery").mkdir(exist_ok=True)
            side = 300 + 50 * number
            folder = "cup" if number else "cutlery"
            picture.resize((side, side)).save(photos / folder / f"again-{number}.jpg", quality=80)
    found = findings(photos)
    names = {"cup/3.png": "cup", "cutlery/again-0.jpg": "cutlery", "cup/again-1.jpg": "cup", "cup/again-2.jpg": "cup"}
    assert found["conflicts"] == [{"task": "waste_type", "labels": names}]
    worst = found["suggestions"][0]
    assert worst["path"] == "cutlery/again-0.jpg"
    assert worst["suggested"] == "cup"
    assert "near-duplicate" in worst["why"]
    assert "called cup" in worst["why"]
    assert worst["quality"] < 0.002
    # What its near-duplicates and the model agree on is not suspected for the one that differs.
    assert not {"cup/3.png", "cup/again-1.jpg", "cup/again-2.jpg"} & {each["path"] for each in found["suggestions"]}


def test_a_group_with_two_labels_is_a_conflict_though_its_photos_differ(photos: Path) -> None:
    rows = [
        (str(path.relative_to(photos)), path.parent.name, "", "", "train") for path in sorted(photos.rglob("*.png"))
    ]
    rows[0] = (*rows[0][:3], "one", "train")
    rows[25] = (*rows[25][:3], "one", "train")
    found = findings(manifest(photos / "manifest.csv", rows))
    assert [list(each["labels"]) for each in found["conflicts"]] == [[rows[0][0], rows[25][0]]]


def test_near_duplicates_in_two_splits_are_told(photos: Path) -> None:
    (photos / "bottle" / "copy.png").write_bytes((photos / "bottle" / "1.png").read_bytes())
    rows = [
        (str(path.relative_to(photos)), path.parent.name, "", "", "test" if path.stem == "copy" else "train")
        for path in sorted(photos.rglob("*.png"))
    ]
    assert findings(manifest(photos / "manifest.csv", rows))["crossing"] == [["bottle/1.png", "bottle/copy.png"]]


def test_rare_labels_are_told_by_the_stated_rule(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    rows = [
        (str(path), label, "", "", "train")
        for label, count in (("bottle", 24), ("cup", 6), ("cutlery", 5))
        for path in save(folder, label, range(count))
    ]
    found = findings(manifest(tmp_path / "manifest.csv", rows))
    assert found["counts"]["waste_type"]["cup"] == {"train": 6, "val": 0, "test": 0}
    rare = [sentence for sentence in found["imbalances"] if "collect more of" in sentence]
    # Cups are exactly four times rarer than bottles, cutlery is rarer than that; other does not occur.
    assert [sentence.split()[1] for sentence in rare] == ["cutlery", "other"]
    few = [sentence for sentence in found["imbalances"] if "in train" in sentence]
    assert [sentence.split()[1] for sentence in few] == ["cup", "cutlery", "other"]


def test_what_somebody_confirmed_is_left_out_and_what_was_corrected_counts_as_corrected(photos: Path) -> None:
    (photos / "cup" / "7.png").rename(photos / "bottle" / "wrong.png")
    corrections = photos / "corrections.csv"
    head = "path,task,was,now,why,at\n"
    corrections.write_text(f"{head}bottle/wrong.png,waste_type,bottle,bottle,,\n")
    found = findings(photos, "--corrections", str(corrections))
    assert "bottle/wrong.png" not in {each["path"] for each in found["suggestions"]}
    assert found["confirmed"] == 1
    corrections.write_text(f"{head}bottle/wrong.png,waste_type,bottle,cup,,\n")
    found = findings(photos, "--corrections", str(corrections))
    assert "bottle/wrong.png" not in {each["path"] for each in found["suggestions"]}
    assert sum(found["counts"]["waste_type"]["cup"].values()) == 10
    ran = check(photos, "--no-report", "--corrections", "nowhere.csv")
    assert ran.exit_code == 1
    assert "no corrections in nowhere.csv" in ran.stderr


def test_the_limit_holds_for_the_worst(photos: Path) -> None:
    for number in (1, 2, 3):
        (photos / "cup" / f"{number}.png").rename(photos / "bottle" / f"wrong-{number}.png")
    everything = findings(photos)["suggestions"]
    assert len(everything) >= 3
    assert findings(photos, "--limit", "2")["suggestions"] == everything[:2]


def test_people_read_tables_and_what_to_do_next(photos: Path) -> None:
    (photos / "cup" / "7.png").rename(photos / "bottle" / "wrong [bold].png")
    ran = check(photos, "--no-report")
    assert ran.exit_code == 0, ran.output
    assert "bottle/wrong [bold].png" in ran.stdout
    assert f"What to do next: triof dataset label {photos}\n" in ran.stdout
    assert "labels to look at" in ran.stdout
    assert not Path("runs").exists()


def test_the_contact_sheet_shows_everything_and_loads_nothing(photos: Path) -> None:
    (photos / "cup" / "7.png").rename(photos / "bottle" / "<i>wrong.png")
    (photos / "cup" / "copy.png").write_bytes((photos / "cup" / "3.png").read_bytes())
    (photos / "cup" / "page.jpg").write_bytes(b"<html>404</html>")
    draw("cup", 50).resize((300, 95)).save(photos / "cup" / "low.png")
    ran = check(photos)
    assert ran.exit_code == 0, ran.output
    (page,) = Path("runs").glob("check-*.html")
    assert str(page) in ran.stdout.replace("\n", "")
    text = page.read_text()
    for needed in (
        "bottle/&lt;i&gt;wrong.png",
        "cup/copy.png",
        "cup/low.png",
        "300 x 95",
        "not a photo",
        "bouteille</span>",
        '<html lang="fr">',
        "Étiquettes qui paraissent fausses, les pires d’abord",
        "Photos minuscules",
    ):
        assert needed in text, needed
    assert "<i>" not in text
    assert text.count("data:image/jpeg;base64,") >= 4
    assert 'src="http' not in text
    elsewhere = check(photos, "--report", "deep/sheet.html", "--json")
    assert json.loads(elsewhere.stdout)["photos"] == 33
    assert Path("deep/sheet.html").stat().st_size < 1_000_000


def test_wrong_questions_are_told(photos: Path, tmp_path: Path) -> None:
    assert check(photos, "--report", "a.html", "--no-report").exit_code == 2
    assert check(photos, "--limit", "0").exit_code == 2
    (tmp_path / "file").write_text("")
    ran = check(photos, "--report", "file/a.html")
    assert ran.exit_code == 1
    assert "--no-report" in ran.stderr
    assert check(tmp_path / "nowhere").exit_code == 1


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"bottle": 1}, "bottle has 1 different photos, and 5 are needed"),
        ({"bottle": 7}, "bottle alone cannot be judged"),
        ({"bottle": 2, "cup": 2}, "cup has 2 different photos"),
        ({"bottle": 6, "cup": 4}, "cup has 4 different photos"),
        ({"bottle": 5, "cup": 5}, ""),
        ({"bottle": 5, "cup": 5, "cutlery": 1}, "cutlery has 1 different photos"),
    ],
)
def test_small_sets_are_told_to_be_small(tmp_path: Path, counts: dict[str, int], told: str) -> None:
    for label, count in counts.items():
        save(tmp_path / "photos", label, range(count))
    found = findings(tmp_path / "photos")
    assert told in "; ".join(found["unjudged"])
    assert bool(found["unjudged"]) == bool(told)
    assert not {each["label"] for each in found["suggestions"]} & {label for label, n in counts.items() if n < 5}


def test_copies_do_not_make_a_label_large_enough(tmp_path: Path) -> None:
    save(tmp_path / "photos", "bottle", range(6))
    (path,) = save(tmp_path / "photos", "cup", range(1))
    for number in range(9):
        path.with_name(f"copy-{number}.png").write_bytes(path.read_bytes())
    ran = check(tmp_path / "photos")
    assert ran.exit_code == 0
    assert "cup has 1 different photos" in ran.stdout
    assert "No label looks wrong." in ran.stdout


def test_photos_none_of_which_can_be_read_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "photos" / "cup").mkdir(parents=True)
    (tmp_path / "photos" / "cup" / "a.jpg").write_bytes(b"")
    ran = check(tmp_path / "photos")
    assert ran.exit_code == 1
    assert "can be read" in ran.stderr


@pytest.mark.parametrize("library", ["imagehash", "cleanlab", "sklearn"])
def test_without_the_data_extra_it_is_named(photos: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    ran = check(photos)
    assert ran.exit_code == 1
    assert "pip install 'triof[data]'" in ran.stderr
    assert library in ran.stderr


def test_a_second_check_looks_at_nothing_again_even_after_a_power_cut(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIOF_HOME", str(tmp_path / "own"))
    before = findings(photos)
    (cache,) = (tmp_path / "own" / "cache").glob("looks-*.bin")
    whole = cache.read_bytes()
    seen: list[None] = []
    watched(monkeypatch, lambda: seen.append(None))
    assert findings(photos) == before
    assert not seen
    # The last record was written by half.
    cache.write_bytes(whole[: -len(whole) // 60])
    assert findings(photos) == before
    assert len(seen) == 1
    assert len(cache.read_bytes()) == len(whole)


def test_a_home_that_cannot_keep_anything_is_told(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "cache").write_text("in the way")
    monkeypatch.setenv("TRIOF_HOME", str(tmp_path / "home"))
    ran = check(photos)
    assert ran.exit_code == 1
    assert f"{tmp_path / 'home' / 'cache'} cannot be used" in ran.stderr
    assert "move it away" in ran.stderr


def test_near_duplicates_are_the_same_ones_as_by_comparing_each_with_each() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, (700, near_duplicates.WORDS), np.int64).astype(np.uint64)
    features = rng.random((700, 8)).astype(np.float32)
    hashes[600], features[600] = hashes[3], features[3] + np.float32(0.01)
    hashes[650] = hashes[640]
    found = set(map(tuple, near_duplicates.find(hashes, features).tolist()))
    bits = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2)
    directions = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = directions @ directions.T
    near = np.triu(((bits <= 60) & (cosines >= 0.965)) | (cosines >= 0.99), 1)
    expected = set(zip(*(indices.tolist() for indices in np.nonzero(near)), strict=True))
    assert found == expected
    assert (3, 600) in found


def test_a_chain_of_near_duplicates_is_one_set() -> None:
    pairs = np.array([(8, 9), (2, 8), (5, 7), (1, 2)])
    assert near_duplicates.components(10, pairs).tolist() == [0, 1, 1, 3, 4, 5, 6, 5, 1, 1]
    assert near_duplicates.components(2, np.empty((0, 2), np.int64)).tolist() == [0, 1]


def test_errors_planted_among_real_photos_are_found(dataset: Path, tmp_path: Path) -> None:
    photos = photo_dataset.read(dataset).photos[::25]
    changed, errors = plant(photos, ["waste_type"], 8, seed=5)
    photo_dataset.write(tmp_path / "manifest.csv", changed)
    found = findings(tmp_path / "manifest.csv", "--limit", "40")["suggestions"]
    assert len(errors & {(each["path"], each["task"]) for each in found}) >= 7


def test_errors_are_planted_where_the_group_agrees(photos: Path) -> None:
    rows = [
        (str(path.relative_to(photos)), path.parent.name, "", "", "train") for path in sorted(photos.rglob("*.png"))
    ]
    rows[0] = (*rows[0][:3], "torn", "train")
    rows[25] = (*rows[25][:3], "torn", "train")
    rows[1] = (*rows[1][:3], "calm", "train")
    rows[2] = (*rows[2][:3], "calm", "train")
    items = photo_dataset.read(manifest(photos / "manifest.csv", rows)).photos
    assert set(range(30)) - set(unanimous(items, "waste_type")) == {0, 25}
    assert unanimous(items, "waste_type", smallest_group=2) == [1, 2]
    changed, errors = plant(items, ["waste_type"], 20, seed=1)
    differ = [item for item, before in zip(changed, items, strict=True) if item.labels != before.labels]
    assert len(differ) == 20
    assert {(str(item.path.absolute()), "waste_type") for item in differ} == errors
