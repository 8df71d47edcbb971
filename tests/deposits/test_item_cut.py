"""A photo that is cut to the item's box before it is stored."""

from io import BytesIO

import pytest
from PIL import Image

from testing.image_files import encoded
from triof.deposits.item_cut import RelativeBox, cut_to_item


def photo() -> bytes:
    """A grey picture with a red hand at its left edge."""
    picture = Image.new("RGB", (640, 480), "grey")
    picture.paste("red", (0, 0, 160, 480))
    return encoded(picture)


def test_what_is_outside_of_the_box_is_gone() -> None:
    cut = cut_to_item(photo(), (0.3, 0.25, 0.8, 0.75))
    assert cut
    picture = Image.open(BytesIO(cut))
    assert (picture.size, picture.format) == ((320, 240), "JPEG")
    colours = picture.getextrema()
    assert all(low > 100 and high < 160 for low, high in colours), "grey alone"  # type: ignore[misc]


def test_without_a_box_nothing_may_be_kept() -> None:
    assert cut_to_item(photo(), None) is None


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((0.0, 0.0, 1.0, 1.0), (640, 480)),
        ((-0.5, -0.1, 1.5, 2.0), (640, 480)),
        ((0.5, 0.5, 0.5, 0.5), (1, 1)),
        ((1.0, 1.0, 1.0, 1.0), (1, 1)),
        ((0.9, 0.9, 0.1, 0.1), (1, 1)),
    ],
)
def test_a_box_at_the_edge_or_without_size_is_no_error(box: RelativeBox, size: tuple[int, int]) -> None:
    cut = cut_to_item(photo(), box)
    assert cut
    assert Image.open(BytesIO(cut)).size == size
