"""Reads the chunks of a WebP: size, and first frame without metadata (RFC 9649)."""

import struct
from dataclasses import dataclass

from triof.judging.decoding import orientation
from triof.judging.decoding.errors import TooCostly, Undecodable

_MAX_CHUNKS = 10_000
_EXIF, _XMP, _ALPHA, _LOSSY, _LOSSLESS, _EXTENDED, _ANIMATION, _FRAME = (
    *(b"EXIF", b"XMP ", b"ALPH", b"VP8 ", b"VP8L"),
    *(b"VP8X", b"ANIM", b"ANMF"),
)
_SEEN_FLAGS = 0b0001_0010
"""The flags for alpha and animation of an extended file; the others announce metadata."""
_LOSSLESS_MAGIC = 0x2F


@dataclass(frozen=True)
class WebpFile:
    """The contents of a WebP's chunks. ``orientation`` is 1 to 8, as in EXIF."""

    width: int
    height: int
    orientation: int
    lean: bytes


def read(image: bytes) -> WebpFile:
    """Read the chunks of a whole WebP. Raises Undecodable, TooCostly."""
    kept: dict[bytes, bytes] = {}
    turned, at = orientation.UPRIGHT, 12
    for _ in range(_MAX_CHUNKS):
        if at + 8 > len(image):
            break
        kind, length = struct.unpack_from("<4sI", image, at)
        body = image[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
        if kind == _EXIF:
            turned = orientation.from_exif(body)
        elif kind == _XMP:
            turned = orientation.from_xmp(body) if turned == orientation.UPRIGHT else turned
        elif kind in (_EXTENDED, _ANIMATION, _FRAME, _ALPHA, _LOSSY, _LOSSLESS) and kind not in kept:
            if len(body) < length:
                raise Undecodable(f"the chunk {kind.decode().strip()} is cut off")
            kept[kind] = body
    else:
        raise TooCostly(f"more than {_MAX_CHUNKS} chunks")
    width, height = _size(kept)
    if _EXTENDED in kept:
        extended = kept[_EXTENDED]
        kept[_EXTENDED] = bytes((extended[0] & _SEEN_FLAGS,)) + extended[1:]
    chunks = b"".join(
        struct.pack("<4sI", kind, len(kept[kind])) + kept[kind] + bytes(len(kept[kind]) % 2)
        for kind in (_EXTENDED, _ANIMATION, _FRAME, _ALPHA, _LOSSY, _LOSSLESS)
        if kind in kept
    )
    return WebpFile(width, height, turned, struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WEBP") + chunks)


def _size(kept: dict[bytes, bytes]) -> tuple[int, int]:
    """Return width and height, those of the canvas if there is one."""
    extended, lossy, lossless = kept.get(_EXTENDED, b""), kept.get(_LOSSY, b""), kept.get(_LOSSLESS, b"")
    if len(extended) >= 10:
        return int.from_bytes(extended[4:7], "little") + 1, int.from_bytes(extended[7:10], "little") + 1
    if len(lossy) >= 10 and lossy[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", lossy, 6)
        return width & 0x3FFF, height & 0x3FFF
    if len(lossless) >= 5 and lossless[0] == _LOSSLESS_MAGIC:
        bits = int.from_bytes(lossless[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise Undecodable("no image data")
