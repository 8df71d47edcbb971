"""Bytes to photo: every kind of picture becomes upright RGB, everything else a sentence."""

import struct
import tracemalloc
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from testing.image_files import HOSTILE, chunk, encoded
from triof.judging import photo
from triof.judging.photo import PhotoError
from triof.settings.sections.photo import PhotoLimits

RED = (255, 0, 0)


CODES = {
    "empty": "empty",
    "truncated": "damaged",
    "truncated_png": "damaged",
    "bomb": "too_many_pixels",
    "wide_bomb": "too_many_pixels",
    "one_pixel": "too_small",
    "line": "too_small",
    "jpeg_marker_only": "damaged",
    "tiff": "unread_format",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(PhotoError) as refused:
        photo.load(HOSTILE[name])
    assert refused.value.code == CODES.get(name, "not_a_photo")
    assert str(refused.value).endswith(".")


def test_a_bomb_takes_no_memory() -> None:
    tracemalloc.start()
    with pytest.raises(PhotoError):
        photo.load(HOSTILE["bomb"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.slow
@given(
    st.binary(max_size=400), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"RIFF"])
)
def test_no_bytes_raise_anything_but_a_photo_error(tail: bytes, magic: bytes) -> None:
    try:
        photo.load(magic + tail)
    except PhotoError as error:
        assert str(error)


@given(st.integers(0, 6000), st.integers(0, 255))
def test_no_damage_raises_anything_but_a_photo_error(position: int, value: int) -> None:
    image = bytearray(DAMAGEABLE)
    image[position % len(image)] = value
    try:
        photo.load(bytes(image), needed_side=32)
    except PhotoError as error:
        assert str(error)


DAMAGEABLE = encoded(Image.effect_noise((80, 80), 50).convert("RGB"))


MODES = {
    "JPEG": ("1", "L", "RGB", "CMYK", "YCbCr"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "WEBP": ("L", "RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "GIF": ("1", "L", "P", "RGB", "RGBA"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("format_", "mode"), [(format_, mode) for format_ in MODES for mode in MODES[format_]])
def test_every_mode_of_every_format_becomes_rgb(format_: str, mode: str) -> None:
    picture = photo.load(encoded(Image.new("RGB", (64, 48), RED).convert(mode), format_)).picture
    assert picture.mode == "RGB"
    assert picture.size == (64, 48)
    if mode not in ("1", "L", "LA"):
        assert picture.getpixel((32, 24)) == pytest.approx(RED, abs=30)


def test_transparency_lies_over_white() -> None:
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    clear.paste("black", (32, 0, 64, 64))
    assert photo.load(encoded(clear, "PNG")).picture.getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (64, 64), 1)
    palette.paste(0, (32, 0, 64, 64))
    palette.putpalette([200, 0, 0, 0, 0, 200])
    assert photo.load(encoded(palette, "PNG", transparency=1)).picture.getpixel((0, 0)) == (
        255,
        255,
        255,
    )


def test_sixteen_bits_of_grey_keep_their_brightness() -> None:
    grey = Image.fromarray(np.full((64, 64), 32_896, np.uint16))
    assert photo.load(encoded(grey, "PNG")).picture.getpixel((0, 0)) == (128, 128, 128)


def test_only_the_first_frame_of_a_gif_counts() -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    image = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert photo.load(image).picture.getpixel((0, 0)) == pytest.approx(RED, abs=5)


@pytest.mark.parametrize("needed_side", [None, 64])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_photo_is_upright_and_its_metadata_gone(orientation: int, needed_side: int | None) -> None:
    upright = Image.new("RGB", (320, 240), "white")
    upright.paste("red", (0, 0, 160, 120))
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turns[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Maker"
    image = encoded(stored, exif=exif)
    loaded = photo.load(image, needed_side=needed_side)
    assert (loaded.width, loaded.height) == (320, 240)
    width, height = loaded.picture.size
    assert loaded.picture.getpixel((width // 8, height // 8)) == pytest.approx(RED, abs=40)
    assert loaded.picture.getpixel((width - 4, height - 4)) == pytest.approx((255, 255, 255), abs=40)
    assert not loaded.picture.info
    kept = Image.open(BytesIO(photo.to_jpeg(image)))
    assert not kept.getexif()
    assert kept.size == (320, 240)


def test_a_jpeg_is_decoded_at_the_scale_that_is_needed() -> None:
    image = encoded(Image.new("RGB", (1280, 720)))
    assert photo.load(image, needed_side=224).picture.size == (640, 360)
    assert photo.load(image, needed_side=90).picture.size == (160, 90)
    assert photo.load(image).picture.size == (1280, 720)


def test_the_limits_of_the_settings_hold(jpeg: bytes) -> None:
    for limits, code in (
        (PhotoLimits(max_bytes=10), "too_many_bytes"),
        (PhotoLimits(max_pixels=1000), "too_many_pixels"),
        (PhotoLimits(min_side=481), "too_small"),
        (PhotoLimits(max_side=639), "too_long"),
    ):
        with pytest.raises(PhotoError) as refused:
            photo.load(jpeg, limits)
        assert refused.value.code == code


def test_the_keepsake_is_no_larger_than_asked(jpeg: bytes) -> None:
    assert Image.open(BytesIO(photo.to_jpeg(jpeg, longest_side=320))).size == (320, 240)


def test_the_real_broken_downloads_are_refused(dataset: Path) -> None:
    broken = sorted((dataset / "broken").iterdir())
    assert broken
    for path in broken:
        with pytest.raises(PhotoError):
            photo.load(path.read_bytes())


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


NOISE = Image.effect_noise((96, 64), 50)
PLAIN = {
    "jpeg": encoded(NOISE.convert("RGB")),
    "grey_jpeg": encoded(NOISE),
    "progressive_jpeg": encoded(NOISE.convert("RGB"), progressive=True),
    "jpeg_with_restarts": encoded(NOISE.convert("RGB"), restart_marker_blocks=2),
    "png": encoded(NOISE.convert("RGB"), "PNG", dpi=(72, 72)),
    "bmp": encoded(NOISE.convert("RGB"), "BMP"),
    "grey_bmp": encoded(NOISE, "BMP"),
}
_JPEG, _PNG, _BMP = PLAIN["jpeg"], PLAIN["png"], PLAIN["bmp"]
_PLACE = Image.Exif()
_PLACE[0x010E] = "at home"
NOT_PLAIN = {
    "exif": encoded(NOISE, exif=_PLACE),
    "xmp": _JPEG[:2] + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta GPS/>") + _JPEG[2:],
    "iptc": _JPEG[:2] + segment(0xED, b"Photoshop 3.0\08BIM\4\4\0\0\0\0\0\4home") + _JPEG[2:],
    "comment": encoded(NOISE, comment=b"at home"),
    "thumbnail": _JPEG[:2] + segment(0xE0, b"JFXX\0\x10" + _JPEG) + _JPEG[2:],
    "profile": encoded(NOISE, icc_profile=b"x" * 200),
    "late_comment": _JPEG[:-2] + segment(0xFE, b"at home") + _JPEG[-2:],
    "jpeg_and_more": _JPEG + b"\0",
    "jpeg_without_end": _JPEG[:-2],
    "png_text": _PNG[:33] + chunk(b"tEXt", b"GPS\0at home") + _PNG[33:],
    "png_exif": encoded(NOISE, "PNG", exif=_PLACE),
    "png_and_more": _PNG + b"at home",
    "bmp_and_more": _BMP + b"at home",
    "bmp_with_a_gap": _BMP[:10] + struct.pack("<I", 58) + _BMP[14:54] + b"home" + _BMP[54:],
    "gif": encoded(NOISE, "GIF"),
    "transparent": encoded(NOISE.convert("RGBA"), "PNG"),
}
SENT = ("JPEG", "PNG", "BMP", "GIF")


@pytest.mark.parametrize("name", PLAIN)
def test_nothing_but_pixels_is_plain(name: str) -> None:
    assert photo.is_plain(PLAIN[name], SENT)
    assert not photo.is_plain(PLAIN[name], ("GIF",))


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_holds_more_than_pixels_is_not_plain(name: str) -> None:
    assert not photo.is_plain(NOT_PLAIN[name], SENT)
