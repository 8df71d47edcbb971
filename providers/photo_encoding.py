"""Encodes photos within the limits of a cloud service."""

from io import BytesIO
from typing import NamedTuple

from PIL import Image

from providers.base import PhotoRejected

_JPEG_QUALITY = 90
_WORTH_SHRINKING = 1.5
"""A photo less than this factor larger is sent unchanged, as shrinking takes longer than it saves."""


class ImageLimits(NamedTuple):
    """The largest image that a service accepts."""

    max_bytes: int
    max_side: int
    """Pixels."""
    max_aspect: float
    """The longer side divided by the shorter one."""


def fits(width: int, height: int, side: int, limits: ImageLimits) -> bool:
    """Return whether a photo of this size can be sent unchanged for ``side``, within ``limits`` but for its bytes."""
    shorter, longer = sorted((width, height))
    return shorter < side * _WORTH_SHRINKING and longer <= min(limits.max_side, limits.max_aspect * shorter)


def fitted(picture: Image.Image, side: int, limits: ImageLimits) -> bytes:
    """Encode the picture as a JPEG within ``limits``, its shorter side about ``side`` pixels, no metadata.

    Raises PhotoRejected if the picture is too narrow for the service.
    """
    if max(picture.size) > limits.max_aspect * min(picture.size):
        raise PhotoRejected(f"The cloud takes no photo narrower than {limits.max_aspect:g}:1.", sent=False)
    shrunk = side / min(picture.size)
    scale = min(1.0, shrunk if shrunk * _WORTH_SHRINKING < 1 else 1.0, limits.max_side / max(picture.size))
    while len(jpeg := _jpeg(picture, scale)) > limits.max_bytes:
        scale *= 0.7
    return jpeg


def _jpeg(picture: Image.Image, scale: float) -> bytes:
    if scale < 1:
        width, height = (max(1, round(length * scale)) for length in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
