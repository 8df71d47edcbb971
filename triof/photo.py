"""Bytes to :class:`Photo`: the only place where pictures are decoded.

Whatever comes in (a wrong extension, a bomb, a web page) either becomes an upright RGB picture or a PhotoError.
"""

import hashlib
import re
import struct
import warnings
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Literal

from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import Field

from providers.base import Photo
from providers.options import Options
from triof.errors import TriofError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")

# Pillow measures bombs by a limit of its own and prints a warning; ours stands in the settings and raises.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

PhotoFault = Literal["empty", "too_many_bytes", "not_a_photo", "too_many_pixels", "too_small", "too_long", "damaged"]


class PhotoError(TriofError):
    """These bytes are not a photo that can be judged; ``code`` says why, the message tells a person."""

    def __init__(self, code: PhotoFault, message: str) -> None:
        super().__init__(message)
        self.code = code


class PhotoLimits(Options):
    """What a photo may be. Sides and pixels are those of the whole image, before any reduction."""

    max_bytes: int = Field(20_000_000, ge=1)
    max_pixels: int = Field(50_000_000, ge=1, le=170_000_000)
    min_side: int = Field(32, ge=1)
    max_side: int = Field(12_000, ge=1)


DEFAULT_LIMITS = PhotoLimits()


def load(image: bytes, limits: PhotoLimits = DEFAULT_LIMITS, *, needed_side: int | None = None) -> Photo:
    """Decode ``image``: JPEG, PNG, WebP, BMP or GIF (first frame), any mode, transparency over white.

    A JPEG is decoded at 1/2, 1/4 or 1/8 of its scale as long as both sides keep ``needed_side`` pixels (None: at
    full scale). Raises PhotoError.
    """
    check_length(len(image), limits)
    try:
        # Opening reads the header only, so that a bomb is turned away before its pixels take memory.
        with Image.open(BytesIO(image), formats=FORMATS) as opened:
            width, height = opened.size
            _check_size(width, height, limits)
            if _stands_sideways(opened):
                width, height = height, width
            if needed_side:
                opened.draft("RGB", (needed_side, needed_side))
            opened.load()
            ImageOps.exif_transpose(opened, in_place=True)
            picture = _to_rgb(opened)
    except PhotoError:
        raise
    except UnidentifiedImageError as error:
        raise PhotoError("not_a_photo", "This is not a photo: send a JPEG, PNG, WebP, BMP or GIF.") from error
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(limits) from error
    # Pillow's decoders raise whatever the damage leads to: OSError, SyntaxError, ValueError, struct.error, ...
    except Exception as error:
        raise PhotoError("damaged", "The photo is damaged and cannot be read to its end: take it again.") from error
    return Photo(picture, hashlib.sha256(image).hexdigest(), width, height)


def keepsake(image: bytes, limits: PhotoLimits = DEFAULT_LIMITS, *, longest_side: int = 1280) -> bytes:
    """The photo as a JPEG to keep: upright, without metadata, its longest side at most ``longest_side`` pixels.

    Raises PhotoError.
    """
    picture = load(image, limits).picture
    picture.thumbnail((longest_side, longest_side))
    jpeg = BytesIO()
    picture.save(jpeg, "JPEG", quality=88)
    return jpeg.getvalue()


def is_plain(image: bytes, formats: tuple[str, ...]) -> bool:
    """Whether everybody who reads one of ``formats`` sees what we see: upright, opaque, one frame, nothing but pixels.

    A file with anything else in it, be it known or not, is not plain. Whether the pixels can be read shows when they
    are.
    """
    try:
        with Image.open(BytesIO(image), formats=formats) as opened:
            is_bare = _BARE.get(opened.format or "")
            return opened.mode in ("RGB", "L") and is_bare is not None and is_bare(image)
    except Exception:
        # As in load, anything may come of damage.
        return False


def check_length(length: int, limits: PhotoLimits) -> None:
    """Raise PhotoError if a file of ``length`` bytes is no photo to judge, before it is read."""
    if not length:
        raise PhotoError("empty", "The file is empty: take the photo again.")
    if length > limits.max_bytes:
        raise PhotoError(
            "too_many_bytes",
            f"The file has {length / 1e6:.1f} MB, more than the {limits.max_bytes / 1e6:.1f} MB allowed:"
            " send a smaller one.",
        )


def _check_size(width: int, height: int, limits: PhotoLimits) -> None:
    if width * height > limits.max_pixels:
        raise _too_many_pixels(limits)
    if min(width, height) < limits.min_side:
        raise PhotoError(
            "too_small",
            f"The photo is only {width} x {height} pixels: each side needs at least {limits.min_side}.",
        )
    if max(width, height) > limits.max_side:
        raise PhotoError(
            "too_long",
            f"The photo is {width} x {height} pixels: no side may be longer than {limits.max_side}.",
        )


def _too_many_pixels(limits: PhotoLimits) -> PhotoError:
    return PhotoError(
        "too_many_pixels",
        f"The photo has more than the {limits.max_pixels / 1e6:.0f} million pixels allowed: send a smaller one.",
    )


_JPEG_PARTS = frozenset({*range(0xC0, 0xD0), 0xDB, 0xDD} - {0xC8, 0xCC})
"""The SOFs, DHT, DQT and DRI: what is needed to decode."""
_JFIF, _ADOBE, _SOS, _EOI = 0xE0, 0xEE, 0xDA, 0xD9
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7]")
"""Within a scan 0xFF is followed by 0 or by the number of a restart."""
_PNG_PARTS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"sRGB", b"gAMA", b"cHRM", b"pHYs"})


def _is_bare_jpeg(image: bytes) -> bool:
    at = 2
    while image[at] == 0xFF and image[at + 1] != _EOI:
        marker, length = image[at + 1], int.from_bytes(image[at + 2 : at + 4])
        body = image[at + 4 : at + 2 + length]
        known = (
            marker in _JPEG_PARTS
            or marker == _SOS
            # 14 bytes are a JFIF without a thumbnail.
            or (marker == _JFIF and body.startswith(b"JFIF\0") and len(body) == 14)
            or (marker == _ADOBE and body.startswith(b"Adobe") and len(body) == 12)
        )
        if not known or length < 2:
            return False
        at += 2 + length
        if marker == _SOS:
            end = _AFTER_SCAN.search(image, at)
            at = end.start() if end else len(image)
    return image[at:] == bytes((0xFF, _EOI))


def _is_bare_png(image: bytes) -> bool:
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", image, at)
        if kind not in _PNG_PARTS:
            return False
        at += 12 + length
    return length == 0 and at == len(image)


def _is_bare_bmp(image: bytes) -> bool:
    """24 bits, or 8 of grey; not compressed, without a gap or a palette of its own."""
    offset, header, width, height, _, bits, compression = struct.unpack_from("<IIiiHHI", image, 10)
    palette = bytes(value for grey in range(256) for value in (grey, grey, grey, 0)) if bits == 8 else b""
    plain = (header, compression) == (40, 0) and bits in (8, 24) and image[54:offset] == palette
    return plain and len(image) == offset + (width * bits + 31) // 32 * 4 * abs(height)


_BARE: Mapping[str, Callable[[bytes], bool]] = {"JPEG": _is_bare_jpeg, "PNG": _is_bare_png, "BMP": _is_bare_bmp}
"""By format, whether a file holds nothing but what its pixels need; of others nobody knows."""

_ORIENTATION_TAG = 0x0112


def _stands_sideways(picture: Image.Image) -> bool:
    return picture.getexif().get(_ORIENTATION_TAG, 1) in (5, 6, 7, 8)


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip at 255
        picture = picture.convert("I").point(lambda value: value / 257).convert("L")
    elif picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
    rgb.info.clear()
    return rgb
