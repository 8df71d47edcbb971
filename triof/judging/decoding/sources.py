"""Opens image files of each format without decoding: their size, the cost of decoding, and the decoder."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image

from triof.common.image_format import ImageFormat
from triof.judging.decoding import jpeg, orientation, png, webp
from triof.judging.decoding.budget import MeteredBytes
from triof.judging.decoding.errors import DecodingError, Oversized, Undecodable, Unsupported
from triof.judging.decoding.flattening import flattened

_JPEG_SCALES = (8, 4, 2)
_PADDING_TRIES = 4
"""libjpeg reports the length of padding up to eight bytes too short, because it reads ahead."""
_MORE_DATA = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
"""libjpeg's warning about excess data before the end marker."""
_KEPT_WHOLE_PIXELS = 4_000_000
"""Pixels up to which a picture is not reduced, if its decoder cannot reduce while reading."""
_NATIVE_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2}
"""Bytes of one pixel in Pillow; 4 in every other mode."""
_WEBP_BYTES = 16
"""Bytes per pixel: two canvases, the frame and the picture; measured."""
_HEIC_BYTES = 10


@dataclass(frozen=True)
class ImageSource:
    """An image that can be decoded. Width and height are as stored; ``orientation`` (1 to 8) as in EXIF."""

    width: int
    height: int
    orientation: int
    shrinks_to: Callable[[int], int]
    """Return the largest factor, at most the given one, by which the decoder can reduce both sides."""
    bytes_for: Callable[[int], int]
    """Return the bytes that decoding with such a factor takes, without the resulting RGB picture."""
    decode: Callable[[int], Image.Image]
    """Decode to RGB, reduced by such a factor. Raises DecodingError."""


def open_source(image: bytes, format_: ImageFormat, seconds: float) -> ImageSource:
    """Open ``image`` within ``seconds`` of processor time. Raises DecodingError."""
    try:
        return _OPENERS[format_](image, seconds)
    except (DecodingError, ImportError):
        raise
    except Image.DecompressionBombError as error:
        raise Oversized(str(error)) from error
    except Exception as error:
        # On damaged files Pillow raises OSError, SyntaxError, ValueError, struct.error, ...
        raise Undecodable(str(error)) from error


def _jpeg(image: bytes, seconds: float) -> ImageSource:
    file = jpeg.read(image)
    if file.has_gap:
        raise Undecodable("zeros in a scan")

    def decode(factor: int) -> Image.Image:
        least = {"min_height": _up(file.height, factor), "min_width": _up(file.width, factor), "min_factor": factor}
        if file.components in (1, 3):
            return Image.fromarray(_strictly(file, {**least, "colorspace": "RGB"}))
        _strictly(file, {"min_height": 1, "min_width": 1, "min_factor": 8, "colorspace": "CMYK"})
        opened = Image.open(MeteredBytes(file.lean, seconds), formats=("JPEG",))
        opened.draft(None, (least["min_width"], least["min_height"]))
        opened.load()
        return opened.convert("RGB")

    def bytes_for(factor: int) -> int:
        return file.buffered_bytes + 4 * _up(file.width, factor) * _up(file.height, factor)

    return ImageSource(
        file.width,
        file.height,
        file.orientation,
        lambda most: next((scale for scale in _JPEG_SCALES if scale <= most), 1),
        bytes_for,
        decode,
    )


def _strictly(file: jpeg.JpegFile, how: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Decode, and treat every warning of libjpeg, which Pillow hides, as damage.

    Raises ValueError, Undecodable, Unsupported.
    """
    for _ in range(_PADDING_TRIES):
        try:
            return _array(simplejpeg.decode_jpeg(file.lean, strict=True, **how))
        except ValueError as error:
            if "subsampling level" in str(error):
                raise Unsupported("an unusual subsampling of the colours") from error
            more = _MORE_DATA.search(str(error))
            if not more:
                raise
        file = file.without_padding(int(more[1]))
    raise Undecodable("more data than the picture has")


def _array(decoded: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(decoded, np.uint8)


def _png(image: bytes, seconds: float) -> ImageSource:
    file = png.read(image)
    opened = Image.open(MeteredBytes(file.lean, seconds), formats=("PNG",))
    return _pillow(opened, file.orientation, has_16_bits=file.bits == 16)


def _webp(image: bytes, seconds: float) -> ImageSource:
    file = webp.read(image)

    def decode(factor: int) -> Image.Image:
        opened = Image.open(MeteredBytes(file.lean, seconds), formats=("WEBP",))
        return _pillow(opened, file.orientation).decode(factor)

    width, height = file.width, file.height
    shrinks_to = _afterwards(width, height)
    return ImageSource(width, height, file.orientation, shrinks_to, lambda _: width * height * _WEBP_BYTES, decode)


def _gif(image: bytes, seconds: float) -> ImageSource:
    return _pillow(Image.open(MeteredBytes(image, seconds), formats=("GIF",)), orientation.UPRIGHT)


def _bmp(image: bytes, seconds: float) -> ImageSource:
    return _pillow(Image.open(MeteredBytes(image, seconds), formats=("BMP",)), orientation.UPRIGHT)


def _heic(image: bytes, seconds: float) -> ImageSource:
    """Open a HEIC file. Raises ImportError unless the extra ``heic`` is installed."""
    import pi_heif

    opened = pi_heif.open_heif(image, convert_hdr_to_8bit=True)
    width, height = opened.size

    def decode(factor: int) -> Image.Image:
        return flattened(opened.to_pillow(), factor)

    # libheif applies the orientation itself.
    shrinks_to = _afterwards(width, height)
    return ImageSource(width, height, orientation.UPRIGHT, shrinks_to, lambda _: width * height * _HEIC_BYTES, decode)


_OPENERS: Mapping[ImageFormat, Callable[[bytes, float], ImageSource]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "GIF": _gif,
    "BMP": _bmp,
    "HEIC": _heic,
}
"""The opener of each of ``image_format.FORMATS``."""


def _pillow(opened: Image.Image, turned: int, *, has_16_bits: bool = False) -> ImageSource:
    width, height = opened.size
    native = width * height * _NATIVE_BYTES.get(opened.mode, 4)

    def decode(factor: int) -> Image.Image:
        try:
            opened.load()
            return flattened(opened, factor, has_16_bits=has_16_bits)
        finally:
            # Frees the pixels now instead of with the source.
            opened.close()

    return ImageSource(width, height, turned, _afterwards(width, height), lambda _: native, decode)


def _afterwards(width: int, height: int) -> Callable[[int], int]:
    """Return the factors for a picture that is reduced after decoding; only 1 if reducing would gain little."""
    return lambda most: most if width * height > _KEPT_WHOLE_PIXELS else 1


def _up(number: int, divisor: int) -> int:
    return -(-number // divisor)
