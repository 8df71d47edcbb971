"""Days and hours of the place where the machines stand, as periods in UTC."""

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
    """Of one time zone, by its name."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)

    def begin(self, day: date) -> datetime:
        """The first moment of ``day``, in UTC."""
        return datetime.combine(day, time.min, self.zone).astimezone(UTC)

    def period(self, first: date, last: date) -> Period:
        """From the first to the last day, both included."""
        return Period(self.begin(first), self.begin(last + _DAY))

    def day(self, moment: datetime) -> date:
        """The day of ``moment``."""
        return moment.astimezone(self.zone).date()

    def last_day(self, until: datetime) -> date:
        """The day of the last moment before ``until``."""
        return self.day(until - _TICK)

    def hour(self, moment: datetime) -> datetime:
        """When the hour of ``moment`` began, in UTC, as the night in which clocks are set back has one hour twice."""
        local = moment.astimezone(self.zone)
        return local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)

    def local(self, moment: datetime) -> datetime:
        """The same moment as clocks show it there."""
        return moment.astimezone(self.zone)

    def whole_days(self, since: datetime, until: datetime) -> list[date]:
        """The days that lie wholly in the period."""
        first = self.day(since)
        if self.begin(first) < since:
            first += _DAY
        return list(days(first, self.day(until) - _DAY))


def days(first: date, last: date) -> Iterator[date]:
    """Both included."""
    return (first + _DAY * number for number in range((last - first).days + 1))
