"""The rows of a period in the outbox, which wait for a journal that could not be written."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from triof.common.atomic_files import replace_file
from triof.journal.journal import Row
from triof.journal.outbox import UNREAD, Outbox
from triof.journal.scope import Scope
from triof.statistics.calendar import Calendar
from triof.storage.tables import Event, PredictionRow

_TIME = re.compile(rb'"at":"([^"]{10,40})"')


def in_period(home: Path, scope: Scope) -> int:
    """Return the number of rows of deposits of the period, and of unreadable lines of it. Raises OSError."""
    return len(_of_period(Outbox(home).rows(), scope)) + len(_unread(home, scope)[1])


def anonymise(home: Path, scope: Scope, calendar: Calendar) -> tuple[int, set[str]]:
    """Make the rows of the period anonymous; returns their number and photos. Raises OSError.

    The caller holds the machine's lock, as a kiosk uses the outbox.
    """
    outbox = Outbox(home)
    rows = outbox.rows()
    chosen = _of_period(rows, scope)
    photos = {photo for row in chosen if (photo := _photo(row))}
    for row in chosen:
        row.at = calendar.begin(calendar.day(row.at))
        if isinstance(row, PredictionRow):
            row.photo, row.embedding = "", None
        elif "photo" in row.detail:
            row.detail = {**row.detail, "photo": ""}
    if chosen:
        outbox.replace(rows)
    others, unread = _unread(home, scope)
    if unread:
        replace_file(home / UNREAD, b"".join(line + b"\n" for line in others))
    return len(chosen) + len(unread), photos


def _of_period(rows: Sequence[Row], scope: Scope) -> Sequence[Row]:
    """Return all rows of the deposits that have one in the period."""
    deposits = {row.deposit_id for row in rows if scope.since <= row.at < scope.until} - {None}
    return [row for row in rows if row.deposit_id in deposits]


def _photo(row: Row) -> str:
    return str(row.detail.get("photo", "")) if isinstance(row, Event) else row.photo


def _unread(home: Path, scope: Scope) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Return the unreadable lines that were put aside: those without and those with a time in the period."""
    try:
        lines = (home / UNREAD).read_bytes().splitlines()
    except FileNotFoundError:
        return [], []
    chosen = [line for line in lines if any(_is_in(scope, time) for time in _TIME.findall(line))]
    return [line for line in lines if line not in chosen], chosen


def _is_in(scope: Scope, time: bytes) -> bool:
    try:
        return scope.since <= datetime.fromisoformat(time.decode()) < scope.until
    except (ValueError, TypeError):
        return False
