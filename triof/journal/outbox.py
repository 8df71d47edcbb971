"""A file in the home folder for rows that the journal could not take.

Each write appends one line, which is on the disk when :meth:`Outbox.put` returns. Rows have ids, so that writing them
to the journal twice, after a crash before clearing, has no effect. Only the process that runs the machine uses it.
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
from triof.common.atomic_files import append_line, replace_file
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
        """Append rows durably."""
        if self._look() != self._identity:
            # Rows in another folder of the same name, such as an empty mount point, would be lost.
            raise FileNotFoundError(errno.ENOENT, "the home folder is not the one that was opened", str(self._home))
        append_line(self._path, self._line(rows))

    def rows(self) -> Sequence[Row]:
        """Return all rows, in the order of writing."""
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
                # Probably truncated by a power cut during put, which therefore did not return.
                log.error("outbox.line_unread", bytes=len(line), cause=type(error).__name__)
                self._unread.append(line)
        return found

    def replace(self, rows: Sequence[Row]) -> None:
        """Replace all readable rows by ``rows``; unreadable lines are removed. Only while no kiosk runs."""
        replace_file(self._path, self._line(rows) + b"\n" if rows else b"")

    def clear(self) -> None:
        """Remove all rows, which are in the journal now. Unreadable lines are moved to another file."""
        for line in self._unread:
            append_line(self._path.with_name(UNREAD), line)
        self._path.unlink(missing_ok=True)

    def _line(self, rows: Sequence[Row]) -> bytes:
        return json.dumps([_written(row) for row in rows], separators=(",", ":")).encode()

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
