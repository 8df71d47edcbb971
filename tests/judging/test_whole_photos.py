"""Half a photo is refused at every door, a whole one at none, whatever stands before, behind or instead of its end."""

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from testing.image_files import JPEG_END as END
from testing.image_files import JPEGS, encoded
from testing.image_files import LUMPY as PICTURE
from tests.support.machines import BuildMachine
from triof.azure.upload import fit
from triof.cli import main
from triof.datasets import photo_dataset
from triof.judging import photo
from triof.judging.photo import PhotoError
from triof.machine.cameras.folder import FolderCamera
from triof.settings.sections.photo import DEFAULT_LIMITS

WHOLE: dict[str, Callable[[bytes], bytes]] = {
    "no end marker": lambda jpeg: jpeg[:-2],
    "rubbish behind": lambda jpeg: jpeg + b"uploaded by\0\xff\x12\xff\xd8" * 9,
    "another picture behind": lambda jpeg: jpeg + jpeg,
    "zeros before the end": lambda jpeg: jpeg[:-2] + bytes(300) + END,
    "zeros instead of the end": lambda jpeg: jpeg[:-2] + bytes(300),
    "metadata that are cut off": lambda jpeg: jpeg[:2] + b"\xff\xe1\x00\x0aExif\0\0II" + jpeg[2:],
    "a marker that fills": lambda jpeg: jpeg[:2] + b"\xff\xff\xff" + jpeg[2:],
}


def code(image: bytes) -> str:
    """The fault of a photo, empty if it is judged."""
    try:
        photo.load(image, needed_side=100)
    except PhotoError as error:
        return error.code
    return ""


@pytest.mark.parametrize("kind", JPEGS)
def test_a_whole_photo_is_judged_whatever_stands_around_it(kind: str) -> None:
    pixels = np.asarray(photo.load(JPEGS[kind]).picture, int)
    assert (
        np.abs(pixels - np.asarray(PICTURE if kind != "grey" else PICTURE.convert("L").convert("RGB"), int)).mean() < 8
    )
    for name, around in WHOLE.items():
        assert code(around(JPEGS[kind])) == "", name


@pytest.mark.slow
@given(st.sampled_from(sorted(JPEGS)), st.floats(0.2, 0.985), st.booleans())
def test_a_photo_that_is_cut_off_is_damaged(kind: str, share: float, closed: bool) -> None:
    half = JPEGS[kind][: int(len(JPEGS[kind]) * share)]
    assert code(half + END * closed) == "damaged"


@given(st.sampled_from(["baseline", "restarts", "every colour", "grey"]), st.floats(0.3, 0.9), st.integers(70, 4096))
def test_zeros_within_a_scan_are_damage(kind: str, share: float, length: int) -> None:
    image = JPEGS[kind]
    at = int(len(image) * share)
    assert code(image[:at] + bytes(length) + image[at + length :]) == "damaged"


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("end", [b"", END])
def test_a_file_whose_rest_was_never_written_is_damaged(kind: str, end: bytes) -> None:
    image = JPEGS[kind]
    at = int(len(image) * 0.7)
    assert code(image[:at] + bytes(len(image) - at - len(end)) + end) == "damaged"


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["PNG", "WEBP", "GIF", "BMP"])
def test_other_formats_are_whole_or_damaged_too(format_: str) -> None:
    image = encoded(PICTURE, format_)
    assert code(image) == ""
    assert code(image + b"rubbish") == ""
    for share in (0.5, 0.9, 0.97):
        assert code(image[: int(len(image) * share)]) == "damaged"


def test_a_webp_whose_header_was_mended_is_damaged_all_the_same() -> None:
    image = encoded(PICTURE, "WEBP")
    cut = image[: len(image) // 4 * 2]
    mended = b"RIFF" + (len(cut) - 8).to_bytes(4, "little") + cut[8:16] + (len(cut) - 20).to_bytes(4, "little")
    assert code(mended + cut[20:]) == "damaged"


def test_the_pixels_of_a_png_that_changed_are_damage() -> None:
    image = bytearray(encoded(PICTURE, "PNG"))
    image[len(image) // 2] ^= 1
    assert code(bytes(image)) == "damaged"


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_of_real_photos_the_cut_ones_are_caught_and_no_whole_one_is_lost(
    dataset: Path, options: dict[str, Any]
) -> None:
    with (dataset / "all.csv").open() as file:
        paths = [dataset / row["path"] for row in csv.DictReader(file)]
    caught = {0.5: 0, 0.9: 0, 0.97: 0}
    lost = 0
    for path in random.Random(14).sample(paths, 250):
        image = path.read_bytes()
        image = encoded(Image.open(path).convert("RGB"), quality=85, **options) if options else image
        lost += bool(code(image))
        for share in caught:
            caught[share] += code(image[: int(len(image) * share)] + END) == "damaged"
    assert lost == 0
    assert caught[0.5] >= 0.99 * 250
    assert caught[0.9] >= 0.97 * 250
    assert caught[0.97] >= 0.9 * 250


HALF = JPEGS["baseline"][: len(JPEGS["baseline"]) // 2] + END


@pytest.mark.slow
def test_the_touchscreen_hands_half_a_photo_back(build_machine: BuildMachine, tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "1.jpg").write_bytes(HALF)
    machine = build_machine(camera=FolderCamera(tmp_path / "half"))
    visitor = machine.visitor().press("/start").press("/waste/pick-type")
    assert visitor.shown == "insert"
    assert "The photo is damaged" in visitor.page.text
    assert machine.hardware.slot_is_open()
    assert not machine.events("deposit.judged")


def test_the_command_line_does_not_judge_half_a_photo(tmp_path: Path) -> None:
    path = tmp_path / "half.jpg"
    path.write_bytes(HALF)
    done = CliRunner().invoke(main, ["classify", "--json", str(path)])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"]["code"] == "damaged"


def test_no_half_photo_gets_into_a_data_set_or_into_the_cloud(tmp_path: Path) -> None:
    folder = tmp_path / "set" / "cup"
    folder.mkdir(parents=True)
    (folder / "half.jpg").write_bytes(HALF)
    (folder / "whole.jpg").write_bytes(JPEGS["baseline"])
    photos = photo_dataset.read(tmp_path / "set").photos
    unreadable: list[photo_dataset.Unreadable] = []
    decoded = [
        item.path.name
        for item, _ in photo_dataset.decode(photos, DEFAULT_LIMITS, needed_side=64, unreadable=unreadable)
    ]
    assert decoded == ["whole.jpg"]
    assert [each.path.name for each in unreadable] == ["half.jpg"]
    with pytest.raises(PhotoError) as refused:
        fit(HALF, 640)
    assert refused.value.code == "damaged"
