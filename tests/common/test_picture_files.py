"""Photos are told by their contents; what is left out is counted and named; litter is passed over."""

import json
import os
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from testing.image_files import HEIC, encoded
from tests.support.drawn_photos import draw
from triof.cli import main
from triof.common.image_files import look_in
from triof.common.image_format import readable_formats
from triof.datasets import photo_dataset
from triof.machine.cameras.base import CameraError
from triof.machine.cameras.folder import FolderCamera

FAKE = ("--set", "routes.waste_type=fake", "--set", "routes.cleanliness=fake")
PICTURE = Image.new("RGB", (64, 64), "grey")
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
CONTENTS = {
    **{name: encoded(PICTURE, name) for name in (*FORMATS, "TIFF")},
    "HEIC": HEIC,
    "AVIF": b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(40),
    "film": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(40),
    "text": b"<!doctype html><p>d\xc3\xa9j\xc3\xa0 vu</p>",
    "nothing": b"",
}
ENDINGS = ("", ".jpg", ".JPEG", ".jfif", ".jpe", ".HEIC", ".png", ".tif", ".avif", ".webp", ".bin", ".txt", ".part")
PICTURE_ENDINGS = ENDINGS[1:-3]
LITTER = (
    *("._x.jpg", ".hidden.jpg", ".ipynb_checkpoints/x.jpg", "__MACOSX/x.jpg", "Thumbs.db", "ehthumbs.db"),
    *("desktop.ini", "Desktop.ini", "@eaDir/x.jpg/SYNOPHOTO_THUMB_M.jpg", ".DS_Store", ".git/x.jpg", "#recycle/x.jpg"),
    *("$RECYCLE.BIN/x.jpg", ".Trash-1000/files/x.jpg", "System Volume Information/x.jpg", "a/.b/c/x.jpg"),
)


def triof(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def put(folder: Path, name: str, content: bytes = CONTENTS["JPEG"]) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(folder: Path, paths: Sequence[Path]) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in paths}


def judged(folder: Path) -> tuple[set[str], str]:
    """Which files `triof classify` has judged, and what it says besides."""
    ran = triof(*FAKE, "classify", "--json", folder)
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    return names(folder, [Path(answer["path"]) for answer in answers if "error" not in answer]), ran.stderr


files = st.tuples(st.sampled_from(sorted(CONTENTS)), st.sampled_from(ENDINGS))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(there=st.lists(files, max_size=6), folders=st.sampled_from(("", "bottle/", "a/b c/")))
def test_what_a_file_holds_decides_and_nothing_that_may_be_a_photo_vanishes(
    tmp_path_factory: pytest.TempPathFactory, there: list[tuple[str, str]], folders: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    named = {f"{folders}{number}{ending}": content for number, (content, ending) in enumerate(there)}
    for name, content in named.items():
        put(folder, name, CONTENTS[content])
    found = look_in(folder)
    to_decode = {
        name
        for name, content in named.items()
        if content in readable_formats()
        or (Path(name).suffix in PICTURE_ENDINGS and content in ("film", "text", "nothing"))
    }
    assert names(folder, found.pictures) == to_decode
    foreign = [content for name, content in named.items() if name not in to_decode]
    expected = Counter({"film": "other file"}.get(content, content) for content in foreign)
    assert {kind: len(paths) for kind, paths in found.left_out.items()} == {
        kind: count for kind, count in expected.items() if kind not in ("text", "nothing")
    }
    for kind, paths in found.left_out.items():
        assert f"{len(paths)} {kind}" in found.remark
        assert all(str(path.relative_to(folder)) in found.remark for path in paths[:3])


@pytest.fixture
def no_heif(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra ``heic`` is not installed."""
    monkeypatch.setitem(sys.modules, "pi_heif", None)


def test_every_readable_format_is_judged_whatever_it_is_called(tmp_path: Path) -> None:
    formats = readable_formats()
    expected = {put(tmp_path, f"{format_}/x{ending}", CONTENTS[format_]) for format_ in formats for ending in ENDINGS}
    assert judged(tmp_path) == (names(tmp_path, sorted(expected)), "")


@pytest.mark.usefixtures("no_heif")
def test_what_is_left_out_is_counted_and_named_in_one_line(tmp_path: Path) -> None:
    for number in range(5):
        put(tmp_path, f"{number}.jpg", CONTENTS["TIFF"])
    for name, content in (("a.jpg", "JPEG"), ("b.heic", "HEIC"), ("c.avif", "AVIF"), ("film", "film"), ("d", "text")):
        put(tmp_path, name, CONTENTS[content])
    found, told = judged(tmp_path)
    assert found == {"a.jpg"}
    assert told == (
        f"Left out of {tmp_path}: 5 TIFF (0.jpg, 1.jpg, 2.jpg, 2 more), 1 AVIF (c.avif), 1 HEIC (b.heic),"
        f" 1 other file (film). Triof reads {', '.join(readable_formats())}: save photos as JPEG, or install"
        " triof[heic].\n"
    )


def test_what_is_called_a_photo_and_is_none_is_a_fault_of_its_own(tmp_path: Path) -> None:
    put(tmp_path, "page.jpg", CONTENTS["text"])
    ran = triof(*FAKE, "classify", tmp_path)
    assert ran.exit_code == 1
    assert "page.jpg: This is not a photo" in ran.stdout


@pytest.mark.parametrize("root", ["shown", ".hidden", "__MACOSX/shown"])
def test_litter_is_passed_over_wherever_the_folder_itself_lies(tmp_path: Path, root: str) -> None:
    for name in LITTER:
        put(tmp_path / root, f"bottle/{name}")
        put(tmp_path / root, name)
    put(tmp_path / root, "bottle/a.jpg")
    assert judged(tmp_path / root) == ({"bottle/a.jpg"}, "")
    assert names(tmp_path / root, [item.path for item in photo_dataset.read(tmp_path / root).photos]) == {
        "bottle/a.jpg"
    }


def test_links_are_followed_and_each_folder_is_looked_at_once(tmp_path: Path) -> None:
    put(tmp_path, "elsewhere/1.jpg")
    put(tmp_path, "shown/real/2.jpg")
    put(tmp_path, "shown/3.jpg")
    for name, to in (("bottle", "../elsewhere"), ("again", "../elsewhere"), ("a", "real"), ("loop", ".."), ("up", ".")):
        (tmp_path / "shown" / name).symlink_to(to)
    for name, to in (("4.jpg", "3.jpg"), ("gone.jpg", "nowhere.jpg"), ("itself.jpg", "itself.jpg")):
        (tmp_path / "shown" / name).symlink_to(to)
    found = look_in(tmp_path / "shown")
    seen = [path.resolve() for path in found.pictures if path.exists()]
    assert Counter(path.name for path in seen) == {"1.jpg": 1, "2.jpg": 1, "3.jpg": 2}
    assert "real/2.jpg" in names(tmp_path / "shown", found.pictures)
    assert "1 broken link (gone.jpg)" in found.remark


def test_names_that_are_not_utf_8_are_told(tmp_path: Path) -> None:
    try:
        put(tmp_path, os.fsdecode(b"caf\xe9.jpg"))
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such name")
    put(tmp_path, os.fsdecode(b"\xe9t\xe9/1.jpg"))
    put(tmp_path, "a.jpg")
    found, told = judged(tmp_path)
    assert found == {"a.jpg"}
    assert "2 names that are not UTF-8 (caf\\xe9.jpg, \\xe9t\\xe9)" in told


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    put(tmp_path, "bottle/1.jpg")
    (tmp_path / "bottle").chmod(0)
    try:
        assert "1 folder that cannot be read (bottle)" in look_in(tmp_path).remark
    finally:
        (tmp_path / "bottle").chmod(0o755)


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no pipes with names")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert look_in(tmp_path).pictures == ()


def test_the_folder_camera_shows_what_classify_reads(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in (*LITTER, "b.jfif", "z"):
        put(tmp_path, name)
    put(tmp_path, "c.tif", CONTENTS["TIFF"])
    put(tmp_path, "0.png", CONTENTS["PNG"])
    camera = FolderCamera(tmp_path)
    camera.ping()
    shown = [camera.take(None) for _ in range(4)]
    assert shown == [CONTENTS["PNG"], *[CONTENTS["JPEG"]] * 2, CONTENTS["PNG"]]
    assert caplog.text.count("camera.left_out") == 1
    assert "1 TIFF (c.tif)" in caplog.text


@pytest.mark.slow
@pytest.mark.usefixtures("no_heif")
def test_a_camera_and_a_doctor_say_what_they_were_given_instead(tmp_path: Path) -> None:
    put(tmp_path, "a.heic", CONTENTS["HEIC"])
    with pytest.raises(CameraError, match=r"camera\.folder to one that has\. Left out of .*: 1 HEIC \(a\.heic\)"):
        FolderCamera(tmp_path).ping()
    put(tmp_path, "b.jpg")
    told = triof("--set", f"camera.folder={tmp_path}", "doctor").stdout
    assert f"warn  camera       Left out of {tmp_path}: 1 HEIC" in told


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set with a photo of each kind that has to be told of."""
    monkeypatch.chdir(tmp_path)
    for label in ("bottle", "cup"):
        for number in range(3):
            put(tmp_path, f"set/{label}/{number}.jpg", encoded(draw(label, number)))
    put(tmp_path, "set/cup/x.tif", CONTENTS["TIFF"])
    put(tmp_path, "set/verre/1.jpg")
    return tmp_path / "set"


COMMANDS: dict[str, Sequence[Any]] = {
    "classify": (*FAKE, "classify", "SET"),
    "check": ("dataset", "check", "SET", "--no-report", "--json"),
    "split": ("dataset", "split", "SET", "--out", "new.csv"),
    "augment": (
        "dataset",
        "augment",
        "SET",
        "--out",
        "copies",
        "--split",
        "train",
        "--split",
        "val",
        "--split",
        "test",
    ),
    "collect": ("dataset", "collect", "SET", "--label", "cup", "--source", "folder", "--out", "new"),
    "train": ("train", "waste_type", "--data", "SET", "--epochs", "0"),
    "evaluate": ("evaluate", "waste_type", "--data", "SET", "--split", "test", "--no-report"),
    "install": ("bundles", "install", "SET", "--photos", "SET"),
    "compare": ("models", "compare", "--data", "SET"),
    "label": ("dataset", "label", "SET", "--order", "as-is", "--port", "PORT"),
}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_reads_a_folder_says_what_it_left_out(tree: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = {"SET": tree, "PORT": taken.getsockname()[1]}
        ran = triof(*(given.get(argument, argument) for argument in COMMANDS[command]))
    assert "Traceback" not in ran.output
    assert ran.exception is None or isinstance(ran.exception, SystemExit)
    assert f"Left out of {tree}: 1 TIFF (cup/x.tif)" in ran.stderr
    if command not in ("classify", "collect"):
        assert f"Left out of {tree}: 1 photo not in a folder called bottle, cup" in ran.stderr
        assert "verre (1)" in ran.stderr
    if command == "check":
        assert len(json.loads(ran.stdout)["remarks"]) == 2
