"""Image files: encoded by Pillow, or made byte by byte, as cameras, programs and attackers write them."""

import base64
import struct
import zlib
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encoded(picture: Image.Image, format_: str = "JPEG", **options: Any) -> bytes:
    """The bytes of a picture as a file."""
    buffer = BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes, checksum: int | None = None) -> bytes:
    right = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", right if checksum is None else checksum)


def png(samples: np.ndarray[Any, Any], colour_type: int, extra: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """A PNG of 16-bit ``samples`` (height x width x channels), with chunks before its pixels."""
    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return PNG_SIGNATURE + b"".join(chunk(*each) for each in chunks)


def flat_png(width: int, height: int, colour_type: int, bits: int = 8) -> bytes:
    """A small PNG file of many pixels, all of whose samples are 0."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    row = b"\0" + bytes(width * channels * bits // 8)
    packer = zlib.compressobj(1)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    palette = [(b"PLTE", bytes(6))] if colour_type == 3 else []
    chunks = [(b"IHDR", header), *palette, (b"IDAT", pixels), (b"IEND", b"")]
    return PNG_SIGNATURE + b"".join(chunk(*each) for each in chunks)


def flat_webp(width: int, height: int) -> bytes:
    """A lossless WebP of a few bytes that claims any size up to 16,384."""
    body = b"\x2f" + (width - 1 | (height - 1) << 14 | 1 << 28).to_bytes(4, "little") + bytes.fromhex("0788e8ff0700")
    body += bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBPVP8L" + struct.pack("<I", len(body)) + body


def many_scans(jpeg: bytes, scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + jpeg[last:-2] * scans + jpeg[-2:]


def bmp(picture: Image.Image) -> bytes:
    """A BMP of 32 bits with a mask for alpha (header version 4), as capture programs write it."""
    width, height = picture.size
    masks = struct.pack("<IIII", 0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, width, -height, 1, 32, 3, width * height * 4, 2835, 2835, 0, 0)
    head = header + masks + b"BGRs" + bytes(108 - len(header) - len(masks) - 4)
    pixels = picture.tobytes("raw", "BGRA")
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(pixels), 0, 0, 14 + len(head)) + head + pixels


JPEG_END = b"\xff\xd9"
_LUMPS = np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8)
LUMPY = Image.fromarray(_LUMPS).resize((320, 240), Image.Resampling.BICUBIC)
JPEGS = {
    "baseline": encoded(LUMPY, quality=90),
    "optimised": encoded(LUMPY, quality=90, optimize=True),
    "progressive": encoded(LUMPY, quality=90, progressive=True),
    "restarts": encoded(LUMPY, quality=90, restart_marker_rows=1),
    "every colour": encoded(LUMPY, quality=90, subsampling=0),
    "grey": encoded(LUMPY.convert("L"), quality=90),
    "ink": encoded(LUMPY.convert("CMYK"), quality=90),
    "without tables": b"",
}
"""By kind; the last as a webcam sends it, which leaves the standard tables out."""


def without_tables(jpeg: bytes) -> bytes:
    at, kept = 2, jpeg[:2]
    while (marker := jpeg[at + 1]) != 0xDA:
        length = 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        kept += b"" if marker == 0xC4 else jpeg[at : at + length]
        at += length
    return kept + jpeg[at:]


JPEGS["without tables"] = without_tables(JPEGS["baseline"])


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and carries next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 9)), (b"IEND", b"")]
    return PNG_SIGNATURE + b"".join(chunk(*each) for each in chunks)


HOSTILE = {
    "empty": b"",
    "not_a_photo": b"Not a photo at all",
    "html": b"<!doctype html><title>404</title>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"/>',
    "tiff": encoded(Image.new("RGB", (64, 64)), "TIFF"),
    "truncated": encoded(Image.effect_noise((400, 400), 50).convert("RGB"))[:4000],
    "truncated_png": encoded(Image.effect_noise((400, 400), 50), "PNG")[:4000],
    "bomb": png_header(30_000, 30_000),
    "wide_bomb": png_header(2_000_000_000, 2_000_000_000),
    "one_pixel": encoded(Image.new("RGB", (1, 1)), "PNG"),
    "line": encoded(Image.new("RGB", (20_000, 1)), "PNG"),
    "zeros": bytes(5000),
    "jpeg_marker_only": b"\xff\xd8\xff\xe0" + bytes(500),
}
"""Bytes that are no photo, or one that must be refused."""

HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9j"
    "AAAAAERAAAEAAQAAAAABoQABAAAAAAAAAHQAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/Wlw"
    "cnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AA"
    "AAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAA"
    "QAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWB"
    "AgMFhAAAAHxtZGF0AAAAcCgBr1jm9Oq//+c7v/8qPSH2JRfV//h3PVfURs/7j8VpX2zv+D1Cmh8+MDNejWnV+CzwotB54AwY2gKgmV8AKxE5"
    "MZNUEUMgNyQLkTl/jDa3/XScTrsZquC6GGHl5zTHv899F1+jT03rzGMY39ngt0A="
)
"""Half red, half white, 64 x 48; made with libheif."""
