"""One frame of a device, with the small grey copy by which it is checked and chosen."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from triof.machine.cameras.base import CameraLost

GREY_WIDTH = 320
_QUALITY = 92

Bytes8 = NDArray[np.uint8]


@dataclass(frozen=True)
class CameraFrame:
    """A whole frame. ``grey``: (height, GREY_WIDTH); equal frames have equal digests; ``encode`` returns a JPEG."""

    grey: Bytes8
    digest: int
    encode: Callable[[], bytes]


def from_pixels(pixels: Bytes8) -> CameraFrame:
    """Make a frame of BGR ``pixels``, (height, width, 3), which nothing else may change afterwards."""
    # Green holds most of the luma; every second pixel is enough for a picture that is reduced anyway.
    green = np.ascontiguousarray(pixels[::2, ::2, 1])
    # Single pixels, as the noise that tells two frames apart vanishes in means.
    digest = zlib.crc32(pixels[::4, ::4].tobytes())
    return CameraFrame(_reduced(green), digest, lambda: _encode(pixels))


def from_jpeg(image: bytes) -> CameraFrame:
    """Make a frame of a JPEG. Raises CameraLost if it is none, or is not whole."""
    try:
        grey = simplejpeg.decode_jpeg(image, colorspace="GRAY", min_width=GREY_WIDTH, min_height=1)
    except ValueError as error:
        raise CameraLost("The camera sends broken pictures: check its cable and its network.") from error
    return CameraFrame(_reduced(grey[:, :, 0]), zlib.crc32(image), lambda: image)


def _reduced(grey: Bytes8) -> Bytes8:
    height, width = grey.shape
    size = GREY_WIDTH, max(16, round(height * GREY_WIDTH / width))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))


def _encode(pixels: Bytes8) -> bytes:
    image: bytes = simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorspace="BGR", colorsubsampling="420")
    return image
