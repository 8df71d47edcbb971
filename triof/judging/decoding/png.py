"""Reads the chunks of a PNG: header, and bytes without metadata (PNG specification, third edition)."""

import struct
import zlib
from dataclasses import dataclass

from triof.judging.decoding import orientation
from triof.judging.decoding.errors import TooCostly, Undecodable

_SIGNATURE_BYTES = 8
_MAX_CHUNKS = 200_000
_PALETTE, _TRANSPARENCY, _IMAGE, _EXIF = b"PLTE", b"tRNS", b"IDAT", b"eXIf"
_XMP_KEYWORD = b"XML:com.adobe.xmp\0"


@dataclass(frozen=True)
class PngFile:
    """The contents of a PNG's chunks. ``orientation`` is 1 to 8, as in EXIF."""

    width: int
    height: int
    bits: int
    """Bits of one sample: 1, 2, 4, 8 or 16."""
    orientation: int
    lean: bytes
    """The file without metadata; its image data is one chunk."""


def read(image: bytes) -> PngFile:
    """Read the chunks of a whole PNG. Raises Undecodable, TooCostly."""
    kept: dict[bytes, bytes] = {}
    pixels: list[bytes] = []
    turned, at = orientation.UPRIGHT, _SIGNATURE_BYTES
    for _ in range(_MAX_CHUNKS):
        if at + 8 > len(image):
            break
        length, kind = struct.unpack_from(">I4s", image, at)
        if kind == b"IEND":
            break
        body = image[at + 8 : at + 8 + length]
        checksum = image[at + 8 + length : at + 12 + length]
        if kind == _IMAGE:
            # A truncated file lacks the last checksum, but may have all pixels.
            _check(kind, body, checksum)
            pixels.append(body)
        elif kind in (b"IHDR", _PALETTE):
            _check(kind, body, checksum)
            kept.setdefault(kind, body)
        elif kind == _TRANSPARENCY:
            kept.setdefault(kind, body)
        elif kind == _EXIF:
            turned = orientation.from_exif(body)
        elif kind == b"iTXt" and body.startswith(_XMP_KEYWORD) and turned == orientation.UPRIGHT:
            turned = orientation.from_xmp(body)
        at += 12 + length
    else:
        raise TooCostly(f"more than {_MAX_CHUNKS} chunks")
    header = kept.get(b"IHDR", b"")
    if len(header) != 13 or not pixels:
        raise Undecodable("no header, or no image data")
    width, height, bits = struct.unpack_from(">IIB", header)
    chunks = [(kind, kept[kind]) for kind in (b"IHDR", _PALETTE, _TRANSPARENCY) if kind in kept]
    lean = b"".join(_chunk(*each) for each in (*chunks, (_IMAGE, b"".join(pixels)), (b"IEND", b"")))
    return PngFile(width, height, bits, turned, image[:_SIGNATURE_BYTES] + lean)


def _check(kind: bytes, body: bytes, checksum: bytes) -> None:
    if len(checksum) == 4 and zlib.crc32(kind + body) != int.from_bytes(checksum):
        raise Undecodable(f"the checksum of a chunk {kind.decode()} is wrong")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
