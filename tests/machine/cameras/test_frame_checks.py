"""Limits of pictures on real photos and on faults made from them; and which frame of a burst is chosen."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from testing.scripted_pictures import Bytes8, scene
from tools.measure_frame_limits import FAULTS, grey_copy
from triof.common.image_files import pictures_in
from triof.common.paths import DEMO_PICTURES
from triof.machine.cameras.burst import is_still, sharpest
from triof.machine.cameras.frame import CameraFrame, from_pixels
from triof.machine.cameras.frame_checks import fault_in, measure

pytestmark = pytest.mark.slow


def code(picture: Image.Image) -> str | None:
    fault = fault_in(measure(np.asarray(picture)))
    return fault.code if fault else None


def test_no_demo_picture_has_a_fault_not_even_the_empty_tray() -> None:
    assert {path.name: found for path in pictures_in(DEMO_PICTURES) if (found := code(grey_copy(path)))} == {}


def test_no_real_photo_has_a_fault(dataset: Path) -> None:
    paths = [path for path in pictures_in(dataset / "camera") if Image.open(path).width >= 320]
    assert len(paths) > 25
    assert {path.name: found for path in paths if (found := code(grey_copy(path)))} == {}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("lamp out (1/32 of the light)", "C3"),
        ("lens cap (noise alone)", "C3"),
        ("exposure x 8", "C4"),
        ("light into the lens", "C4"),
        ("focus off, sigma 16", "C5"),
        ("focus off, sigma 32", "C5"),
        ("tape or a hand on the lens", "C6"),
    ],
)
def test_a_fault_is_told_from_the_others(fault: str, expected: str) -> None:
    pictures = [FAULTS[fault](grey_copy(path)) for path in pictures_in(DEMO_PICTURES) if "empty" not in path.name]
    assert {code(picture) for picture in pictures} == {expected}


def frame(picture: Bytes8) -> CameraFrame:
    return from_pixels(picture[:, :, ::-1].copy())


def test_the_sharpest_frame_is_chosen_and_not_the_brightest() -> None:
    dim = (scene() * 0.6).astype(np.uint8)
    soft = np.asarray(Image.fromarray(scene()).filter(ImageFilter.GaussianBlur(1.5)))
    frames = [frame(soft), frame(dim), frame(soft)]
    assert sharpest(frames) is frames[1]


def test_of_equal_frames_the_latest_is_chosen() -> None:
    frames = [frame(scene()), frame(scene())]
    assert sharpest(frames) is frames[1]


def test_noise_is_no_movement_but_an_item_and_the_light_are() -> None:
    noisy = np.clip(scene() + np.random.default_rng(1).normal(0, 3, scene().shape), 0, 255).astype(np.uint8)
    moved = scene().copy()
    moved[60:90, 100:150] = 20
    brighter = np.clip(scene() * 1.2, 0, 255).astype(np.uint8)
    still = frame(scene())
    assert is_still(still, frame(noisy))
    assert not is_still(still, frame(moved))
    assert not is_still(still, frame(brighter))
