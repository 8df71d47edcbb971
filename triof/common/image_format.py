"""Detects the format of an image file by its first bytes, and lists the formats that can be decoded."""

from importlib.util import find_spec
from typing import Literal

ImageFormat = Literal["JPEG", "PNG", "WEBP", "BMP", "GIF", "HEIC", "AVIF", "TIFF"]

FORMATS: tuple[ImageFormat, ...] = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "HEIC")
"""The formats that Triof decodes; the decoders are in ``decoding/sources.py``."""
HEAD_BYTES = 32
"""Number of first bytes needed to detect the format."""

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_BMP_HEADER_BYTES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})


def image_format(head: bytes) -> ImageFormat | None:
    """Return the format of a file that begins with ``head`` (:data:`HEAD_BYTES` or more); None if unknown."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith((b"II*\0", b"MM\0*")):
        return "TIFF"
    # The two letters could also begin a text.
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_BYTES:
        return "BMP"
    return _iso_media(head)


def readable_formats() -> tuple[ImageFormat, ...]:
    """Return those of FORMATS that can be decoded here: HEIC needs the extra ``heic``."""
    return tuple(name for name in FORMATS if name != "HEIC" or find_spec("pi_heif"))


def _iso_media(head: bytes) -> ImageFormat | None:
    """Tell HEIC from AVIF by the brands in the box ``ftyp``: the major one, then the compatible ones."""
    if head[4:8] != b"ftyp":
        return None
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(len(head), 64) - 3, 4))]
    # Both have the brand mif1; only AVIF has its own brand as well.
    if _AVIF_BRANDS.intersection(brands):
        return "AVIF"
    return "HEIC" if _HEIC_BRANDS.intersection(brands) else None
