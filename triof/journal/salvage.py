"""Salvages readable rows of a journal's file and merges them into the current journal by their ids.

There are two passes: SQLite reads each table, skipping unreadable pages; then the file's pages are read without
SQLite, for append-only tables. A row that is found twice, or exists in the journal, keeps the journal's content.
Daily totals are left out, as they are counted again.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Boolean, Float, Integer, String, Table, inspect, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import TypeEngine

from triof.common.errors import TriofError
from triof.storage.database import Database
from triof.storage.sqlite_pages import records
from triof.storage.tables import Base, DailyTotalRow, Event, PredictionRow

_EVENTS, _PREDICTIONS, _TALLIES = (cast(Table, table.__table__) for table in (Event, PredictionRow, DailyTotalRow))
_MERGED = [table for table in Base.metadata.sorted_tables if table is not _TALLIES]
_ONLY_ADDED_TO = (_EVENTS, _PREDICTIONS)
_ACCESS = ("users", "api_keys")
_IN_OLD_ROWS = {"believed": True}
"""Defaults for columns that an older row lacks."""
_BATCH = 500
_LONGEST_JUMP = 2**40
_DIALECT = sqlite.dialect()

_Row = Mapping[str, Any]


class SalvageImpossible(TriofError):
    """The file cannot be read."""


@dataclass
class Salvaged:
    """The numbers of rows read and of rows new to the journal, by table."""

    found: dict[str, int] = field(default_factory=dict)
    merged: dict[str, int] = field(default_factory=dict)


def salvage(
    source: Path, database: Database, *, access: bool, progress: Callable[[str], object] = lambda _: None
) -> Salvaged:
    """Merge every readable row of the file ``source`` into ``database``, in batches of a few hundred.

    ``access`` includes users and keys; those of an old copy may have been removed since. ``progress`` gets the name
    of each part before it starts. After an interruption, another call merges the rest.

    Raises SalvageImpossible, SQLAlchemyError.
    """
    salvaged = Salvaged()
    for table in (table for table in _MERGED if access or table.name not in _ACCESS):
        progress(table.name)
        salvaged.found[table.name] = salvaged.merged[table.name] = 0
        for batch in _batches(_by_sqlite(source, table)):
            salvaged.found[table.name] += len(batch)
            salvaged.merged[table.name] += _merge(database, table, batch)
    for table in _ONLY_ADDED_TO:
        progress(f"{table.name} on single pages")
        on_pages = 0
        for batch in _batches(_by_pages(source, table, database)):
            on_pages += len(batch)
            salvaged.merged[table.name] += _merge(database, table, batch)
        # Most of them were also read by SQLite.
        salvaged.found[table.name] = max(salvaged.found[table.name], on_pages)
    return salvaged


def _by_sqlite(source: Path, table: Table) -> Iterator[_Row]:
    """Yield the rows of ``table``, except those on pages that SQLite cannot read."""
    reader = _RowReader(table)
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        query = f"SELECT rowid, * FROM {table.name} WHERE rowid > ? ORDER BY rowid"  # noqa: S608
        last, jump = 0, 1
        while jump < _LONGEST_JUMP:
            try:
                cursor = connection.execute(query, [last])
                names = [column[0] for column in cursor.description[1:]]
                for rowid, *values in cursor:
                    last, jump = rowid, 1
                    if row := reader.row(dict(zip(names, values, strict=True))):
                        yield row
            except sqlite3.DatabaseError:
                last, jump = last + jump, jump * 2
            else:
                return


def _by_pages(source: Path, table: Table, database: Database) -> Iterator[_Row]:
    """Yield the rows of ``table`` on all pages, recognised by their content."""
    reader = _RowReader(table)
    with database.read() as connection:
        names = [column["name"] for column in inspect(connection).get_columns(table.name)]
    try:
        for record in records(source):
            if len(record) <= len(names) and (row := reader.row(dict(zip(names, record, strict=False)))):
                yield row
    except OSError as error:
        raise SalvageImpossible(f"{source} cannot be read ({error.strerror}): check path and disk.") from error


class _RowReader:
    """Converts stored records to rows of one table."""

    def __init__(self, table: Table) -> None:
        self._columns = [
            (
                column.name,
                column.nullable,
                column.type,
                column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None),
            )
            for column in table.columns
        ]

    def row(self, stored: _Row) -> _Row | None:
        """Return the row; None if the record cannot be one of this table."""
        stored = {**_IN_OLD_ROWS, **stored}
        row: dict[str, Any] = {}
        for name, nullable, kind, process in self._columns:
            value = stored.get(name)
            if not (nullable if value is None else _fits(value, kind)):
                return None
            try:
                row[name] = process(value) if process else value
            except (ValueError, TypeError, AttributeError, RecursionError):
                return None
        return row


def _fits(value: Any, kind: TypeEngine[Any]) -> bool:
    match kind:
        case Boolean():
            return value in (0, 1)
        case String():
            return isinstance(value, str) and (not kind.length or len(value) <= kind.length)
        case Integer():
            return isinstance(value, int)
        case Float():
            return isinstance(value, int | float)
    return True


def _merge(database: Database, table: Table, rows: Mapping[UUID, _Row]) -> int:
    """Insert those of ``rows`` that are missing. Returns their number."""
    with database.read() as connection:
        there = set(connection.scalars(select(table.c.id).where(table.c.id.in_(rows))))
    fresh = [row for id_, row in rows.items() if id_ not in there]
    try:
        _insert(database, table, fresh)
    except IntegrityError:
        # The journal has the same name or photo under another id.
        return sum(_inserted(database, table, row) for row in fresh)
    return len(fresh)


def _inserted(database: Database, table: Table, row: _Row) -> bool:
    try:
        _insert(database, table, [row])
    except IntegrityError:
        return False
    return True


def _insert(database: Database, table: Table, rows: Sequence[_Row]) -> None:
    if not rows:
        return
    moments = [row["at"] for row in rows]
    days = (_TALLIES.c.until > min(moments), _TALLIES.c.since <= max(moments))
    with database.write() as connection:
        connection.execute(table.insert(), rows)
        # The totals of the days with new rows must be counted again.
        connection.execute(
            _TALLIES.delete().where(*days, _TALLIES.c.machine_id.in_({row["machine_id"] for row in rows}))
        )


def _batches(rows: Iterable[_Row]) -> Iterator[Mapping[UUID, _Row]]:
    batch: dict[UUID, _Row] = {}
    for row in rows:
        batch[row["id"]] = row
        if len(batch) == _BATCH:
            yield batch
            batch = {}
    if batch:
        yield batch
