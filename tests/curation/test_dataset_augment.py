"""Copies of the training photos as files: the same for the same seed, never across a split."""

import csv
import hashlib
from pathlib import Path
from random import Random

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from testing.image_files import encoded
from tests.support.faulty_disk import PowerCut, failing_replace
from triof.cli import main
from triof.curation import copies
from triof.curation.copies import OPERATIONS
from triof.datasets import corrections, photo_dataset
from triof.datasets.corrections import Correction


def triof(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["dataset", "augment", *map(str, arguments)])


def picture(seed: int) -> Image.Image:
    """Soft blotches, no two seeds alike."""
    lumps = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    return Image.fromarray(lumps).resize((240, 180), Image.Resampling.BICUBIC)


HEADER = ["path", "waste_type", "cleanliness", "group", "split", "author"]


def write_manifest(folder: Path, *rows: tuple[str, ...]) -> None:
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two training photos, one of each other split, one without cleanliness and one that is none."""
    folder = tmp_path / "source"
    folder.mkdir()
    for seed in range(1, 6):
        exif = Image.Exif()
        exif[0x010E] = "secret place"
        (folder / f"{seed}.jpg").write_bytes(encoded(picture(seed), exif=exif))
    (folder / "6.jpg").write_bytes(b"<html>")
    write_manifest(
        folder,
        ("1.jpg", "cup", "dirty", "a", "train", "Ada"),
        ("2.jpg", "bottle", "clean", "b", "train", "Bo"),
        ("3.jpg", "cup", "clean", "c", "val", "Cy"),
        ("4.jpg", "cup", "clean", "d", "test", "Di"),
        ("5.jpg", "other", "", "e", "train", "Ed"),
    )
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def files(folder: Path) -> dict[str, str]:
    """Each copy's name and contents."""
    paths = sorted(folder.rglob("*.jpg"))
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_only_training_photos_are_copied_with_their_group_split_and_author(source: Path, out: Path) -> None:
    ran = triof(source, "--out", out, "--copies", "2")
    assert ran.exit_code == 0, ran.output
    assert "6 copies written" in ran.stdout
    photos = photo_dataset.read(out).photos
    assert {item.path for item in photos} == set(out.rglob("*.jpg"))
    seen = sorted({(item.path.parent.relative_to(out).as_posix(), item.group, item.notes["author"]) for item in photos})
    assert seen == [("bottle/clean", "b", "Bo"), ("cup/dirty", "a", "Ada"), ("other", "e", "Ed")]
    assert {item.split for item in photos} == {"train"}
    assert all(item.notes["operations"] for item in photos)
    for item in photos:
        with Image.open(item.path) as copy:
            assert (copy.format, copy.size) == ("JPEG", (240, 180))
            assert not copy.getexif()
            assert b"secret" not in item.path.read_bytes()
    assert len(set(files(out).values())) == 6
    assert not set(files(out).values()) & set(files(source).values())
    # Set and copies together are one set without a leak.
    together = source / "manifest.csv"
    photo_dataset.write(together, [*photo_dataset.read(source).photos, *photos])
    assert len(photo_dataset.read(together).photos) == 11


@pytest.mark.slow
def test_the_same_seed_makes_the_same_copies(source: Path, tmp_path: Path) -> None:
    for name, seed in {"one": "7", "two": "7", "three": "8"}.items():
        assert triof(source, "--out", tmp_path / name, "--seed", seed).exit_code == 0
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert not files(tmp_path / "one").keys() & files(tmp_path / "three").keys()
    assert set(files(tmp_path / "one").values()) != set(files(tmp_path / "three").values())


@pytest.mark.slow
def test_no_two_copies_are_alike(source: Path, tmp_path: Path) -> None:
    assert triof(source, "--out", tmp_path / "many", "--copies", "30").exit_code == 0
    assert len(set(files(tmp_path / "many").values())) == 90
    # More copies are the same ones and further ones.
    triof(source, "--out", tmp_path / "few", "--copies", "5")
    assert files(tmp_path / "few").items() < files(tmp_path / "many").items()
    triof(source, "--out", tmp_path / "grey", "--copies", "4", "--only", "grey,flip")
    assert len(set(files(tmp_path / "grey").values())) == len(files(tmp_path / "grey"))
    ran = triof(source, "--out", tmp_path / "flipped", "--copies", "4", "--only", "flip")
    assert "6 copies written" in ran.stdout
    assert "6 more would be the same as others" in ran.stdout


@pytest.mark.slow
def test_what_is_there_is_not_made_again(source: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        failing_replace(patch, KeyboardInterrupt, "*.jpg", spared=4)
        ran = triof(source, "--out", out)
    written = list(out.rglob("*.jpg"))
    assert list(out.rglob(".*.jpg.*"))
    assert ran.exit_code == 130
    assert "Interrupted after 4 copies: the same command makes the others." in ran.stderr
    stamps = {path: path.stat().st_mtime_ns for path in written}
    # A kill loses the manifest besides; the files are enough to write it again.
    (out / "manifest.csv").unlink()
    again = triof(source, "--out", out)
    assert "5 copies written" in again.stdout
    assert "4 were there already" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in written} == stamps
    assert len(photo_dataset.read(out).photos) == len(list(out.rglob("*.jpg"))) == 9
    assert not list(out.rglob(".*.jpg.*"))
    whole_run = out.parent / "whole"
    triof(source, "--out", whole_run)
    assert files(whole_run) == files(out)


def test_the_manifest_is_there_from_the_first_photo_on(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three copies of the first photo, and the manifest.
    failing_replace(monkeypatch, PowerCut, spared=4)
    with pytest.raises(PowerCut):
        triof(source, "--out", out)
    assert {item.path for item in photo_dataset.read(out / "manifest.csv").photos} == set(out.rglob("*.jpg"))
    assert len(photo_dataset.read(out / "manifest.csv").photos) == 3


def test_copies_follow_their_original(source: Path, out: Path) -> None:
    triof(source, "--out", out, "--copies", "2")
    write_manifest(
        source,
        ("1.jpg", "cup", "clean", "a", "train", "Ada"),
        ("2.jpg", "bottle", "clean", "b2", "test", "Bo"),
        ("4.jpg", "cup", "clean", "d", "train", "Di"),
    )
    ran = triof(source, "--out", out, "--copies", "2")
    assert "2 copies of photos that have another label now were removed" in ran.stdout
    photos = photo_dataset.read(out).photos
    assert {item.path for item in photos} == set(out.rglob("*.jpg"))
    rows = sorted({(item.path.parent.relative_to(out).as_posix(), item.group, item.split) for item in photos})
    assert rows == [
        ("bottle/clean", "b2", "test"),
        ("cup/clean", "a", "train"),
        ("cup/clean", "d", "train"),
        ("other", "e", "train"),
    ]


def test_other_splits_on_request_and_copies_are_not_copied(source: Path, out: Path, tmp_path: Path) -> None:
    ran = triof(source, "--out", out, "--split", "val", "--split", "test", "--copies", "1")
    assert "2 copies written" in ran.stdout
    assert {item.split for item in photo_dataset.read(out).photos} == {"val", "test"}
    refused = triof(out, "--out", tmp_path / "more", "--split", "val")
    assert refused.exit_code == 1
    assert "has no photo in its val split" in refused.stderr


@pytest.mark.slow
def test_a_tree_of_folders_keeps_its_splits(source: Path, tmp_path: Path, out: Path) -> None:
    tree = tmp_path / "tree"
    for seed in range(20):
        (tree / "cup" / "clean").mkdir(parents=True, exist_ok=True)
        (tree / "cup" / "clean" / f"{seed}.png").write_bytes(encoded(picture(seed), "PNG"))
        (tree / "cup" / "clean" / f"again-{seed}.png").write_bytes(encoded(picture(seed), "PNG"))
    ran = triof(tree, "--out", out, "--copies", "1")
    assert ran.exit_code == 0, ran.output
    known = {item.group: item.split for item in photo_dataset.read(tree).photos}
    assert all(known[item.group] == item.split == "train" for item in photo_dataset.read(out).photos)
    assert len(files(out)) == sum(split == "train" for split in known.values())
    assert f"{len(files(out))} photos are the very same file as another" in ran.stdout


def test_copies_carry_the_corrected_labels(source: Path, out: Path) -> None:
    corrections.add(source / "c.csv", Correction("1.jpg", "waste_type", "cup", "cutlery"))
    ran = triof(source, "--out", out, "--corrections", source / "c.csv")
    assert ran.exit_code == 0, ran.output
    assert {path.split("/")[0] for path in files(out) if path.endswith(".jpg")} == {"bottle", "cutlery", "other"}


def test_a_damaged_photo_is_skipped_and_said(source: Path, out: Path) -> None:
    write_manifest(source, ("6.jpg", "cup", "", "f", "train", ""), ("7.jpg", "cup", "", "g", "train", ""))
    ran = triof(source, "--out", out)
    assert ran.exit_code == 1
    assert "6.jpg: This is not a photo" in ran.stdout
    assert "7.jpg" in ran.stdout
    assert "0 copies written" in ran.stdout


@pytest.mark.parametrize("inside", [".", "copies", ".."])
def test_the_source_is_not_written_into(inside: str, source: Path) -> None:
    before = files(source.parent)
    ran = triof(source / "manifest.csv", "--out", source / inside)
    assert ran.exit_code == 1
    assert "name an --out beside it" in ran.stderr
    assert files(source.parent) == before


@pytest.mark.parametrize("only", ["blur", "flip,blur", ","])
def test_an_unknown_operation_is_named(only: str, source: Path, out: Path) -> None:
    ran = triof(source, "--out", out, "--only", only)
    assert ran.exit_code == 2
    assert "is not among flip, rotate, skew, zoom, grey" in ran.stderr


def test_only_what_is_asked_for_is_done(source: Path, out: Path) -> None:
    triof(source, "--out", out, "--only", "grey", "--copies", "1")
    for item in photo_dataset.read(out).photos:
        assert item.notes["operations"] == "grey"
        with Image.open(item.path) as copy:
            pixels = np.asarray(copy.convert("RGB")).astype(int)
        assert np.ptp(pixels, axis=2).max() <= 2


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_changes_the_picture_and_leaves_no_empty_edge(name: copies.Operation) -> None:
    for seed in range(12):
        recipe = copies.draw([name], Random(seed))
        assert len(recipe.names) == 1
        assert recipe.apply(picture(seed)).tobytes() != picture(seed).tobytes()
        for size in ((240, 180), (60, 500)):
            white = recipe.apply(Image.new("RGB", size, "white"))
            assert white.size == size
            assert white.getextrema() == ((255, 255),) * 3


def test_a_turned_picture_shows_its_middle() -> None:
    dotted = Image.new("RGB", (200, 160), "white")
    dotted.paste("red", (95, 75, 105, 85))
    for seed in range(6):
        for name in ("rotate", "zoom"):
            middle = copies.draw([name], Random(seed)).apply(dotted).getpixel((100, 80))
            assert middle == (255, 0, 0)


def test_skewing_keeps_straight_lines_straight_and_two_corners_in_place() -> None:
    cornered = picture(1)
    for seed in range(8):
        recipe = copies.draw(["skew"], Random(seed))
        side = recipe.names[0].split()[1]
        far = {"left": (239, 0), "right": (0, 0), "top": (0, 179), "bottom": (0, 0)}[side]
        before, after = (np.array(shown.getpixel(far)) for shown in (cornered, recipe.apply(cornered)))
        assert np.abs(before - after).max() <= 6
