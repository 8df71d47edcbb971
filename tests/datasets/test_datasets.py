"""Manifests and folder trees become typed records; what cannot be used is said."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from testing.image_files import encoded
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import DatasetError, LabelledPhoto
from triof.settings.sections.photo import DEFAULT_LIMITS

HEADER = "path,waste_type,cleanliness,group,source,split\n"


def manifest(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "manifest.csv"
    path.write_text(header + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def tree(folder: Path, names: Mapping[str, int]) -> Path:
    """Photos of as many different greys, under the folders named."""
    for name, count in names.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for grey in range(count):
            (folder / name / f"{grey}.png").write_bytes(
                encoded(Image.new("RGB", (40, 40), (grey, len(name), 0)), "PNG")
            )
    return folder


def test_a_manifest_becomes_records(tmp_path: Path) -> None:
    path = manifest(tmp_path, "a/1.jpg,cup,dirty,7,web,train", "b/2.jpg,negative,,8,trashnet,test")
    read = photo_dataset.read(path)
    assert read.photos == (
        LabelledPhoto(
            tmp_path / "a/1.jpg", {"waste_type": "cup", "cleanliness": "dirty"}, "7", "train", {"source": "web"}
        ),
        LabelledPhoto(tmp_path / "b/2.jpg", {"waste_type": "other"}, "8", "test", {"source": "trashnet"}),
    )
    assert photo_dataset.read(tmp_path) == read
    assert [item.path.name for item in read.of("waste_type", "test")] == ["2.jpg"]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["a.jpg,glass,,1,web,train"], "line 2: 'glass' is no waste_type: use bottle, cup, cutlery, other"),
        (["a.jpg,cup,spotless,1,web,train"], "'spotless' is no cleanliness"),
        (["a.jpg,cup,clean,1,web,holdout"], "'holdout' is no split"),
        (["a.jpg,cup,clean,1,web,train", "b.jpg,cup,clean,1,web,test"], "group 1 lies in two splits"),
        ([], "holds no labelled photo"),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_line(tmp_path: Path, lines: list[str], reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        photo_dataset.read(manifest(tmp_path, *lines))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01", b"", b"file,label\na.jpg,cup\n", b"\x89PNG\r\n\x1a\n\0"])
def test_what_names_no_photos_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="lacks the column path"):
        photo_dataset.read(path)


def test_half_a_letter_of_utf_16_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes("path".encode("utf-16") + b"\0")
    with pytest.raises(DatasetError, match="cannot be read as CSV"):
        photo_dataset.read(path)


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        photo_dataset.read(tmp_path / "nowhere")


def test_a_tree_is_labelled_by_its_folders(tmp_path: Path) -> None:
    read = photo_dataset.read(tree(tmp_path, {"bottle": 1, "cup/dirty": 1, "negative/glass": 1, "misc": 1}))
    assert [item.labels for item in read.photos] == [
        {"waste_type": "bottle"},
        {"waste_type": "cup", "cleanliness": "dirty"},
        {"waste_type": "other"},
    ]


@pytest.mark.slow
def test_the_split_of_a_tree_is_the_same_every_time_and_everywhere(tmp_path: Path) -> None:
    read = photo_dataset.read(tree(tmp_path / "here", {"bottle": 120, "cup": 120}))
    moved = photo_dataset.read(tree(tmp_path / "there", {"bottle": 120, "cup": 120}))
    assert [item.split for item in read.photos] == [item.split for item in moved.photos]
    counts = [len(read.of("waste_type", split)) for split in photo_dataset.SPLITS]
    assert 0.6 < counts[0] / 240 < 0.8
    assert min(counts) >= 20


def test_a_copy_stays_in_the_split_of_its_original(tmp_path: Path) -> None:
    folder = tree(tmp_path, {"bottle": 30})
    for path in list((folder / "bottle").iterdir()):
        (folder / "bottle" / f"copy-of-{path.name}").write_bytes(path.read_bytes())
    homes: dict[str, set[str]] = {}
    for item in photo_dataset.read(folder).photos:
        homes.setdefault(item.group, set()).add(item.split)
    assert len(homes) == 30
    assert all(len(splits) == 1 for splits in homes.values())


def test_an_empty_split_is_said(tmp_path: Path) -> None:
    read = photo_dataset.read(manifest(tmp_path, "a.jpg,cup,,1,web,train"))
    with pytest.raises(DatasetError, match="no photo for cleanliness in its train split"):
        read.of("cleanliness", "train")


def test_unreadable_photos_are_skipped_and_reported(tmp_path: Path) -> None:
    folder = tree(tmp_path, {"cup": 2})
    (folder / "cup" / "page.jpg").write_bytes(b"<html>")
    items = [
        *photo_dataset.read(folder).photos,
        LabelledPhoto(folder / "gone.jpg", {"waste_type": "cup"}, "9", "train"),
    ]
    unreadable: list[photo_dataset.Unreadable] = []
    decoded = list(photo_dataset.decode(items, DEFAULT_LIMITS, needed_side=32, unreadable=unreadable))
    assert len(decoded) == 2
    assert [fault.path.name for fault in unreadable] == ["page.jpg", "gone.jpg"]


def test_the_fingerprint_follows_labels_and_splits(tmp_path: Path) -> None:
    prints = set()
    for line in ("a.jpg,cup,,1,web,train", "a.jpg,bottle,,1,web,train", "a.jpg,cup,,1,web,val"):
        prints.add(photo_dataset.fingerprint(photo_dataset.read(manifest(tmp_path, line)).photos))
    assert len(prints) == 3


@pytest.mark.slow
def test_the_shared_photos_are_all_there(dataset: Path) -> None:
    read = photo_dataset.read(dataset)
    assert len(read.photos) == 4365
    assert sum("cleanliness" in item.labels for item in read.photos) == 2697
