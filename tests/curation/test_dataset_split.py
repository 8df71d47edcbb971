"""``triof dataset split``: what belongs together stays together, and every label gets its share."""

import csv
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from tests.support.drawn_photos import save
from triof.cli import main
from triof.datasets import corrections, photo_dataset
from triof.datasets.corrections import Correction
from triof.datasets.photo_dataset import Dataset

HEAD = ("path", "waste_type", "cleanliness", "group", "split", "source")


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was seen of a photo is kept here from test to test: all use the same ones."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty bottles and cups, and five pictures of a cup beside its original: scaled and encoded again."""
    folder = tmp_path_factory.mktemp("photos")
    save(folder, "bottle", range(20))
    for path in save(folder, "cup", range(20))[:5]:
        with Image.open(path) as picture:
            picture.resize((300, 300)).save(path.with_name(f"again-{path.stem}.jpg"), quality=80)
    return folder


@pytest.fixture(autouse=True)
def _use_the_shared_home(shared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIOF_HOME", str(shared_home))
    monkeypatch.chdir(tmp_path)


def split(source: Path, *arguments: str, out: str = "out.csv") -> Result:
    return CliRunner().invoke(main, ["dataset", "split", str(source), "--out", out, *arguments])


def divided(source: Path, *arguments: str, out: str = "out.csv") -> Dataset:
    ran = split(source, *arguments, out=out)
    assert ran.exit_code == 0, ran.output
    # Reading checks that no group crosses.
    return photo_dataset.read(Path(out))


def splits(dataset: Dataset) -> dict[str, str]:
    """By folder and name."""
    return {"/".join(item.path.parts[-2:]): item.split for item in dataset.photos}


def rows(photos: Path) -> list[tuple[str, ...]]:
    return [(str(path), path.parent.name, "", "", "", "shop") for path in sorted(photos.rglob("*.*"))]


def manifest(path: Path, lines: Sequence[tuple[str, ...]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEAD, *lines])
    return path


def with_split(lines: Sequence[tuple[str, ...]], given: dict[str, str]) -> list[tuple[str, ...]]:
    """The lines, with the splits of the photos that are named by folder and name."""
    return [(*line[:4], given.get("/".join(Path(line[0]).parts[-2:]), ""), line[5]) for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2"])
def test_near_duplicates_never_cross(photos: Path, seed: str) -> None:
    dataset = divided(photos, "--seed", seed)
    found = splits(dataset)
    assert len(found) == 45
    for number in range(5):
        assert found[f"cup/again-{number}.jpg"] == found[f"cup/{number}.png"]
    assert len({item.group for item in dataset.photos}) == 40


def test_each_label_gets_its_share(photos: Path) -> None:
    dataset = divided(photos)
    counted = Counter((item.labels["waste_type"], item.split) for item in dataset.photos)
    assert [counted["bottle", name] for name in ("train", "val", "test")] == [14, 3, 3]
    assert sum(counted["cup", name] for name in ("val", "test")) in (7, 8)
    halves = divided(photos, "--shares", "0.5,0,0.5", out="halves.csv")
    counted = Counter((item.labels["waste_type"], item.split) for item in halves.photos)
    assert counted["bottle", "train"] == counted["bottle", "test"] == 10
    assert "val" not in splits(halves).values()


def test_labels_of_both_tasks_count(photos: Path) -> None:
    bottles = [line for line in rows(photos) if line[1] == "bottle"]
    lines = [(*line[:2], "dirty" if index < 10 else "clean", *line[3:]) for index, line in enumerate(bottles)]
    dataset = divided(manifest(Path("in.csv"), lines), "--shares", "0.8,0.1,0.1")
    counted = Counter((item.labels["cleanliness"], item.split) for item in dataset.photos)
    assert counted == {
        (label, name): count for label in ("clean", "dirty") for name, count in (("train", 8), ("val", 1), ("test", 1))
    }


@pytest.mark.slow
def test_the_same_seed_gives_the_same_file_and_another_one_another(photos: Path) -> None:
    for name, seed in (("a.csv", "1"), ("b.csv", "1"), ("c.csv", "2")):
        divided(photos, "--seed", seed, out=name)
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()
    assert splits(photo_dataset.read(Path("a.csv"))) != splits(photo_dataset.read(Path("c.csv")))


@pytest.mark.slow
def test_groups_stay_together_though_their_photos_differ_and_columns_are_kept(photos: Path) -> None:
    # Also over others: cup 7 shares a group with cup 0, which has a near-duplicate.
    lines = [
        (*line[:3], "pair" if line[1] == "cup" and Path(line[0]).name in ("0.png", "7.png") else "", *line[4:])
        for line in rows(photos)
    ]
    source = manifest(Path("in.csv"), lines)
    before = source.read_bytes()
    for seed in ("1", "2"):
        dataset = divided(source, "--seed", seed, out=f"out-{seed}.csv")
        family = [
            item
            for item in dataset.photos
            if item.labels["waste_type"] == "cup" and item.path.name in ("0.png", "7.png", "again-0.jpg")
        ]
        assert len({(item.split, item.group) for item in family}) == 1
        assert {item.notes["source"] for item in dataset.photos} == {"shop"}
    assert source.read_bytes() == before


def test_keep_leaves_what_is_written_and_divides_the_rest(photos: Path) -> None:
    cups = [line for line in rows(photos) if line[1] == "cup"]
    given = {f"cup/{number}.png": "test" if number < 8 else "val" for number in range(10)}
    dataset = divided(manifest(Path("in.csv"), with_split(cups, given)), "--keep")
    found = splits(dataset)
    assert {name: found[name] for name in given} == given
    # New photos follow their near-duplicates, the others fill up what lacks most.
    assert {found[f"cup/again-{number}.jpg"] for number in range(5)} == {"test"}
    assert [found[f"cup/{number}.png"] for number in range(10, 20)] == ["train"] * 10
    assert "0 photos lay in another split before" in split(Path("in.csv"), "--keep", out="again.csv").stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "other", "both"), [("train", "test", "test"), ("val", "test", "test"), ("train", "val", "val")]
)
def test_with_keep_what_crosses_goes_to_the_test(photos: Path, one: str, other: str, both: str) -> None:
    cups = [line for line in rows(photos) if line[1] == "cup"]
    for first, second in ((one, other), (other, one)):
        given = {f"cup/{number}.png": "train" for number in range(20)}
        given |= {"cup/3.png": first, "cup/again-3.jpg": second}
        source = manifest(Path("in.csv"), with_split(cups, given))
        Path("out.csv").unlink(missing_ok=True)
        found = splits(divided(source, "--keep"))
        assert found["cup/3.png"] == found["cup/again-3.jpg"] == both
        assert "1 photos lay" in split(source, "--keep", out=f"{first}.csv").stdout


def test_without_keep_what_is_written_counts_for_nothing(photos: Path) -> None:
    lines = [(*line[:4], "train", line[5]) for line in rows(photos)]
    assert set(splits(divided(manifest(Path("in.csv"), lines))).values()) == {"train", "val", "test"}


def test_rows_that_end_early_are_rows(photos: Path) -> None:
    paths = [row[0] for row in rows(photos)]
    source = manifest(Path("in.csv"), [(path, Path(path).parent.name) for path in paths])
    assert len(divided(source, "--keep").photos) == 45


def test_the_new_manifest_holds_the_corrected_labels(photos: Path) -> None:
    known = Path("known.csv")
    corrections.add(known, Correction("cup/12.png", "waste_type", "cup", "cutlery"))
    changed = [
        item for item in divided(photos, "--corrections", "known.csv").photos if "cutlery" in item.labels.values()
    ]
    assert [item.path for item in changed] == [photos / "cup" / "12.png"]
    corrections.add(known, Correction("gone.png", "waste_type", "cup", "cutlery"))
    assert "Only 1 of the 2 corrections" in split(photos, "--corrections", "known.csv", out="again.csv").stderr
    Path("other.csv").write_text("path,task,was,now,why,at\ngone.png,waste_type,cup,bottle,,\n")
    ran = split(photos, "--corrections", "other.csv", out="none.csv")
    assert ran.exit_code == 1
    assert "None of the 1 corrections" in ran.stderr


def test_a_name_that_is_not_utf_8_is_left_out(tmp_path: Path) -> None:
    save(tmp_path / "set", "cup", range(2))
    try:
        (tmp_path / "set/cup/1.png").rename(tmp_path / os.fsdecode(b"set/cup/\xe9t\xe9.png"))
    except OSError:
        pytest.skip("the disk allows no such name")
    assert [item.path.name for item in divided(tmp_path / "set").photos] == ["0.png"]


def test_what_cannot_be_read_is_left_out_and_told(photos: Path) -> None:
    source = manifest(Path("in.csv"), [*rows(photos), ("gone [red].jpg", "cup", "", "", "", "")])
    ran = split(source)
    assert ran.exit_code == 0
    assert "Left out gone [red].jpg: The file cannot be read" in ran.stdout
    assert "gone" not in Path("out.csv").read_text()


def test_the_counts_are_shown(photos: Path) -> None:
    ran = split(photos)
    (line,) = (line for line in ran.stdout.splitlines() if line.startswith("│ bottle"))
    assert line.split()[3::2] == ["14", "3", "3", "20"]
    assert "40 families" in ran.stdout
    assert "Written to out.csv." in ran.stdout


@pytest.mark.slow
def test_sets_too_small_to_divide_are_divided_nonetheless(tmp_path: Path) -> None:
    for count in (1, 2, 3):
        folder = tmp_path / f"photos-{count}"
        save(folder, "cup", range(count))
        assert len(divided(folder, out=f"{count}.csv").photos) == count


@pytest.mark.parametrize("shares", ["0.5,0.5", "0.5,0.4,0.2", "1.2,-0.1,-0.1", "most,some,few", "nan,0,1", ""])
def test_shares_that_are_none_are_asked_wrongly(photos: Path, shares: str) -> None:
    ran = split(photos, "--shares", shares)
    assert ran.exit_code == 2
    assert "add up to 1" in ran.stderr


def test_nothing_is_replaced(photos: Path) -> None:
    Path("out.csv").write_text("mine")
    ran = split(photos)
    assert ran.exit_code == 1
    assert "out.csv exists" in ran.stderr
    assert Path("out.csv").read_text() == "mine"
    Path("file").write_text("")
    ran = split(photos, out="file/out.csv")
    assert ran.exit_code == 1
    assert "name another place" in ran.stderr
