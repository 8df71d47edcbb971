"""Reads the records of a damaged SQLite file page by page, without SQLite.

Reads only the leaf pages of tables, in the file and its ``-wal``, so damage to other pages does not matter: the
header, the schema, interior pages. Records that were deleted but not overwritten are returned as well.
The format: https://www.sqlite.org/fileformat2.html
"""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

Value = None | int | float | str | bytes
Record = tuple[Value, ...]

_LEAF_OF_TABLE = 0x0D
_HEADER_BYTES = 100
_WAL_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_USUAL_PAGE_BYTES = 4096
_LARGEST_RECORD_BYTES = 50_000_000
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


class _SpoiltError(Exception):
    """The bytes are not a valid record."""


def records(path: Path) -> Iterator[Record]:
    """Yield each record in ``path`` and its ``-wal``, as column values; records may repeat. Raises OSError."""
    with path.open("rb") as file:
        pages = _DatabasePages(file, path.with_name(f"{path.name}-wal"))
        for number in range(1, pages.count + 1):
            for page in {pages.below(number), pages[number]}:
                yield from _of_page(page, _HEADER_BYTES if number == 1 else 0, pages)


class _DatabasePages:
    """The pages of a ``file`` by number, overlaid by those in its ``wal``."""

    def __init__(self, file: BinaryIO, wal: Path) -> None:
        self._file = file
        size = int.from_bytes(file.read(_HEADER_BYTES)[16:18], "big")
        size = 65_536 if size == 1 else size
        self.size = size if size >= 512 and size & (size - 1) == 0 else _USUAL_PAGE_BYTES
        self._above = _in_wal(wal, self.size)
        self.count = max([-(-file.seek(0, 2) // self.size), *self._above])

    def __getitem__(self, number: int) -> bytes:
        return self._above.get(number) or self.below(number)

    def below(self, number: int) -> bytes:
        """Return the page of the file itself."""
        self._file.seek((number - 1) * self.size)
        return self._file.read(self.size)


def _in_wal(path: Path, size: int) -> Mapping[int, bytes]:
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    frame_bytes = _FRAME_HEADER_BYTES + size
    found: dict[int, bytes] = {}
    for start in range(_WAL_HEADER_BYTES, len(content) - frame_bytes + 1, frame_bytes):
        # Frames with other salts are leftovers from before the wal was restarted.
        if content[start + 8 : start + 16] == content[16:24]:
            (number,) = struct.unpack_from(">I", content, start)
            found[number] = content[start + _FRAME_HEADER_BYTES : start + frame_bytes]
    return found


def _of_page(page: bytes, offset: int, pages: _DatabasePages) -> Iterator[Record]:
    if len(page) <= offset + 8 or page[offset] != _LEAF_OF_TABLE:
        return
    (count,) = struct.unpack_from(">H", page, offset + 3)
    for index in range(min(count, (len(page) - offset - 8) // 2)):
        (start,) = struct.unpack_from(">H", page, offset + 8 + 2 * index)
        try:
            yield _record(_payload(page, start, pages))
        except (_SpoiltError, IndexError, struct.error, UnicodeDecodeError):
            continue


def _payload(page: bytes, start: int, pages: _DatabasePages) -> bytes:
    """Return the payload of the cell at ``start``, including its overflow pages."""
    size, start = _varint(page, start)
    _, start = _varint(page, start)
    if size > _LARGEST_RECORD_BYTES:
        raise _SpoiltError
    most, least = pages.size - 35, (pages.size - 12) * 32 // 255 - 23
    if size <= most:
        return page[start : start + size]
    here = least + (size - least) % (pages.size - 4)
    here = here if here <= most else least
    payload = bytearray(page[start : start + here])
    (following,) = struct.unpack_from(">I", page, start + here)
    while len(payload) < size and 0 < following <= pages.count:
        overflow = pages[following]
        (following,) = struct.unpack_from(">I", overflow)
        payload += overflow[4 : 4 + size - len(payload)]
    return bytes(payload)


def _record(payload: bytes) -> Record:
    header_bytes, position = _varint(payload, 0)
    values: list[Value] = []
    start = header_bytes
    while position < header_bytes:
        kind, position = _varint(payload, position)
        value, start = _value(kind, payload, start)
        values.append(value)
    if start != len(payload) or not values:
        raise _SpoiltError
    return tuple(values)


def _value(kind: int, payload: bytes, start: int) -> tuple[Value, int]:
    """Return the value of a serial type at ``start``, and the offset after it."""
    if kind == 0:
        return None, start
    if kind in _INTEGER_BYTES:
        end = start + _INTEGER_BYTES[kind]
        return int.from_bytes(payload[start:end], "big", signed=True), end
    if kind == 7:
        return struct.unpack_from(">d", payload, start)[0], start + 8
    if kind in (8, 9):
        return kind - 8, start
    if kind < 12:
        raise _SpoiltError
    end = start + (kind - 12) // 2
    return (payload[start:end].decode() if kind % 2 else payload[start:end]), end


def _varint(content: bytes, start: int) -> tuple[int, int]:
    """Return a variable-length integer of up to nine bytes, and the offset after it."""
    number = 0
    for position in range(start, start + 8):
        number = number << 7 | content[position] & 0x7F
        if content[position] < 0x80:
            return number, position + 1
    return number << 8 | content[start + 8], start + 9
