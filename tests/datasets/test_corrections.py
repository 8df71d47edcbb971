"""What people found out about labels, kept beside the photos."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from providers.base import Task
from triof.common import atomic_files
from triof.datasets import corrections, photo_dataset
from triof.datasets.corrections import UNDONE, Correction
from triof.datasets.photo_dataset import DatasetError

MANIFEST = """path,waste_type,cleanliness,group,split
a.jpg,bottle,clean,1,train
b.jpg,cup,,2,train
c.jpg,,,3,train
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "manifest.csv").write_text(MANIFEST)
    return tmp_path / "manifest.csv"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "corrections.csv"


def labels(manifest: Path, file: Path) -> list[Mapping[Task, str]]:
    return [item.labels for item in corrections.mended(manifest, file).photos]


def test_labels_are_changed_given_and_taken_away(manifest: Path, file: Path) -> None:
    for correction in (
        Correction("a.jpg", "waste_type", "bottle", "cup"),
        Correction("a.jpg", "cleanliness", "clean", "clean"),
        Correction("b.jpg", "waste_type", "cup", ""),
        Correction("c.jpg", "cleanliness", "", "dirty"),
    ):
        corrections.add(file, correction)
    assert labels(manifest, file) == [{"waste_type": "cup", "cleanliness": "clean"}, {}, {"cleanliness": "dirty"}]


def test_a_correction_of_a_label_that_has_changed_since_is_left_alone(manifest: Path, file: Path) -> None:
    corrections.add(file, Correction("a.jpg", "waste_type", "cutlery", "cup"))
    assert labels(manifest, file)[0]["waste_type"] == "bottle"


def test_the_last_word_holds_and_what_is_undone_gives_way_to_the_one_before(file: Path) -> None:
    for now, why in (("cup", ""), ("cutlery", ""), ("bottle", UNDONE)):
        corrections.add(file, Correction("a.jpg", "waste_type", "bottle", now, why))
    assert corrections.read(file)["a.jpg", "waste_type"].now == "cup"
    corrections.add(file, Correction("a.jpg", "waste_type", "bottle", "bottle", UNDONE))
    corrections.add(file, Correction("a.jpg", "waste_type", "bottle", "bottle", UNDONE))
    assert corrections.read(file) == {}


def test_each_line_says_when(file: Path) -> None:
    corrections.add(file, Correction("a,b.jpg", "waste_type", "bottle", "cup", 'says "so"'))
    found = corrections.read(file)["a,b.jpg", "waste_type"]
    assert found.why == 'says "so"'
    assert found.at[:2] == "20"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("path,task\n", "lacks the columns now, was"),
        ("path,task,was,now,why,at\na.jpg,colour,a,b,,\n", "line 2: 'colour' is no task"),
        ("path,task,was,now,why,at\na.jpg,waste_type,cup,glass,,\n", "line 2: 'glass' is no waste_type"),
    ],
)
def test_a_file_that_is_none_says_why(file: Path, content: str, says: str) -> None:
    file.write_text(content)
    with pytest.raises(DatasetError, match=says):
        corrections.read(file)


def test_a_named_file_that_is_not_there_is_a_mistake(manifest: Path, file: Path) -> None:
    assert corrections.read(file) == {}
    with pytest.raises(DatasetError, match="There are no corrections"):
        corrections.mended(manifest, file)


def test_a_manifest_that_was_read_is_written_as_it_was(tmp_path: Path) -> None:
    text = "path,waste_type,cleanliness,group,split,source,licence\nx/a.jpg,bottle,,1,val,web,CC0\n"
    (tmp_path / "manifest.csv").write_text(text)
    photo_dataset.write(tmp_path / "again.csv", photo_dataset.read(tmp_path).photos)
    assert (tmp_path / "again.csv").read_text() == text


def test_a_manifest_elsewhere_names_the_photos_by_their_whole_path(manifest: Path, tmp_path: Path) -> None:
    photo_dataset.write(tmp_path / "other" / "manifest.csv", photo_dataset.read(manifest).photos)
    again = photo_dataset.read(tmp_path / "other")
    assert [item.path for item in again.photos] == [tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg")]


HEAD = b"path,task,was,now,why,at\n"


@pytest.mark.parametrize(
    "torn",
    [
        b"b.jpg,waste_type,cup",
        b"b.jpg,waste_type,cup,cut",
        b'"b,c.jp',
        b'b.jpg,waste_type,cup,bottle,"says',
        "b.jpg,waste_type,cup,bottle,é".encode()[:-1],
        b"\0\0\0\0",
    ],
)
def test_a_line_that_a_power_cut_has_torn_spoils_no_other(manifest: Path, file: Path, torn: bytes) -> None:
    corrections.add(file, Correction("a.jpg", "waste_type", "bottle", "cup"))
    with file.open("ab") as opened:
        opened.write(torn)
    assert set(corrections.read(file)) == {("a.jpg", "waste_type")}
    corrections.add(file, Correction("c.jpg", "cleanliness", "", "dirty"))
    assert labels(manifest, file) == [
        {"waste_type": "cup", "cleanliness": "clean"},
        {"waste_type": "cup"},
        {"cleanliness": "dirty"},
    ]


def test_a_whole_line_that_is_not_utf_8_is_one_of_windows(file: Path) -> None:
    file.write_bytes(HEAD + b"\xe9.jpg,waste_type,cup,cutlery,,\n" + "à.jpg,waste_type,cup,cutlery,,\n".encode())
    assert [path for path, _ in corrections.read(file)] == ["é.jpg", "à.jpg"]


def test_a_line_is_appended_after_what_was_torn(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lines"
    atomic_files.append_line(path, b"one")
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("ab") as opened:
        opened.write(b"tw")
    atomic_files.append_line(path, b"three")
    assert path.read_bytes() == b"one\ntw\nthree\n"


@pytest.mark.parametrize("moved", [False, True])
def test_corrections_hold_for_a_manifest_elsewhere(tmp_path: Path, moved: bool) -> None:
    photos = tmp_path / "set" / "cup"
    photos.mkdir(parents=True)
    for name in ("a.jpg", "b.jpg"):
        (photos / name).write_bytes(b"")
    file = tmp_path / ("elsewhere" if moved else "set") / "corrections.csv"
    corrections.add(file, Correction("cup/a.jpg", "waste_type", "cup", "bottle"))
    photo_dataset.write(tmp_path / "new" / "manifest.csv", photo_dataset.read(tmp_path / "set").photos)
    assert labels(tmp_path / "new", file) == [{"waste_type": "bottle"}, {"waste_type": "cup"}]
    # What was said last holds, whatever the photo was called then.
    corrections.add(file, Correction(str(photos / "a.jpg"), "waste_type", "cup", "cutlery"))
    for source in ("new", "set"):
        assert labels(tmp_path / source, file) == [{"waste_type": "cutlery"}, {"waste_type": "cup"}]


def test_an_end_that_two_paths_share_names_neither(tmp_path: Path) -> None:
    for label in ("cup", "bottle"):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / "1.jpg").write_bytes(b"")
    file = tmp_path / "corrections.csv"
    corrections.add(file, Correction("1.jpg", "waste_type", "cup", "cutlery"))
    with pytest.raises(DatasetError, match=r"None of the 1 corrections in .* is about a photo of"):
        corrections.mended(tmp_path / "set", file)
    corrections.add(file, Correction("cup/1.jpg", "waste_type", "cup", "cutlery"))
    mended = corrections.mended(tmp_path / "set", file)
    assert sorted(item.labels["waste_type"] for item in mended.photos) == ["bottle", "cutlery"]
    assert mended.remarks[-1].startswith("Only 1 of the 2 corrections")


def test_of_two_photos_that_differ_in_case_the_exact_one_is_meant(tmp_path: Path) -> None:
    for name in ("A.jpg", "a.jpg"):
        (tmp_path / "set" / "cup").mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / "cup" / name).write_bytes(name.encode())
    if len(list((tmp_path / "set" / "cup").iterdir())) < 2:
        pytest.skip("this file system knows no case")
    corrections.add(tmp_path / "corrections.csv", Correction("a.jpg", "waste_type", "cup", "bottle"))
    assert labels(tmp_path / "set", tmp_path / "corrections.csv") == [{"waste_type": "cup"}, {"waste_type": "bottle"}]


def test_what_a_spreadsheet_has_saved_keeps_its_other_columns(manifest: Path, file: Path) -> None:
    lines = ["sep=;", "remark;path;task;was;now", "à revoir;A.JPG;waste_type;bottle;Cups", "; ; ; ; ", "torn;b.jpg"]
    file.write_bytes("\r\n".join(lines).encode("utf-16"))
    corrections.add(file, Correction("b.jpg", "waste_type", "cup", "cutlery"))
    corrections.add(file, Correction("c.jpg", "waste_type", "", "cup"))
    assert [item["waste_type"] for item in labels(manifest, file)] == ["cup", "cutlery", "cup"]
    written = file.read_text(encoding="utf-8").splitlines()
    assert written[0] == "path,task,was,now,why,at,remark"
    assert written[1] == "A.JPG,waste_type,bottle,Cups,,,à revoir"
