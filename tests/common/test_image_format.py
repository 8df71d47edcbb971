"""The first bytes tell the format, whatever the file is called."""

import pytest
from PIL import Image

from testing.image_files import HEIC, encoded
from triof.common.image_format import FORMATS, HEAD_BYTES, ImageFormat, image_format
from triof.judging import photo

PICTURE = Image.new("RGB", (40, 40), "red")
BRANDS = {"HEIC": (b"heic", b"mif1"), "AVIF": (b"avif", b"mif1")}


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_each_format_is_told_by_its_first_bytes(name: str) -> None:
    assert image_format(encoded(PICTURE, name)[:HEAD_BYTES]) == name


@pytest.mark.parametrize("name", BRANDS)
@pytest.mark.parametrize("major", [0, 1])
def test_heic_and_avif_are_told_by_their_brands(name: str, major: int) -> None:
    brands = BRANDS[name]
    assert image_format(b"\0\0\0\x18ftyp" + brands[major] + b"\0\0\0\0" + brands[1] + brands[0] + b"\0\0") == name


@pytest.mark.parametrize(
    "head", [b"", b"BMW is a car, not a picture", b"<!doctype html>", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", b"PK\3\4"]
)
def test_what_is_no_image_has_no_format(head: bytes) -> None:
    assert image_format(head) is None


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_that_is_said_to_be_decoded_is(name: ImageFormat) -> None:
    image = HEIC if name == "HEIC" else encoded(PICTURE, name)
    assert image_format(image[:HEAD_BYTES]) == name
    assert photo.load(image).picture.mode == "RGB"
