"""When a model that is paid by the hour is to run."""

from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from providers.rekognition.opening_hours import OpeningHours

MONDAY = datetime(2026, 11, 30)


def at(hour: int, minute: int = 0, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


def test_it_is_open_within_the_hours_only() -> None:
    hours = OpeningHours.model_validate({"monday": "07:30-14:00,18:00-24:00", "sunday": ""})
    moments = (at(7, 29), at(7, 30), at(13, 59), at(14), at(18), at(23, 59), at(0, day=1), at(8, day=6))
    assert [hours.is_open(moment) for moment in moments] == [False, True, True, False, True, True, False, False]
    assert hours.hours_a_week == 12.5


def test_the_lead_reaches_into_the_day_before() -> None:
    hours = OpeningHours.model_validate({"tuesday": "00:00-02:00"})
    assert hours.is_open(at(23, 45), timedelta(minutes=20))
    assert not hours.is_open(at(23, 35), timedelta(minutes=20))


def test_without_hours_nothing_is_scheduled() -> None:
    assert not OpeningHours().is_set
    assert OpeningHours.model_validate({"friday": "8:00-9:00"}).is_set


@pytest.mark.parametrize(
    "text", ["8-9", "08:00", "08:60-09:00", "09:00-08:00", "08:00-25:00", "08:00-10:00,09:00-11:00"]
)
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match=r"hours|Hours"):
        OpeningHours.model_validate({"monday": text})
