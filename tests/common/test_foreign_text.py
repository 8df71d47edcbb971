"""Manifests, corrections, keys, settings and lists are read whatever system and program wrote them."""

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from providers.base import LABELS, Task
from providers.custom_vision.options import CustomVisionOptions
from providers.text_files import decoded, plain
from testing.image_files import encoded
from tests.support.foreign_text import (
    ENCODINGS,
    LINE_ENDS,
    Rows,
    Style,
    UnicodeForm,
    csv_styles,
    encoded_csv,
    encoded_text,
    simple_csv,
    text_styles,
)
from triof.cli import main
from triof.datasets import corrections, photo_dataset
from triof.datasets.corrections import Correction
from triof.datasets.label_names import label_named
from triof.datasets.photo_dataset import Dataset, DatasetError
from triof.settings.loader import load

NAMES = (
    *("été/gobelet 1.jpg", "bottle/b, 2.jpg", "bottle/b; 3.jpg"),
    *('bottle/"b" 4.jpg', "plus/tôt/à droite.jpg", "a.jpg"),
)
"""Of photos on the disk: letters with accents, blanks, and what separates and quotes cells."""
PICTURE = encoded(Image.new("RGB", (64, 64), "grey"))
quickly = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    for number, name in enumerate(NAMES):
        path = folder / unicodedata.normalize("NFC" if number % 2 else "NFD", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    return folder


def read(folder: Path, content: bytes) -> Dataset:
    """The data set of a manifest with this content, whose photos all have to be there."""
    (folder / "manifest.csv").write_bytes(content)
    found = photo_dataset.read(folder)
    assert all(item.path.is_file() for item in found.photos), [item.path for item in found.photos]
    return found


@st.composite
def manifests(draw: st.DrawFn) -> Rows:
    """Any choice of the columns that may be missing, in any order after the path."""
    cells = {
        "waste_type": st.sampled_from(("bottle", "cup", "cutlery", "other", "negative", "")),
        "cleanliness": st.sampled_from(("clean", "dirty", "")),
        "group": st.sampled_from(("", "série 1", "g, 2", "g;3")),
        "split": st.just("val"),
        "SOURCE": st.sampled_from(("", "réutilisable", "1,5 l")),
    }
    columns = draw(st.lists(st.sampled_from(sorted(cells)), unique=True))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    return [("path", *columns), *((name, *(draw(cells[column]) for column in columns)) for name in names)]


@pytest.mark.slow
@quickly
@given(rows=manifests(), style=csv_styles)
def test_a_manifest_is_the_same_however_it_was_written(folder: Path, rows: Rows, style: Style) -> None:
    expected = read(folder, simple_csv(rows)).photos
    found = read(folder, encoded_csv(rows, style)).photos
    assert [item.path for item in found] == [item.path for item in expected]
    assert [item.labels for item in found] == [item.labels for item in expected]
    assert [(item.group, item.split) for item in found] == [(item.group, item.split) for item in expected]
    assert [[plain(note) for note in item.notes.values()] for item in found] == [
        [plain(note) for note in item.notes.values()] for item in expected
    ]


@pytest.mark.slow
@quickly
@given(style=csv_styles, columns=st.integers(4, 6))
def test_corrections_are_the_same_however_they_were_written_and_take_more(
    folder: Path, tmp_path: Path, style: Style, columns: int
) -> None:
    dataset = read(folder, simple_csv([("path", "waste_type"), *((name, "cup") for name in NAMES)]))
    header = ("path", "task", "was", "now", "why", "at")[:columns]
    said = ("waste_type", "cup", "bottle", "looked at", "2026-11-30T06:51:59+00:00")[: columns - 1]
    file = folder / "corrections.csv"
    file.write_bytes(encoded_csv([header, *((name, *said) for name in NAMES[:4])], style))

    def labels() -> list[str]:
        return [item.labels["waste_type"] for item in corrections.mended(folder, file).photos]

    assert labels() == ["bottle"] * 4 + ["cup"] * 2
    corrections.add(file, Correction(dataset.name(dataset.photos[5]), "waste_type", "cup", "cutlery"))
    assert labels() == ["bottle"] * 4 + ["cup", "cutlery"]


BLANKS = st.sampled_from(("", " ", "\xa0", "\u202f", "\t", "\u200b", "\ufeff"))


@pytest.mark.slow
@given(
    task_label=st.sampled_from([(task, label) for task, labels in LABELS.items() for label in labels]),
    change=st.sampled_from((str, str.upper, str.title, str.swapcase)),
    before=BLANKS,
    after=BLANKS,
    plural=st.sampled_from(("", "s")),
)
def test_case_blanks_and_plural_of_a_label_do_not_matter(
    task_label: tuple[Task, str], change: Callable[[str], str], before: str, after: str, plural: str
) -> None:
    task, label = task_label
    assert label_named(task, f"{before}{change(label + plural)}{after}") == label


@given(form=st.sampled_from(("NFC", "NFD", "NFKC", "NFKD")), blank=st.sampled_from((" ", "\xa0", "\u2009", "  ")))
def test_a_tag_of_the_settings_names_its_label_in_any_form(form: UnicodeForm, blank: str) -> None:
    options = CustomVisionOptions.model_validate({"tags": {"Canette à thé": "other"}})
    written = unicodedata.normalize(form, f"canette{blank}À thé")
    assert label_named("waste_type", written, options.tags) == "other"
    assert label_named("cleanliness", written, options.tags) is None


@pytest.mark.parametrize("column", ["waste_type", "cleanliness", "split"])
def test_a_word_that_means_nothing_is_a_mistake_with_its_line(folder: Path, column: str) -> None:
    with pytest.raises(DatasetError, match=f"manifest.csv, line 3: 'verre' is no {column}"):
        read(folder, simple_csv([("path", column), (NAMES[0], ""), (NAMES[1], "verre")]))


def test_a_manifest_without_any_label_says_so(folder: Path) -> None:
    (remark,) = read(folder, simple_csv([("path", "label"), *((name, "cup") for name in NAMES)])).remarks
    assert remark.endswith("has a label: they stand in its columns waste_type and cleanliness.")


def test_of_two_files_that_differ_in_case_the_exact_one_is_meant(tmp_path: Path) -> None:
    for name in ("A.jpg", "a.jpg"):
        (tmp_path / name).write_bytes(PICTURE)
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system knows no case")
    assert [item.path.name for item in read(tmp_path, b"path\na.jpg\nA.jpg\n").photos] == ["a.jpg", "A.jpg"]
    (tmp_path / "manifest.csv").write_text("path\nÀ.jpg\n")
    assert photo_dataset.read(tmp_path).photos[0].path == tmp_path / "À.jpg"


@pytest.mark.slow
@given(style=text_styles, before=st.sampled_from(("", "\n", " ")), after=st.sampled_from(("", "\n", "\n\n", " \n")))
def test_a_key_file_is_read_whoever_wrote_it(folder: Path, style: Style, before: str, after: str) -> None:
    (folder / "key.txt").write_bytes(encoded_text(f"{before}{'2' * 32}{after}", style))
    options = CustomVisionOptions.model_validate(
        {"training_endpoint": "https://t.cognitiveservices.azure.com", "training_key_file": folder / "key.txt"}
    )
    assert options.check_training()[1] == "2" * 32


SETTINGS_STYLES = [(encoding, end) for encoding in ENCODINGS[:3] for end in LINE_ENDS[:2]]


@pytest.mark.parametrize(("encoding", "line_end"), SETTINGS_STYLES)
def test_settings_are_read_whoever_wrote_them(tmp_path: Path, encoding: str, line_end: str) -> None:
    style = {"encoding": encoding, "line_end": line_end, "form": "NFC"}
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "a.toml").write_bytes(encoded_text('machine_id = "café"\n[server]\nport = 81\n', style))
    (tmp_path / ".env").write_bytes(encoded_text("TRIOF_MODE=local\nTRIOF_LANGUAGE=en\n", style))
    found = load({}, {}, tmp_path / ".env", tmp_path / "config").settings
    assert (found.machine_id, found.server.port, found.mode, found.language) == ("café", 81, "local", "en")


FAKE = ("--set", "routes.waste_type=fake", "--set", "routes.cleanliness=fake")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("line_end", LINE_ENDS[:2])
def test_a_list_on_standard_input_is_read_whoever_wrote_it(folder: Path, encoding: str, line_end: str) -> None:
    style = {"encoding": encoding, "line_end": line_end, "form": "NFC"}
    listed = "".join(f"{folder}\\{name}\n".replace("/", "\\") for name in NAMES[:-1]) + f'"{folder}\\{NAMES[-1]}"\n'
    ran = CliRunner().invoke(main, [*FAKE, "classify", "--json", "-"], input=encoded_text(f"\n{listed}\n", style))
    assert ran.exit_code == 0, ran.output
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [plain(answer["path"]) for answer in answers] == [plain(f"{folder}/{name}") for name in NAMES]


def test_what_a_list_names_is_told_as_it_is_written(folder: Path) -> None:
    names = [f"{folder}/./a.jpg", f"{folder}//gone\\b.jpg"]
    ran = CliRunner().invoke(main, [*FAKE, "classify", "--json", "-"], input="\n".join(names))
    assert [json.loads(line)["path"] for line in ran.stdout.splitlines()] == names


@pytest.mark.parametrize("text", ["a\0b", "a\0b.jpg", "\0ab", "\0\0", "a"])
def test_a_stray_nul_makes_no_utf_16(text: str) -> None:
    assert decoded(text.encode()) == text


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0\ufeff")))
def test_text_in_utf_8_and_utf_16_is_read_as_it_is(text: str) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert decoded(text.encode(encoding)) == text
