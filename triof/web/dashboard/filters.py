"""Which machines and which days a page of the dashboard is about; it stands in the address, so that it can be kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from werkzeug.datastructures import MultiDict

from triof.journal.scope import Scope
from triof.statistics.queries import Statistics

PERIODS: Mapping[str, int] = {"today": 1, "7": 7, "30": 30, "365": 365}
"""Days that end today, by what the address calls them."""
LONGEST_DAYS = 3660
_EARLIEST = date(2000, 1, 1)
_MOST_MACHINES = 200


@dataclass(frozen=True)
class DashboardFilter:
    """What was asked for; ``period`` is empty where two days were named, ``machines`` where all are meant."""

    period: str
    first: date
    last: date
    machines: tuple[str, ...]

    @property
    def days(self) -> int:
        """How many days that are, the first and the last included."""
        return (self.last - self.first).days + 1

    def scope(self, statistics: Statistics) -> Scope:
        """For the journal."""
        return statistics.days(self.first, self.last, self.machines or None)

    def address(self, **changes: Any) -> dict[str, Any]:
        """What leads here again, for ``url_for``; without what is left out anyway."""
        days = {"period": self.period} if self.period else {"since": self.first, "until": self.last}
        wanted = {**days, "machine": list(self.machines), **changes}
        return {name: value for name, value in wanted.items() if value not in (None, "", [])}


def read(address: MultiDict[str, str], today: date, usual: str) -> DashboardFilter:
    """What ``address`` asks for; what makes no sense there is taken as the ``usual`` period."""
    machines = tuple(dict.fromkeys(address.getlist("machine")[:_MOST_MACHINES]))
    since, until = _day(address.get("since")), _day(address.get("until"))
    if since and until and since <= until and until >= _EARLIEST and "period" not in address:
        last = min(until, today)
        return DashboardFilter("", max(min(since, last), last - timedelta(LONGEST_DAYS - 1)), last, machines)
    period = address.get("period", "")
    period = period if period in PERIODS else usual
    return DashboardFilter(period, today - timedelta(PERIODS[period] - 1), today, machines)


def month(text: str | None, today: date) -> date | None:
    """The first day of a month that has begun, from `2026-10`."""
    first = _day(f"{text}-01")
    return first if first and _EARLIEST <= first <= today else None


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
