"""The hours of a week in which a model in the cloud is to run, as it is paid by the hour."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from providers.options import Listed, Options

_MINUTES_A_DAY = 24 * 60


class _OpenSpan(NamedTuple):
    """Minutes since midnight, the end excluded."""

    start: int
    end: int


def _read(text: str) -> _OpenSpan:
    found = re.fullmatch(r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*", text)
    numbers = [int(number) for number in found.groups()] if found else []
    if not numbers or numbers[1] > 59 or numbers[3] > 59:
        raise PydanticCustomError("hours", "Give hours like 07:30-14:00, several separated by commas")
    span = _OpenSpan(60 * numbers[0] + numbers[1], 60 * numbers[2] + numbers[3])
    if not span.start < span.end <= _MINUTES_A_DAY:
        raise PydanticCustomError("hours", "Hours end after they begin, at 24:00 at the latest: split a night in two")
    return span


def _are_hours(texts: tuple[str, ...]) -> tuple[str, ...]:
    spans = sorted(map(_read, texts))
    if any(later.start < earlier.end for earlier, later in pairwise(spans)):
        raise PydanticCustomError("hours", "Two of these hours overlap")
    return texts


def _none_if_empty(value: Any) -> Any:
    return () if value is None else value


Hours = Annotated[Listed, AfterValidator(_are_hours), BeforeValidator(_none_if_empty)]
"""Spans of one day, such as ``07:30-14:00``; empty: closed."""


class OpeningHours(Options):
    """The hours of each day of the week; a week without any means that nothing is started or stopped."""

    monday: Hours = ()
    tuesday: Hours = ()
    wednesday: Hours = ()
    thursday: Hours = ()
    friday: Hours = ()
    saturday: Hours = ()
    sunday: Hours = ()

    @property
    def _days(self) -> Sequence[Sequence[_OpenSpan]]:
        week = (self.monday, self.tuesday, self.wednesday, self.thursday, self.friday, self.saturday, self.sunday)
        return [[_read(text) for text in day] for day in week]

    @property
    def is_set(self) -> bool:
        """Whether any day has hours."""
        return any(self._days)

    @property
    def hours_a_week(self) -> float:
        """The sum of all hours."""
        return sum(span.end - span.start for day in self._days for span in day) / 60

    def is_open(self, now: datetime, lead: timedelta = timedelta(0)) -> bool:
        """Return whether ``now``, in local time, is within the hours, or at most ``lead`` before them."""
        return self._contains(now) or self._contains(now + lead)

    def _contains(self, moment: datetime) -> bool:
        minute = 60 * moment.hour + moment.minute
        return any(span.start <= minute < span.end for span in self._days[moment.weekday()])
