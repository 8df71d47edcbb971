"""The latest faults from the journal, and the last lines of the log, for technicians."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from triof.journal.journal import Kind
from triof.monitoring.event_reader import latest_first

if TYPE_CHECKING:
    from triof.journal.journal import Journal

_KINDS: tuple[Kind, ...] = (
    *("machine.out_of_order", "machine.in_order", "deposit.failed"),
    *("alert.fired", "alert.cleared"),
)
_TAIL_BYTES = 400_000
_BAD_STATUS = 400
_LOGS = ("kiosk.log", "serve.log")


class RecordedFault(NamedTuple):
    """One event about a fault; ``code`` is empty where it has none."""

    at: datetime
    kind: Kind
    code: str
    text: str
    seconds: float | None = None
    """How long the fault lasted, if it is over."""
    name: str = ""
    """Of an alert."""


class LogLine(NamedTuple):
    """A line of the log; ``fields`` are all others, as text."""

    at: str
    level: str
    event: str
    fields: str


def latest_faults(journal: Journal, limit: int) -> Sequence[RecordedFault]:
    """Return the latest events about faults, newest first. Raises SQLAlchemyError."""
    with journal.database.read() as connection:
        found = [_fault(row) for kind in _KINDS for row in latest_first(connection, journal.machine_id, kind, limit)]
    return sorted(found, key=lambda fault: fault.at, reverse=True)[:limit]


def log_tail(home: Path, lines: int) -> Sequence[str]:
    """Return the last lines of the log file that was written last; empty if there is none."""
    files = [path for name in _LOGS if (path := home / "logs" / name).is_file()]
    if not files:
        return []
    with max(files, key=lambda path: path.stat().st_mtime).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        found = file.read().decode("utf-8", "replace").splitlines()
    return found[1:][-lines:] if size > _TAIL_BYTES else found[-lines:]


def log_lines(home: Path, lines: int) -> Iterator[LogLine]:
    """Yield the last lines of the log, newest first, in readable parts; without requests that were answered well."""
    for line in reversed(log_tail(home, lines)):
        try:
            content = json.loads(line)
            at, level, event = (str(content.pop(name)) for name in ("timestamp", "level", "event"))
        except (ValueError, KeyError, AttributeError):
            yield LogLine("", "", line, "")
            continue
        content.pop("logger", None)
        if event == "http.request" and int(content.get("status") or 0) < _BAD_STATUS:
            continue
        fields = " ".join(f"{name}={each}" for name, each in content.items() if each is not None)
        yield LogLine(at[:19].replace("T", " "), level, event, fields)


def _fault(row: Any) -> RecordedFault:
    detail = row.detail or {}
    if row.kind.startswith("machine."):
        seconds = detail.get("seconds")
        return RecordedFault(row.at, row.kind, row.reason, str(detail.get("cause") or ""), seconds)
    if row.kind.startswith("alert."):
        code, text = str(detail.get("code") or ""), str(detail.get("message") or row.reason)
        return RecordedFault(row.at, row.kind, code, text, name=str(row.reason))
    return RecordedFault(row.at, row.kind, "", str(row.reason))
