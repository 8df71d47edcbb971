"""Cameras give image bytes or say what is missing."""

import random
from pathlib import Path

import pytest

from triof.drills.fault_file import FaultFile, FaultyCamera, InjectedFault
from triof.machine.cameras.base import CameraError, NothingChosen
from triof.machine.cameras.browser import BrowserCamera
from triof.machine.cameras.folder import FolderCamera


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.png", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_a_fixed_order_goes_by_name_and_begins_anew(folder: Path) -> None:
    camera = FolderCamera(folder)
    assert [camera.take(None) for _ in range(3)] == [b"a.png", b"b.jpg", b"a.png"]


def test_a_random_order_shows_all(folder: Path) -> None:
    camera = FolderCamera(folder, "random", random.Random(1).choice)
    assert {camera.take(None) for _ in range(20)} == {b"a.png", b"b.jpg"}


def test_a_picture_added_while_running_is_shown(folder: Path) -> None:
    camera = FolderCamera(folder)
    camera.take(None)
    (folder / "aa.gif").write_bytes(b"new")
    assert camera.take(None) == b"new"


def test_a_preview_shows_the_picture_taken_last_and_consumes_none(folder: Path) -> None:
    camera = FolderCamera(folder)
    assert [camera.preview(), camera.preview(), camera.take(None), camera.take(None)] == [b"a.png"] * 3 + [b"b.jpg"]
    assert camera.preview() == b"b.jpg"
    (folder / "b.jpg").unlink()
    assert camera.preview() == b"a.png"


def test_the_touchscreens_camera_has_no_preview() -> None:
    with pytest.raises(NothingChosen, match="touchscreen"):
        BrowserCamera().preview()


def test_a_drill_takes_the_preview_too(folder: Path, tmp_path: Path) -> None:
    camera = FaultyCamera(FolderCamera(folder), tmp_path)
    assert camera.preview() == b"a.png"
    FaultFile(tmp_path).set(InjectedFault("camera_gone", "http://127.0.0.1:1"), 30)
    with pytest.raises(CameraError, match="drill"):
        camera.preview()


def test_a_folder_without_pictures_names_the_setting(tmp_path: Path) -> None:
    for check in (FolderCamera(tmp_path).ping, lambda: FolderCamera(tmp_path / "no").take(None)):
        with pytest.raises(CameraError, match=r"camera\.folder"):
            check()


def test_a_folder_that_is_none_says_which_and_what_to_do(folder: Path) -> None:
    for path, why in ((folder / "no", "does not exist"), (folder / "a.png", "is not a folder")):
        with pytest.raises(CameraError, match=rf"{path} {why}: set camera\.folder"):
            FolderCamera(path).ping()


def test_the_touchscreen_sends_the_picture_or_nothing() -> None:
    assert BrowserCamera().take(b"photo") == b"photo"
    for nothing in (None, b""):
        with pytest.raises(NothingChosen):
            BrowserCamera().take(nothing)
