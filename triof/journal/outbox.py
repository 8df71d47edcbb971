"""Rows that the journal did not take, kept in a file of the home folder until it takes them.

One line a write, each on the disk before :meth:`Outbox.put` returns. Every row has its id, so that writing them to the
journal twice, after a crash between writing and clearing, does no harm. Only the process that runs the machine has one.
"""

import errno
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid

from providers.event_log import get_logger
from triof.common.atomic_files import append_line
from triof.journal.journal import Row
from triof.storage.tables import Event, PredictionRow, UtcDateTime

log = get_logger(__name__)

FILE, UNREAD = "outbox.jsonl", "outbox-unread.jsonl"
_TABLES: Mapping[str, type[Row]] = {table.__tablename__: table for table in (Event, PredictionRow)}


class Outbox:
    """The rows in ``FILE`` of a ``home`` folder. Each method raises OSError."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._path = home / FILE
        self._identity = self._look()
        self._unread: list[bytes] = []

    def put(self, rows: Sequence[Row]) -> None:
        """Append rows, which are on the disk on return."""
        if self._look() != self._identity:
            # In another folder under the same name, such as that below a disk that was unmounted, they would be lost.
            raise FileNotFoundError(errno.ENOENT, "the home folder is not the one that was opened", str(self._home))
        append_line(self._path, json.dumps([_written(row) for row in rows], separators=(",", ":")).encode())

    def rows(self) -> Sequence[Row]:
        """All rows, in the order in which they were put."""
        found: list[Row] = []
        self._unread = []
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return found
        for line in filter(None, lines):
            try:
                found += [_read(table, columns) for table, columns in json.loads(line)]
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                # Most likely cut off by a power cut, so that nobody was told that it is kept.
                log.error("outbox.line_unread", bytes=len(line), cause=type(error).__name__)
                self._unread.append(line)
        return found

    def clear(self) -> None:
        """Forget all rows: the journal has them. What could not be read is kept in a file of its own."""
        for line in self._unread:
            append_line(self._path.with_name(UNREAD), line)
        self._path.unlink(missing_ok=True)

    def _look(self) -> tuple[int, int]:
        found = self._home.stat()
        return found.st_dev, found.st_ino


def _written(row: Row) -> tuple[str, dict[str, Any]]:
    columns = {column.key: getattr(row, column.key) for column in row.__table__.columns}
    return row.__tablename__, {key: _plain(value) for key, value in columns.items() if value is not None}


def _plain(value: Any) -> Any:
    match value:
        case UUID():
            return value.hex
        case datetime():
            return value.isoformat()
        case _:
            return value


def _read(table: str, columns: Mapping[str, Any]) -> Row:
    kind = _TABLES[table]
    types = {column.key: column.type for column in kind.__table__.columns}
    values = dict(columns)
    for key, value in values.items():
        if isinstance(types[key], Uuid):
            values[key] = UUID(value)
        elif isinstance(types[key], UtcDateTime):
            values[key] = datetime.fromisoformat(value)
    return kind(**values)
