"""How full the boxes are: what was shredded since each was last emptied, and nothing else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.places import BASE, Place


@pytest.fixture
def place(tmp_path: Path, journal_url: str) -> Iterator[Place]:
    built = Place(tmp_path, journal_url)
    yield built
    built.close()


def test_a_box_holds_what_was_shredded_since_it_was_emptied(place: Place) -> None:
    statistics = place.statistics(slot={"capacity_grams": {"bottle": 100}})
    assert [(box.number, box.items, box.emptied_at) for box in statistics.boxes("a")] == [
        (1, 0, None),
        (2, 0, None),
        (3, 0, None),
    ]
    place.deposit()
    place.now += timedelta(days=3)
    place.deposit()
    place.deposit(ending="returned")
    place.drill("a", place.deposit())
    place.deposit("b")
    bottle, cup, _ = statistics.boxes("a")
    assert (bottle.items, bottle.grams, bottle.share, cup.items) == (2, 30, 0.3, 0)
    place.journals["a"].record("box.emptied", waste_type="bottle", reason="1", who="marie")
    place.now += timedelta(hours=1)
    place.deposit()
    place.deposit(label="cup", chosen="cup")
    bottle, cup, _ = statistics.boxes("a")
    assert (bottle.items, cup.items, bottle.emptied_by) == (1, 1, "marie")
    assert bottle.emptied_at
    assert bottle.emptied_at.isoformat().endswith("+01:00"), "local time, after the clocks were set back"
    place.now += timedelta(days=40)
    assert [box.items for box in statistics.boxes("a")] == [1, 1, 0], "as many once the days are counted"
    assert statistics.boxes("b")[0].items == 1
    assert statistics.boxes("nowhere")[0].items == 0


def test_an_earlier_scope_ends_at_the_same_time_of_day(place: Place) -> None:
    place.now = datetime(2026, 10, 28, 9, 30, 20, tzinfo=UTC)
    statistics = place.statistics()
    today = statistics.today
    week = statistics.earlier(today, today, timedelta(7), None)
    # It is 10:30 in Paris, where clocks were set back on the 25th.
    assert (week.since, week.until) == (
        datetime(2026, 10, 20, 22, tzinfo=UTC),
        datetime(2026, 10, 21, 8, 30, tzinfo=UTC),
    )
    past = statistics.earlier(BASE.date(), BASE.date(), timedelta(7), ["a"])
    assert past == statistics.days(BASE.date() - timedelta(7), BASE.date() - timedelta(7), ["a"])
