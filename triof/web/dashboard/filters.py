"""The filter of a dashboard page: machines and days, parsed from the URL so that a view can be bookmarked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from werkzeug.datastructures import MultiDict

from triof.journal.scope import Scope
from triof.statistics.queries import Statistics

PERIODS: Mapping[str, int] = {"today": 1, "7": 7, "30": 30, "365": 365}
"""Length in days of each named period, which ends today."""
LONGEST_DAYS = 3660
_EARLIEST = date(2000, 1, 1)
_MOST_MACHINES = 200


@dataclass(frozen=True)
class DashboardFilter:
    """Machines and days to show; ``period`` is empty for explicit dates, ``machines`` for all machines."""

    period: str
    first: date
    last: date
    machines: tuple[str, ...]

    @property
    def days(self) -> int:
        """Return the number of days, first and last included."""
        return (self.last - self.first).days + 1

    def scope(self, statistics: Statistics) -> Scope:
        """Return the filter for queries of the journal."""
        return statistics.days(self.first, self.last, self.machines or None)

    def address(self, **changes: Any) -> dict[str, Any]:
        """Return the query arguments of this filter for ``url_for``, without defaults, updated with ``changes``."""
        days = {"period": self.period} if self.period else {"since": self.first, "until": self.last}
        wanted = {**days, "machine": list(self.machines), **changes}
        return {name: value for name, value in wanted.items() if value not in (None, "", [])}


def read(address: MultiDict[str, str], today: date, usual: str) -> DashboardFilter:
    """Parse the query arguments; invalid ones select the ``usual`` period."""
    machines = tuple(dict.fromkeys(address.getlist("machine")[:_MOST_MACHINES]))
    since, until = _day(address.get("since")), _day(address.get("until"))
    if since and until and since <= until and until >= _EARLIEST and "period" not in address:
        last = min(until, today)
        return DashboardFilter("", max(min(since, last), last - timedelta(LONGEST_DAYS - 1)), last, machines)
    period = address.get("period", "")
    period = period if period in PERIODS else usual
    return DashboardFilter(period, today - timedelta(PERIODS[period] - 1), today, machines)


def month(text: str | None, today: date) -> date | None:
    """Return the first day of a month such as `2026-10`; None if it has not begun or is invalid."""
    first = _day(f"{text}-01")
    return first if first and _EARLIEST <= first <= today else None


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
