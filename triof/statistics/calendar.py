"""Local days and hours as periods in UTC."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_TICK = timedelta.resolution


class Period(NamedTuple):
    """``since`` included, ``until`` not; both aware."""

    since: datetime
    until: datetime


class Calendar:
    """The calendar of one time zone, by its name."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)

    def begin(self, day: date) -> datetime:
        """Return the start of ``day``, in UTC."""
        return datetime.combine(day, time.min, self.zone).astimezone(UTC)

    def period(self, first: date, last: date) -> Period:
        """Return the period from ``first`` to ``last``, both included."""
        return Period(self.begin(first), self.begin(last + _DAY))

    def day(self, moment: datetime) -> date:
        """Return the local day of ``moment``."""
        return moment.astimezone(self.zone).date()

    def last_day(self, until: datetime) -> date:
        """Return the local day of the last moment before ``until``."""
        return self.day(until - _TICK)

    def hour(self, moment: datetime) -> datetime:
        """Return the start of ``moment``'s hour, in UTC, as one local hour occurs twice when clocks are set back."""
        local = moment.astimezone(self.zone)
        return local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)

    def local(self, moment: datetime) -> datetime:
        """Return ``moment`` in local time."""
        return moment.astimezone(self.zone)

    def whole_days(self, since: datetime, until: datetime) -> list[date]:
        """Return the days completely within the period."""
        first = self.day(since)
        if self.begin(first) < since:
            first += _DAY
        return list(days(first, self.day(until) - _DAY))


def days(first: date, last: date) -> Iterator[date]:
    """Yield the days from ``first`` to ``last``, both included."""
    return (first + _DAY * number for number in range((last - first).days + 1))
