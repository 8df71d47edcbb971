"""Reads untrusted paths: only regular files, and no more bytes than expected.

A device may return bytes for ever, a pipe none, and a file may be larger than the memory.
"""

import os
import stat
from errno import EFBIG, EINVAL
from pathlib import Path
from typing import IO, BinaryIO

_PIECE_BYTES = 1 << 20
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file, or a link to one, for reading. Raises OSError for anything else, without opening it."""
    # Checked by name first, as opening a device may have effects; then again on the open file.
    _check(path.stat(), path)
    file = os.fdopen(os.open(path, _FLAGS), "rb")
    try:
        _check(os.fstat(file.fileno()), path)
    except OSError:
        file.close()
        raise
    return file


def read_regular(path: Path, most_bytes: int) -> bytes:
    """Return the content of a regular file. Raises OSError, also if it has more than ``most_bytes``."""
    with open_regular(path) as file:
        content = read_at_most(file, most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(EFBIG, f"it has more than {most_bytes / 1e6:.0f} MB", str(path))
    return content


def read_at_most(file: IO[bytes], most_bytes: int) -> bytes:
    """Read the rest of ``file``, at most ``most_bytes``. Raises OSError."""
    content = bytearray()
    while piece := file.read(min(_PIECE_BYTES, most_bytes - len(content))):
        content += piece
    return bytes(content)


def _check(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(EINVAL, "it is no regular file", str(path))
