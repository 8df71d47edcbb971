"""Reads the segments of a JPEG: size, cost of decoding, and bytes without metadata (ITU-T T.81, annex B)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from triof.judging.decoding import orientation
from triof.judging.decoding.errors import TooCostly, Undecodable, Unsupported

MAX_SCANS = 100
"""Scans at most; jpegtran writes up to this many, common encoders 10."""
MAX_BLOCK_VISITS = 100_000_000
"""Blocks visited by all scans together, 5 to 25 ns each. A phone's 50 megapixels in 10 scans are 9 million."""

_MAX_SEGMENTS = 10_000
_COEFFICIENTS_BYTES = 128
"""Bytes of coefficients of one 8 x 8 block."""
ZEROS = bytes(64)
"""512 zero bits; a block takes at most 191 bits."""

_NOTHING = -1
"""A coefficient without any bit yet; otherwise the lowest bit received, 0 at the end."""

_SOI, _EOI, _SOS, _DHT, _APP0, _APP1, _APP14 = 0xD8, 0xD9, 0xDA, 0xC4, 0xE0, 0xE1, 0xEE
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_TABLES = frozenset({_DHT, 0xCC, 0xDB, 0xDD})
_NEXT_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7]")
"""Within a scan 0xFF is followed by 0 or a restart number. The fixed length makes the pattern fast."""
_JFIF_BYTES, _ADOBE_BYTES = 14, 12
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"


@dataclass(frozen=True)
class JpegFile:
    """The contents of a JPEG's segments. ``orientation`` is 1 to 8, as in EXIF."""

    width: int
    height: int
    components: int
    orientation: int
    buffered_bytes: int
    """Bytes for the coefficients until the last scan; 0 if one scan holds the whole image."""
    lean: bytes
    """The file without metadata, up to its end marker, which is added if missing."""
    has_gap: bool
    """Whether a scan contains :data:`ZEROS` where no encoder writes them."""

    def without_padding(self, length: int) -> "JpegFile":
        """Remove ``length`` bytes before the end marker if they are zeros, as some cameras write them.

        Raises Undecodable.
        """
        scan, padding = self.lean[: -2 - length], self.lean[-2 - length : -2]
        if padding.strip(b"\0") or scan.endswith(ZEROS):
            raise Undecodable("more data than the picture has")
        return replace(self, lean=scan + self.lean[-2:])


class _Component(NamedTuple):
    horizontal: int
    vertical: int


class _Segment(NamedTuple):
    marker: int
    start: int
    end: int


def read(image: bytes) -> JpegFile:
    """Read the segments of a whole JPEG. Raises Undecodable, Unsupported, TooCostly."""
    reader = _JpegReader(image)
    for segment in reader.segments():
        reader.take(segment)
    return reader.file()


class _JpegReader:
    def __init__(self, image: bytes) -> None:
        self._image = image
        self._parts = [b"\xff\xd8"]
        self._frame = 0
        self._width = self._height = 0
        self._components: dict[int, _Component] = {}
        self._orientation = orientation.UPRIGHT
        self._first_symbols: dict[int, int] = {}
        self._scans = self._block_visits = 0
        self._has_gap = False
        self._received: dict[int, list[int]] = {}

    def segments(self) -> Iterator[_Segment]:
        """Yield each segment up to the end marker or the end of the file; scan data is part of its header's segment."""
        at, count = 2, 0
        while found := _NEXT_MARKER.search(self._image, at):
            marker, start = found[1][0], found.end()
            count += 1
            if count > _MAX_SEGMENTS:
                raise TooCostly(f"more than {_MAX_SEGMENTS} segments")
            if marker == _EOI:
                return
            if marker in _WITHOUT_LENGTH or marker == _SOI:
                at = start
                continue
            at = start + int.from_bytes(self._image[start : start + 2])
            if at < start + 2 or at > len(self._image):
                # Anything may follow the last scan.
                return
            if marker == _SOS:
                scan_end = _SCAN_END.search(self._image, at)
                at = scan_end.start() if scan_end else len(self._image)
            yield _Segment(marker, start, at)

    def take(self, segment: _Segment) -> None:
        marker, body = segment.marker, self._image[segment.start + 2 : segment.end]
        if marker in _FRAMES:
            self._begin_frame(marker, body)
        elif marker == _SOS:
            self._scan(body)
        elif marker == _DHT:
            self._tables(body)
        elif marker == _APP1:
            self._camera(body)
        if marker in _FRAMES or marker in _TABLES or marker == _SOS:
            self._parts.append(bytes((0xFF, marker)) + self._image[segment.start : segment.end])
        elif marker == _APP0 and body.startswith(b"JFIF\0") and len(body) >= _JFIF_BYTES:
            self._keep(marker, body[: _JFIF_BYTES - 2] + b"\0\0")
        elif marker == _APP14 and body.startswith(b"Adobe") and len(body) >= _ADOBE_BYTES:
            self._keep(marker, body[:_ADOBE_BYTES])

    def file(self) -> JpegFile:
        """Return the result. Raises Undecodable, Unsupported, TooCostly."""
        if not self._scans or any(bit != 0 for bits in self._received.values() for bit in bits):
            raise Undecodable("scans are missing")
        if self._block_visits > MAX_BLOCK_VISITS:
            raise TooCostly(f"{self._scans} scans visit {self._block_visits / 1e6:.0f} million blocks")
        is_buffered = self._frame == _PROGRESSIVE or self._scans > 1
        return JpegFile(
            self._width,
            self._height,
            len(self._components),
            self._orientation,
            self._blocks() * _COEFFICIENTS_BYTES if is_buffered else 0,
            b"".join([*self._parts, b"\xff\xd9"]),
            self._has_gap,
        )

    def _keep(self, marker: int, body: bytes) -> None:
        self._parts.append(bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body)

    def _begin_frame(self, marker: int, body: bytes) -> None:
        if self._frame or len(body) < 6 or len(body) < 6 + 3 * body[5]:
            raise Undecodable("two frames, or a frame header that is cut off")
        if marker not in (_BASELINE, _EXTENDED, _PROGRESSIVE) or body[0] != 8:
            raise Unsupported("lossless, arithmetic, hierarchical, or not 8 bits")
        self._frame = marker
        self._height, self._width = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
        for at in range(6, 6 + 3 * body[5], 3):
            self._components[body[at]] = _Component(body[at + 1] >> 4, body[at + 1] & 15)
            self._received[body[at]] = [_NOTHING] * 64
        if not self._components or any(not 1 <= size <= 4 for each in self._components.values() for size in each):
            raise Undecodable("no component, or one with an impossible sampling")

    def _scan(self, body: bytes) -> None:
        count = body[0] if body else 0
        chosen = [self._components.get(id_) for id_ in body[1 : 1 + 2 * count : 2]]
        components = [each for each in chosen if each]
        if not components or len(components) != count or len(body) < 4 + 2 * count:
            raise Undecodable("a scan of components that the frame does not have")
        self._scans += 1
        if self._scans > MAX_SCANS:
            raise TooCostly(f"more than {MAX_SCANS} scans")
        self._block_visits += self._blocks(components)
        first, last, bits = body[1 + 2 * count : 4 + 2 * count]
        for id_ in body[1 : 1 + 2 * count : 2]:
            self._received[id_][first : last + 1] = [bits & 15] * (min(last, 63) + 1 - first)
        if self._frame != _PROGRESSIVE:
            tables = body[2 : 2 + 2 * count : 2]
            self._has_gap |= self._zeros_are_impossible(tables) and ZEROS in body.rstrip(b"\0\xff")

    def _zeros_are_impossible(self, tables: bytes) -> bool:
        """Return whether zeros in a scan would mean many blocks in a row whose 63 coefficients are all equal.

        They would not if the code of zeros means the end of a block, which encodes a plain area. In the standard
        tables, which apply if a file has none, that code is a coefficient.
        """
        return any(self._first_symbols.get(table & 15, 1) for table in tables)

    def _tables(self, body: bytes) -> None:
        at = 0
        while at + 17 <= len(body):
            symbols = sum(body[at + 1 : at + 17])
            is_ac = body[at] >> 4
            if is_ac and symbols and at + 17 < len(body):
                self._first_symbols[body[at] & 15] = body[at + 17]
            at += 17 + symbols

    def _camera(self, body: bytes) -> None:
        if self._orientation == orientation.UPRIGHT:
            if body.startswith(_EXIF):
                self._orientation = orientation.from_exif(body)
            elif body.startswith(_XMP):
                self._orientation = orientation.from_xmp(body)

    def _blocks(self, scanned: list[_Component] | None = None) -> int:
        """Return the number of blocks of the ``scanned`` components (None: of the frame); several are interleaved."""
        components = scanned or list(self._components.values())
        most_h = max(each.horizontal for each in self._components.values())
        most_v = max(each.vertical for each in self._components.values())
        if scanned and len(scanned) == 1:
            (only,) = scanned
            width, height = _up(self._width * only.horizontal, most_h), _up(self._height * only.vertical, most_v)
            return _up(width, 8) * _up(height, 8)
        units = _up(self._width, 8 * most_h) * _up(self._height, 8 * most_v)
        return units * sum(each.horizontal * each.vertical for each in components)


def _up(number: int, divisor: int) -> int:
    return -(-number // divisor)
