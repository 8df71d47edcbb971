"""What a picture of the slot shows beside the empty slot."""

import numpy as np
import pytest
from PIL import Image

from tests.support.slot_scenes import MIDDLE, SIZE, Rectangle, slot
from triof.machine.empty_slot.comparison import Comparison, compare, nearest
from triof.machine.empty_slot.item import Box, with_margin
from triof.machine.empty_slot.pictures import Background, reduced, reduced_size

EMPTY = Background(reduced(slot(seed=99), reduced_size(*SIZE)))


def seen(picture: Image.Image, background: Background = EMPTY) -> Comparison:
    return compare(background, reduced(picture, background.size))


def overlap(box: Box | None, item: Rectangle) -> float:
    """Intersection over union."""
    assert box
    left, top, right, bottom = (side / length for side, length in zip(item, (*SIZE, *SIZE), strict=True))
    shared = max(0.0, min(box.right, right) - max(box.left, left)) * max(
        0.0, min(box.bottom, bottom) - max(box.top, top)
    )
    areas = (box.right - box.left) * (box.bottom - box.top) + (right - left) * (bottom - top)
    return shared / (areas - shared)


LIGHTS = [(1, 1, 1), (0.8, 0.8, 0.8), (1.2, 1.2, 1.2), (0.8, 0.85, 0.95)]


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("noise", [0, 1.5, 10])
@pytest.mark.parametrize("moved", [(0, 0), (6, -4)])
def test_an_empty_slot_is_empty_in_any_light(
    light: tuple[float, float, float], noise: float, moved: tuple[int, int]
) -> None:
    assert seen(slot(light=light, noise=noise, moved=moved)).state == "empty"


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("item", [MIDDLE, (80, 70, 110, 95), (60, 60, 560, 300), (300, 250, 560, 262)])
@pytest.mark.parametrize("moved", [(0, 0), (6, -4)])
def test_the_item_is_found(light: tuple[float, float, float], item: Rectangle, moved: tuple[int, int]) -> None:
    found = seen(slot(item, light=light, moved=moved))
    right, down = moved
    there = (item[0] + right, item[1] + down, item[2] + right, item[3] + down)
    assert found.state == "item"
    assert overlap(found.box, there) > 0.5


def test_a_pale_item_on_a_pale_tray_is_not_called_nothing() -> None:
    found = seen(slot(MIDDLE, colour="#d0d4d8"))
    assert found.state == "item"
    assert overlap(found.box, MIDDLE) > 0.8


@pytest.mark.parametrize(
    "item", [(-20, 100, 120, 160), (500, 100, 660, 160), (250, -10, 330, 90), (250, 300, 330, 380)]
)
def test_an_item_that_reaches_out_of_the_picture(item: Rectangle) -> None:
    assert seen(slot(item)).state == "reaches_out"


def test_an_item_near_the_edge_does_not_reach_out() -> None:
    assert seen(slot((22, 100, 120, 160))).state == "item"


def test_a_drop_at_the_edge_is_no_part_of_the_item() -> None:
    both = slot(MIDDLE)
    both.paste((120, 60, 20), (0, 200, 10, 210))
    assert seen(both).state == "item"


@pytest.mark.parametrize("moved", [(60, 0), (0, 45), (-70, 30)])
def test_a_camera_that_was_moved_shows_another_view(moved: tuple[int, int]) -> None:
    assert seen(slot(MIDDLE, moved=moved)).state == "other_view"


def test_a_small_shift_is_measured() -> None:
    right, down = seen(slot(MIDDLE, moved=(13, -7))).shift
    assert right == pytest.approx(13 / SIZE[0], abs=0.006)
    assert down == pytest.approx(-7 / SIZE[1], abs=0.012)


def test_a_greasy_lens_shows_another_view() -> None:
    assert seen(slot(greasy=True)).matching < 0.85


def test_a_dark_picture_is_no_empty_slot() -> None:
    assert seen(Image.new("RGB", SIZE)).state != "empty"


def test_the_nearest_of_many_backgrounds_is_taken() -> None:
    views = [Background(reduced(slot(moved=moved), EMPTY.size)) for moved in ((0, 0), (90, 0), (0, 60))]
    now = reduced(slot(MIDDLE, moved=(0, 60), light=(0.9, 0.9, 0.9)), EMPTY.size)
    assert nearest(views, now) is views[2]


def test_a_margin_stays_in_the_picture_and_makes_the_box_nearly_square() -> None:
    wide, high = 16 / 9, 1.0
    for box in (Box(0.0, 0.0, 0.1, 0.8), Box(0.3, 0.45, 0.9, 0.5), Box(0.9, 0.9, 1.0, 1.0), Box(0.0, 0.0, 1.0, 1.0)):
        cut = with_margin(box, 0.2, wide)
        assert min(cut) >= 0
        assert max(cut) <= 1
        assert cut.left <= box.left
        assert cut.right >= box.right
        assert cut.top <= box.top
        assert cut.bottom >= box.bottom
        sides = (cut.right - cut.left) * wide, (cut.bottom - cut.top) * high
        assert min(sides) >= 0.7 * max(sides) or max(cut.right - cut.left, cut.bottom - cut.top) == pytest.approx(1)


def test_pixels_are_read_as_channels_rows_and_columns() -> None:
    pixels = reduced(slot(), EMPTY.size)
    assert pixels.shape == (3, 108, 192)
    assert pixels.dtype == np.float32
