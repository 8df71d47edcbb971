"""The lines of the log in a period.

A running kiosk or server goes on writing to its log, so lines are overwritten where they are, by a line of the same
length that says nothing, instead of writing the file anew.
"""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from triof.journal.scope import Scope

_ERASED = "log.erased"
_INSTEAD = json.dumps({"event": _ERASED}).encode()


class LoggedLine(NamedTuple):
    """A line of a log: its time, its offset, and its length without the line end."""

    at: datetime
    offset: int
    length: int


def files(folder: Path) -> Sequence[Path]:
    """Return the logs and those that were put aside."""
    return sorted(path for path in folder.glob("*.log*") if path.is_file() and not path.is_symlink())


def in_period(path: Path, scope: Scope) -> Sequence[LoggedLine]:
    """Return the lines of the period. Raises OSError."""
    with path.open("rb") as file:
        return [line for line in _lines(file) if scope.since <= line.at < scope.until]


def erase(path: Path, scope: Scope) -> int:
    """Overwrite the lines of the period; returns their number. Raises OSError."""
    with path.open("r+b") as file:
        lines = [line for line in _lines(file) if scope.since <= line.at < scope.until]
        for line in lines:
            file.seek(line.offset)
            file.write(_INSTEAD.ljust(line.length) if line.length >= len(_INSTEAD) else b" " * line.length)
        if lines:
            file.flush()
            os.fsync(file.fileno())
    return len(lines)


def _lines(file: BinaryIO) -> Iterator[LoggedLine]:
    """Yield the lines with a time; one that cannot be read has that of the line before."""
    offset = 0
    before: datetime | None = None
    for line in file:
        content = line.rstrip(b"\r\n")
        try:
            before = datetime.fromisoformat(json.loads(content)["timestamp"]).astimezone(UTC)
            at: datetime | None = before
        except (ValueError, KeyError, TypeError, RecursionError):
            at = None if not content.strip() or _is_erased(content) else before
        if at:
            yield LoggedLine(at, offset, len(content))
        offset += len(line)


def _is_erased(content: bytes) -> bool:
    return content.rstrip() == _INSTEAD
