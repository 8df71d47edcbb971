"""Decodes image bytes to :class:`Photo`; the only module that decodes photos for judging.

Any input (a wrong extension, a decompression bomb, a web page) becomes an upright RGB picture or a PhotoError.
"""

import hashlib
import struct
import warnings
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Literal

from PIL import Image

from providers.base import Photo
from triof.common.errors import TriofError
from triof.common.image_format import FORMATS, HEAD_BYTES, ImageFormat, image_format
from triof.judging.decoding import jpeg
from triof.judging.decoding.budget import MemoryGate
from triof.judging.decoding.errors import (
    DecoderBusy,
    DecodingError,
    Invisible,
    Oversized,
    TooCostly,
    Undecodable,
    Unlit,
    Unsupported,
)
from triof.judging.decoding.orientation import is_sideways, upright
from triof.judging.decoding.sources import ImageSource, open_source
from triof.settings.sections.photo import DEFAULT_LIMITS, PhotoLimits

# Pillow's own limit only warns; the limit of the settings raises.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

PhotoFault = Literal[
    "empty",
    "too_many_bytes",
    "not_a_photo",
    "heic",
    "unread_format",
    "too_many_pixels",
    "too_small",
    "too_long",
    "too_costly",
    "damaged",
    "transparent",
    "too_dark",
    "busy",
]


class PhotoError(TriofError):
    """The bytes are not a photo that can be judged; ``code`` is the reason, the message is for people."""

    def __init__(self, code: PhotoFault, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_passing(self) -> bool:
        """Whether the same photo may succeed a moment later."""
        return self.code == "busy"


_GATE = MemoryGate()
"""Shared by all threads, as memory belongs to the process."""


def load(image: bytes, limits: PhotoLimits = DEFAULT_LIMITS, *, needed_side: int | None = None) -> Photo:
    """Decode ``image``: JPEG, PNG, WebP, BMP or GIF (first frame), any mode, transparency over white.

    A JPEG is decoded at 1/2, 1/4 or 1/8 of its scale while both sides keep ``needed_side`` pixels (None: at full
    scale); other large pictures are reduced likewise. Of the metadata only the orientation is used.
    Raises PhotoError.
    """
    check_length(len(image), limits)
    format_ = image_format(image[:HEAD_BYTES])
    try:
        source = _open(image, format_, limits)
        _check_size(source.width, source.height, limits)
        picture = upright(_decode(source, limits, needed_side), source.orientation)
    except DecodingError as error:
        raise _photo_error(error, limits) from error
    picture.info.clear()
    width, height = source.width, source.height
    if is_sideways(source.orientation):
        width, height = height, width
    return Photo(picture, hashlib.sha256(image).hexdigest(), width, height)


def _open(image: bytes, format_: ImageFormat | None, limits: PhotoLimits) -> ImageSource:
    """Open the image. Raises PhotoError, DecodingError."""
    if format_ is None:
        raise PhotoError("not_a_photo", "This is not a photo: send a JPEG, PNG, WebP, BMP or GIF.")
    if format_ not in FORMATS:
        raise PhotoError("unread_format", f"This is a {format_} image: send a JPEG, PNG, WebP, BMP or GIF.")
    try:
        return open_source(image, format_, limits.decode_seconds)
    except ImportError as error:
        raise PhotoError(
            "heic",
            "This is a HEIC photo: on an iPhone choose Settings > Camera > Formats > Most Compatible, on another phone"
            " turn high efficiency pictures off, and take it again; or install triof[heic] on this machine.",
        ) from error


def _decode(source: ImageSource, limits: PhotoLimits, needed_side: int | None) -> Image.Image:
    """Decode to RGB. Raises DecodingError."""
    factor = source.shrinks_to(_largest_factor(source, needed_side))
    # Plus the RGB picture, at Pillow's 4 bytes per pixel.
    size = source.bytes_for(factor) + 4 * (source.width // factor) * (source.height // factor)
    with _GATE.reserved(size, limits.decode_megabytes * 1_000_000, limits.wait_seconds):
        try:
            return source.decode(factor)
        except DecodingError as error:
            fault = type(error)(*error.args)
        except MemoryError:
            fault = TooCostly("there is too little memory")
        # On damaged files decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        except Exception as error:
            fault = Undecodable(str(error))
        # Raised outside the handler, as the traceback of the error would keep the pixels alive.
        raise fault


def _largest_factor(source: ImageSource, needed_side: int | None) -> int:
    if not needed_side:
        return 1
    return max(1, min(source.width, source.height) // needed_side)


def _photo_error(error: DecodingError, limits: PhotoLimits) -> PhotoError:
    """Return the PhotoError for a decoding error."""
    match error:
        case Unsupported():
            return PhotoError(
                "unread_format", f"This kind of image is not read ({error}): save it as an ordinary JPEG."
            )
        case Invisible():
            return PhotoError("transparent", "Every pixel of this picture is transparent: send a photo of the item.")
        case Unlit():
            return PhotoError(
                "too_dark", f"The picture is too dark ({error}): take it with more light, or with 8 bits."
            )
        case Oversized():
            return _too_many_pixels(limits)
        case TooCostly():
            return PhotoError("too_costly", f"The picture cannot be decoded: {error}. Send a smaller one, or a JPEG.")
        case DecoderBusy():
            return PhotoError("busy", "Other large photos are being decoded: send it again in a moment.")
        case _:
            return PhotoError("damaged", "The photo is damaged and cannot be read to its end: take it again.")


def to_jpeg(image: bytes, limits: PhotoLimits = DEFAULT_LIMITS, *, longest_side: int = 1280) -> bytes:
    """Encode the photo as a JPEG to store: upright, no metadata, its longest side at most ``longest_side`` pixels.

    Raises PhotoError.
    """
    picture = load(image, limits, needed_side=longest_side).picture
    picture.thumbnail((longest_side, longest_side))
    jpeg = BytesIO()
    picture.save(jpeg, "JPEG", quality=88)
    return jpeg.getvalue()


def is_plain(image: bytes, formats: tuple[str, ...]) -> bool:
    """Return whether every reader of ``formats`` decodes the file alike: upright, opaque, one frame, only pixels.

    A file with anything else in it, known or not, is not plain. The pixels themselves are not decoded.
    """
    try:
        with Image.open(BytesIO(image), formats=formats) as opened:
            is_bare = _BARE.get(opened.format or "")
            return opened.mode in ("RGB", "L") and is_bare is not None and is_bare(image)
    except Exception:
        # As in load, a damaged file may raise anything.
        return False


def check_length(length: int, limits: PhotoLimits) -> None:
    """Raise PhotoError for a file that is empty or has too many bytes, before it is read."""
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


_PNG_PARTS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"sRGB", b"gAMA", b"cHRM", b"pHYs"})


def _is_bare_jpeg(image: bytes) -> bool:
    return jpeg.read(image).lean == image


def _is_bare_png(image: bytes) -> bool:
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", image, at)
        if kind not in _PNG_PARTS:
            return False
        at += 12 + length
    return length == 0 and at == len(image)


def _is_bare_bmp(image: bytes) -> bool:
    """Return whether it has 24 bits or 8 of grey, uncompressed, without a gap or a palette of its own."""
    offset, header, width, height, _, bits, compression = struct.unpack_from("<IIiiHHI", image, 10)
    palette = bytes(value for grey in range(256) for value in (grey, grey, grey, 0)) if bits == 8 else b""
    plain = (header, compression) == (40, 0) and bits in (8, 24) and image[54:offset] == palette
    return plain and len(image) == offset + (width * bits + 31) // 32 * 4 * abs(height)


_BARE: Mapping[str, Callable[[bytes], bool]] = {"JPEG": _is_bare_jpeg, "PNG": _is_bare_png, "BMP": _is_bare_bmp}
"""Checks, by format, whether a file contains only what its pixels need; other formats are not checked."""
