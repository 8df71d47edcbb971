"""What people found out about labels, kept beside the photos."""

from pathlib import Path

import pytest

from triof import corrections, datasets
from triof.corrections import UNDONE, Correction
from triof.datasets import DatasetError

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


def labels(manifest: Path, file: Path) -> list[dict[str, str]]:
    return [dict(item.labels) for item in corrections.mended(manifest, file).photos]


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
        ("path,task\n", "lacks the columns at, now, was, why"),
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
    datasets.write(tmp_path / "again.csv", datasets.read(tmp_path).photos)
    assert (tmp_path / "again.csv").read_text() == text


def test_a_manifest_elsewhere_names_the_photos_by_their_whole_path(manifest: Path, tmp_path: Path) -> None:
    datasets.write(tmp_path / "other" / "manifest.csv", datasets.read(manifest).photos)
    again = datasets.read(tmp_path / "other")
    assert [item.path for item in again.photos] == [tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg")]
