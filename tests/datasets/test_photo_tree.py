"""What the folders of a tree are called says what its photos show, and which are never learned from."""

import json
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from testing.image_files import encoded
from tests.support.drawn_photos import draw
from triof.cli import main
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import SPLITS, Dataset, DatasetError

_shades = count()
FOLDERS = {
    "train": ("train", "Train", "TRAINING", "training ", "training_set", "train2017"),
    "val": ("val", "valid", "Valid", "validation", "VALIDATION", "dev", "val2017"),
    "test": ("test", "Test", "tests", "Testing", "\xa0testing", "test_set", "Test set"),
}


def put(folder: Path, *names: str) -> None:
    """Photos of these names, each unlike every other one."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shade = next(_shades)
        path.write_bytes(encoded(Image.new("RGB", (40, 40), (shade % 256, shade // 256, 0)), "PNG"))


def triof(*arguments: object) -> Result:
    ran = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert "Traceback" not in ran.output
    return ran


def splits(dataset: Dataset) -> dict[str, str]:
    return {dataset.name(item): item.split for item in dataset.photos}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "label"),
    [
        *(("Cup", "cup"), ("cups", "cup"), ("CUPS ", "cup"), ("cutlery ", "cutlery"), ("\xa0Bottle", "bottle")),
        *(("trash", "other"), ("Negative", "other"), ("others", "other"), ("gobelet", "cup"), ("Bouteille", "bottle")),
    ],
)
def test_a_folder_may_be_called_as_people_call_its_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, label: str
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "set", *(f"photos of june/{folder}/Dirty /{number}.png" for number in range(3)))
    ran = triof("dataset", "augment", "set", "--out", "copies", *(f"--split={split}" for split in SPLITS))
    assert ran.exit_code == 0, ran.output
    assert ran.stderr == ""
    found = photo_dataset.read(tmp_path / "copies").photos
    assert {tuple(item.labels.values()) for item in found} == {(label, "dirty")}


def test_a_tag_of_the_settings_is_a_label_too(tmp_path: Path) -> None:
    put(tmp_path, "canette me\u0301tal/1.png", "verre/1.png")
    found = photo_dataset.read(tmp_path, {"canette métal": "other"})
    assert splits(found).keys() == {"canette me\u0301tal/1.png"}
    assert found.photos[0].labels == {"waste_type": "other"}
    assert "1 photo not in a folder called bottle, cup, cutlery, other, clean or dirty: verre (1)." in found.remarks[0]


def test_folders_that_name_nothing_are_counted_and_named(tmp_path: Path) -> None:
    put(tmp_path, "bottle/1.png", "0.png")
    put(tmp_path, *(f"{folder}/{number}.png" for folder in "abcdef" for number in range("abcdef".index(folder) + 1)))
    (told,) = photo_dataset.read(tmp_path).remarks
    assert told.startswith(f"Left out of {tmp_path}: 22 photos not in a folder called bottle")
    assert told.endswith(": f (6), e (5), d (4), c (3), b (2), 2 more folders.")


def test_where_nothing_is_labelled_the_folders_are_named_too(tmp_path: Path) -> None:
    put(tmp_path, "verre/1.png")
    with pytest.raises(
        DatasetError, match=r"holds no labelled photo: .* 1 photo not in a folder called .*: verre \(1\)"
    ):
        photo_dataset.read(tmp_path)


places = st.fixed_dictionaries(
    {split: st.sampled_from(names) for split, names in FOLDERS.items()}
    | {
        "above": st.sampled_from(("", "set of june/", "photos/all/")),
        "below": st.sampled_from(("", "images/", "plastic/")),
        "deepest": st.booleans(),
    }
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=places, used=st.sets(st.sampled_from(SPLITS), min_size=1))
def test_folders_that_are_called_like_splits_are_the_splits(
    tmp_path_factory: pytest.TempPathFactory, place: dict[str, Any], used: set[str]
) -> None:
    root = tmp_path_factory.mktemp("set")
    expected: dict[str, Any] = {}
    for split in used:
        for label in ("bottle", "cup"):
            middle = (
                f"{place['below']}{label}/{place[split]}/"
                if place["deepest"]
                else f"{place[split]}/{place['below']}{label}/"
            )
            names = [f"{place['above']}{middle}{number}.png" for number in range(4)]
            put(root, *names)
            expected |= dict.fromkeys(names, split)
    found = photo_dataset.read(root)
    assert splits(found) == expected
    assert found.remarks == ()
    assert all(item.has_written_split for item in found.photos)


def test_beside_such_folders_no_split_is_made_up(tmp_path: Path) -> None:
    put(tmp_path, *(f"{folder}/bottle/{number}.png" for folder in ("train", "test") for number in range(3)))
    put(tmp_path, "bottle/1.png", "more/cup/2.png", "more/cup/3.png")
    found = photo_dataset.read(tmp_path)
    assert Counter(splits(found).values()) == {"train": 3, "test": 3}
    assert found.remarks == (
        f"Left out of {tmp_path}: 3 photos not in a folder called train or test: more/cup (2), bottle (1).",
    )
    with pytest.raises(DatasetError, match="no photo for waste_type in its val split"):
        found.of("waste_type", "val")


def test_no_copy_of_a_photo_that_is_held_back_is_learned(tmp_path: Path) -> None:
    put(tmp_path, *(f"{folder}/cup/{number}.png" for folder in ("train", "valid", "test") for number in range(3)))
    for copy, of in (("train/cup/a.png", "test/cup/0.png"), ("train/cup/b.png", "valid/cup/0.png")):
        (tmp_path / copy).write_bytes((tmp_path / of).read_bytes())
    (tmp_path / "valid/cup/c.png").write_bytes((tmp_path / "train/cup/a.png").read_bytes())
    found = photo_dataset.read(tmp_path)
    moved = {"train/cup/a.png": "test", "train/cup/b.png": "val", "valid/cup/c.png": "test"}
    assert moved.items() <= splits(found).items()
    assert Counter(splits(found).values()) == {"train": 3, "val": 4, "test": 5}
    (told,) = found.remarks
    assert told == (
        f"Copies of photos in a later split of {tmp_path} are counted to that one: train/cup/a.png, train/cup/b.png,"
        " valid/cup/c.png."
    )


@pytest.mark.slow
def test_near_duplicates_that_cross_the_folders_are_reported_and_can_be_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for label in ("bottle", "cup"):
        for folder, seeds in (("train", range(6)), ("valid", range(10, 13)), ("test", range(20, 23))):
            for seed in seeds:
                path = tmp_path / "set" / folder / label / f"{seed}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                draw(label, seed).save(path)
    Image.open("set/test/cup/20.png").save("set/train/cup/again.jpg", quality=95)
    found = json.loads(triof("dataset", "check", "set", "--json", "--no-report").stdout)
    assert [sorted(family) for family in found["crossing"]] == [["test/cup/20.png", "train/cup/again.jpg"]]
    assert found["counts"]["waste_type"]["bottle"] == {"train": 6, "val": 3, "test": 3}
    assert triof("dataset", "split", "set", "--out", "new.csv", "--keep").exit_code == 0
    divided = {item.path.name: item.split for item in photo_dataset.read(Path("new.csv")).photos}
    assert divided.pop("again.jpg") == "test"
    assert all(divided[f"{seed}.png"] == split for seed, split in ((0, "train"), (10, "val"), (20, "test")))
