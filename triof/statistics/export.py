"""Statistics as CSV (RFC 4180): a row for each machine and day. docs/reference/reports.md explains the columns."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from io import StringIO

from triof.settings.sections.reports import ReportSettings
from triof.statistics import aggregation
from triof.statistics.recycling import TYPES, recycled
from triof.statistics.results import Day, Totals

_RETURNS = ("other", "dirty", "nothing_seen", "reaches_out", "not_judged", "cancelled", "timed_out", "taken_back")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a cell that a spreadsheet takes for a formula."""

Cell = str | int | float | None


def _counts(totals: Totals) -> Mapping[str, Cell]:
    return {
        "opened": totals.opened,
        "deposits": totals.judged,
        **{action: totals.actions.get(action, 0) for action in ("accept", "ask", "refuse")},
        "shredded": totals.items,
        **{f"shredded_{each}": totals.shredded.get(each, 0) for each in TYPES},
        **{f"returned_{each}": totals.returned.get(each, 0) for each in _RETURNS},
        "failed": sum(totals.failed.values()),
        "interrupted": totals.interrupted,
        "confirmed": totals.confirmed,
        "compared": totals.compared,
        "corrected": totals.corrected,
        "dirty_share": None if totals.dirty_share is None else round(totals.dirty_share, 4),
        "told_by_cloud": totals.cloud,
        "told_by_machine": totals.local,
        "seconds_p50": round(totals.seconds.p50, 3) if totals.seconds else None,
        "seconds_p95": round(totals.seconds.p95, 3) if totals.seconds else None,
    }


def _worth(totals: Totals, settings: ReportSettings) -> Mapping[str, Cell]:
    worth = recycled(totals.shredded, settings)
    return {
        **{f"kilograms_{each}": round(worth.kilograms[each], 3) for each in TYPES},
        "kilograms": round(worth.total_kilograms, 3),
        "filament_metres": round(worth.total_metres, 1),
        "co2_kilograms": round(worth.total_co2_kilograms, 3),
    }


def line(cells: Iterable[Cell]) -> str:
    """Return one line of the file, including its line end."""
    text = StringIO()
    csv.writer(text).writerow([_harmless(cell) if isinstance(cell, str) else cell for cell in cells])
    return text.getvalue()


def rows(machine: str, happened: Iterable[Day], settings: ReportSettings) -> Iterator[Mapping[str, Cell]]:
    """Yield a row, by column, for each day of ``machine``."""
    for each in happened:
        about: dict[str, Cell] = {
            "machine": machine,
            "day": each.day.isoformat(),
            "complete": "yes" if each.complete else "no",
        }
        yield {**about, **_counts(each.totals), **_worth(each.totals, settings)}


def _harmless(text: str) -> str:
    """Return the text, escaped if a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


COLUMNS = tuple(next(rows("", [Day(date.min, True, aggregation.totals({}, ()))], ReportSettings())))
"""In their order."""
