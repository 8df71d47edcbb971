"""Reads CSV as spreadsheets write it: commas, semicolons or tabs, spaces around cells, a line such as ``sep=;``."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from providers.text_files import decoded, plain

_DELIMITERS = ("\x1f", ",", ";", "\t", "|")
"""Delimiters; the first means a single column, whose cells may contain the others."""
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[;,\t ]*', re.IGNORECASE)

Rows = Iterator[tuple[int, dict[str, str]]]
"""Rows with the number of their last line; a missing cell is empty."""


@dataclass(frozen=True)
class CsvTable:
    """A table read from CSV."""

    columns: tuple[str, ...]
    """Column names from left to right: known ones in our spelling, others as written, empty if unnamed."""
    delimiter: str
    _lines: tuple[str, ...]
    _above: int
    """Number of lines above the first row."""

    def rows(self) -> Rows:
        """Return the rows that are not empty. Raises csv.Error."""
        cells = csv.reader(self._lines, delimiter=self.delimiter, skipinitialspace=True)
        return ((self._above + cells.line_num, self._row(row)) for row in cells if any(map(str.strip, row)))

    def rows_by_line(self, needed: Sequence[str]) -> Rows:
        """Return the rows if each is one line; a line that lacks one of the columns ``needed`` is skipped."""
        width = 1 + max(map(self.columns.index, needed))
        for number, line in enumerate(self._lines, start=self._above + 1):
            row = _cells(line, self.delimiter)
            if len(row) >= width and any(map(str.strip, row)):
                yield number, self._row(row)

    def _row(self, cells: Sequence[str]) -> dict[str, str]:
        filled = [*map(str.strip, cells), *[""] * len(self.columns)]
        return {name: cell for name, cell in zip(self.columns, filled, strict=False) if name}


def read_table(content: bytes, known: Sequence[str]) -> CsvTable:
    """Read the table in CSV, with the delimiter that yields the most ``known`` columns.

    Raises UnicodeDecodeError, csv.Error.
    """
    lines = decoded(content, legacy=True).split("\n")
    above = next((number for number, line in enumerate(lines) if line.strip()), 0)
    separator = _SEPARATOR_LINE.fullmatch(lines[above])
    above += bool(separator)
    header = lines[above] if above < len(lines) else ""
    delimiters = [separator[1], *_DELIMITERS] if separator else _DELIMITERS
    found = {delimiter: _columns(header, delimiter, known) for delimiter in delimiters}
    best = max(found, key=lambda delimiter: len(set(found[delimiter]) & set(known)))
    return CsvTable(found[best], best, tuple(f"{line}\n" for line in lines[above + 1 :]), above + 1)


def _columns(header: str, delimiter: str, known: Sequence[str]) -> tuple[str, ...]:
    ours = {plain(name): name for name in known}
    cells = map(str.strip, _cells(header, delimiter))
    return tuple(ours.get(plain(cell).replace(" ", "_"), cell) for cell in cells)


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
