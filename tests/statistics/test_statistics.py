"""Counted once, and right whatever happens: late rows, clocks set back, drills, machines that share a journal."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy import event as listening
from sqlalchemy.orm import Session

from providers.base import Attempt
from tests.support.places import BASE, MACHINES, Place, prediction
from triof.journal.scope import Scope
from triof.statistics.queries import Statistics
from triof.storage.tables import Event, LedgerRow


@pytest.fixture
def place(tmp_path: Path, journal_url: str) -> Iterator[Place]:
    built = Place(tmp_path, journal_url)
    yield built
    built.close()


def naive(place: Place, scope: Scope, statistics: Statistics) -> dict[str, Any]:
    """The same numbers from the plain facts."""
    until = min(scope.until, statistics.days(statistics.today, statistics.today).until)
    rows = [
        row
        for row in place.rows
        if scope.since <= row["at"] < until
        and row["deposit"] not in place.drilled
        and (scope.machines is None or row["machine"] in scope.machines)
    ]
    kinds = Counter(row["kind"] for row in rows)
    judged = [row for row in rows if row["kind"] == "judged"]
    compared = [row for row in rows if row["kind"] == "confirmed" and row["label"]]
    return {
        "opened": kinds["opened"],
        "judged": kinds["judged"],
        "reasons": Counter(row["reason"] for row in judged),
        "seen": Counter(row["label"] for row in judged if row["label"]),
        "confirmed": kinds["confirmed"],
        "compared": len(compared),
        "corrected": sum(row["label"] != row["chosen"] for row in compared),
        "shredded": Counter(str(row["chosen"]) for row in rows if row["kind"] == "shredded"),
        "returned": kinds["returned"],
        "interrupted": kinds["interrupted"],
        "answers": sum(1 + bool(row["label"]) for row in judged),
        "questions": 2 * len(judged),
        "days": Counter(statistics.calendar.day(row["at"]) for row in judged),
        "hours": Counter(statistics.calendar.hour(row["at"]) for row in judged),
    }


def asked(statistics: Statistics, scope: Scope) -> dict[str, Any]:
    totals = statistics.totals(scope)
    told = {name: getattr(totals, name) for name in ("opened", "judged", "confirmed", "compared", "corrected")}
    days, hours = statistics.by_day(scope), statistics.by_hour(scope)
    assert [day.day for day in days] == sorted({day.day for day in days})
    return {
        **told,
        "reasons": Counter(totals.reasons),
        "seen": Counter(totals.seen),
        "shredded": Counter(totals.shredded),
        "returned": totals.returned.get("dirty", 0),
        "interrupted": totals.interrupted,
        "answers": sum(model.answers for model in statistics.models(scope)),
        "questions": sum(response.questions for response in statistics.responses(scope)),
        "days": Counter({day.day: day.totals.judged for day in days if day.totals.judged}),
        "hours": Counter({hour.at.astimezone(UTC): hour.totals.judged for hour in hours if hour.totals.judged}),
    }


MINUTES = st.builds(
    # Around midnight in Paris, which is at 22:00 and, from the 25th on, at 23:00.
    lambda day, minute: day * 1440 + minute,
    st.integers(-1, 4),
    st.sampled_from([0, 600, 1318, 1319, 1320, 1379, 1380, 1381]),
)
LATER = 7 * 1440
WHICH = st.sampled_from([None, ["a"], ["b"], ["a", "b"], ["nobody"]])
SCOPES = st.tuples(MINUTES, st.one_of(st.sampled_from([1440, 2 * 1440, 3 * 1440 + 60]), MINUTES), WHICH)
DEPOSITS = st.fixed_dictionaries(
    {
        "machine": st.sampled_from(MACHINES),
        "label": st.sampled_from(["bottle", "cup", None]),
        "reason": st.sampled_from(["sure", "dirty", "unsure_type"]),
        "chosen": st.sampled_from(["bottle", "cup", None]),
        "ending": st.sampled_from(["shredded", "returned", "interrupted"]),
        "step": st.sampled_from([timedelta(seconds=3), timedelta(hours=1)]),
    }
)
STEPS = st.one_of(
    st.tuples(st.just("deposit"), MINUTES, DEPOSITS),
    st.tuples(st.just("drill"), MINUTES, st.integers(0, 20)),
    st.tuples(st.just("ask"), st.one_of(MINUTES, st.just(LATER)), SCOPES),
    st.tuples(st.just("round"), st.just(LATER), st.none()),
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=4, max_size=12), scope=SCOPES, end=st.one_of(MINUTES, st.just(LATER)))
def test_what_was_tallied_is_what_a_naive_count_gives(
    url_of: Callable[[Path], str], steps: Sequence[Any], scope: tuple[int, int, Any], end: int
) -> None:
    def scope_of(start: int, minutes: int, machines: Any) -> Scope:
        since = BASE + timedelta(minutes=start)
        return Scope(since, since + timedelta(minutes=minutes), machines)

    with TemporaryDirectory() as folder:
        place = Place(Path(folder), url_of(Path(folder) / "journal.db"))
        statistics = place.statistics()
        for what, minute, more in steps:
            # Also backwards: clocks are set back, and rows come late.
            place.now = BASE + timedelta(minutes=minute)
            if what == "deposit":
                place.deposit(**more)
            elif what == "drill" and place.rows:
                row = place.rows[more % len(place.rows)]
                place.drill(row["machine"], row["deposit"])
            elif what == "ask":
                statistics.totals(scope_of(*more))
                statistics.by_day(scope_of(*more))
            elif what == "round":
                statistics.count_past_days()
        place.now = BASE + timedelta(minutes=end)
        try:
            for each in (scope_of(*scope), statistics.days(date(2026, 10, 22), date(2026, 10, 29))):
                expected = naive(place, each, statistics)
                # Twice, as answers are kept, and once by somebody who has just come.
                for who in (statistics, statistics, place.statistics()):
                    assert asked(who, each) == expected
        finally:
            place.close()


def test_a_clock_that_is_set_back_and_a_drill_that_ends_after_midnight_are_counted_right(place: Place) -> None:
    drilled = place.deposit()
    statistics = place.statistics()
    scope = statistics.days(date(2026, 10, 22), date(2026, 10, 24))
    place.now = BASE + timedelta(days=1)
    assert statistics.totals(scope).judged == 1
    place.now = BASE + timedelta(hours=2)
    place.deposit()
    place.now = BASE + timedelta(days=1)
    assert statistics.totals(scope).judged == 2
    place.drill("a", drilled)
    assert statistics.totals(scope).judged == 1


def test_a_day_that_is_over_is_counted_once(place: Place) -> None:
    for _ in range(3):
        place.deposit()
        place.now += timedelta(days=1)
    statistics = place.statistics()
    assert statistics.count_past_days() == 3
    before = [(tally.id, tally.counts) for tally in place.tallies()]
    assert statistics.count_past_days() == 0
    assert statistics.totals(statistics.days(date(2026, 10, 1), statistics.today)).judged == 3
    assert [(tally.id, tally.counts) for tally in place.tallies()] == before
    assert statistics.totals(statistics.days(statistics.today, statistics.today)).judged == 0


def test_a_crash_while_counting_leaves_no_half_of_a_day(place: Place) -> None:
    place.deposit()
    place.now += timedelta(days=1)
    scope = place.statistics().days(date(2026, 10, 22), date(2026, 10, 24))

    def crash(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO tallies"):
            raise SystemExit

    listening.listen(Engine, "before_cursor_execute", crash)
    try:
        with pytest.raises(SystemExit):
            place.statistics().totals(scope)
    finally:
        listening.remove(Engine, "before_cursor_execute", crash)
    assert place.tallies() == []
    assert place.statistics().totals(scope).judged == 1


def test_rows_that_another_program_copied_in_are_noticed_by_a_round(place: Place) -> None:
    place.deposit()
    place.now += timedelta(days=1)
    statistics = place.statistics()
    statistics.count_past_days()
    with place.journals["a"].database.write() as connection, Session(connection) as session, session.begin():
        event = {"machine_id": "a", "deposit_id": uuid4(), "kind": "deposit.opened", "at": BASE + timedelta(hours=1)}
        session.add(Event(**event))
    statistics.count_past_days()
    assert statistics.totals(statistics.days(date(2026, 10, 23), date(2026, 10, 23))).opened == 2


def test_another_time_zone_counts_days_anew(place: Place) -> None:
    place.now = datetime(2026, 10, 23, 23, 30, tzinfo=UTC)
    place.deposit()
    place.now += timedelta(days=2)
    for zone, day in (("Europe/Paris", 24), ("UTC", 23), ("Asia/Kolkata", 24), ("America/New_York", 23)):
        statistics = place.statistics(reports={"timezone": zone})
        days = statistics.by_day(statistics.days(date(2026, 10, 22), date(2026, 10, 24)))
        assert [each.day.day for each in days if each.totals.judged] == [day], zone


def test_the_night_in_which_clocks_are_set_back_has_25_hours(place: Place) -> None:
    place.now = datetime(2026, 10, 25, 20, tzinfo=UTC)
    statistics = place.statistics()
    hours = statistics.by_hour(statistics.days(date(2026, 10, 25), date(2026, 10, 25)))
    assert [hour.at.hour for hour in hours] == [0, 1, 2, 2, *range(3, 24)]


@pytest.mark.slow
def test_who_answered_how_fast_and_why_another_one_had_to(place: Place) -> None:
    for milliseconds in range(100, 200):
        attempts = (Attempt("custom_vision", "answered", milliseconds / 1000),)
        place.deposit(provider="custom_vision", version="iteration-7", attempts=attempts)
    late = (Attempt("custom_vision", "ProviderUnavailable", 1.5, "too slow"), Attempt("local_cnn", "answered", 0.03))
    place.deposit(
        label="cup",
        chosen="bottle",
        attempts=late,
        alternatives=(prediction("waste_type", "bottle", "custom_vision", "iteration-7", attempts=()),),
    )
    spared = (Attempt("custom_vision", "spared", 0.0), Attempt("local_cnn", "answered", 0.03))
    place.deposit(attempts=spared)
    place.deposit(label=None)
    statistics = place.statistics()
    scope = statistics.days(statistics.today, statistics.today)
    first, second, *_ = statistics.responses(scope)
    assert (first.provider, first.cloud, first.questions, first.answered, first.skipped) == (
        *("custom_vision", True),
        *(101, 100, 1),
    )
    assert first.failures == {"ProviderUnavailable": 1}
    assert first.seconds
    assert first.seconds.p50 == pytest.approx(0.150, rel=0.05)
    assert first.seconds.p95 == pytest.approx(0.195, rel=0.05)
    assert (second.provider, second.answered, second.accepted) == ("local_cnn", 2, 2)
    assert second.failures == {"ProviderMisconfigured": 1}
    totals = statistics.totals(scope)
    assert (totals.cloud, totals.local, totals.judged) == (100, 2, 103)
    models = {model.model_version: model for model in statistics.models(scope) if model.task == "waste_type"}
    assert (models["iteration-7"].accepted, models["iteration-7"].alternatives) == (100, 1)
    # Beside the wrong answer the cloud was right: nobody acted on it, but it counts for the model.
    assert (models["iteration-7"].compared, models["iteration-7"].corrected) == (101, 0)
    assert models["v1"].correction_share == 0.5
    assert models["v1"].probability == pytest.approx(0.9)


def test_the_latest_deposits_say_how_they_ended(place: Place) -> None:
    drilled = place.deposit()
    place.deposit("b", "cup", "dirty", None, "returned")
    place.deposit("a", "cup", "sure", "bottle", "shredded")
    place.drill("a", drilled)
    statistics = place.statistics()
    scope = statistics.days(statistics.today, statistics.today)
    told = [(each.machine_id, each.waste_type, each.chosen, each.ending) for each in statistics.latest(scope)]
    assert told == [("a", "cup", "bottle", "shredded"), ("b", "cup", None, "returned")]
    (newest,) = statistics.latest(scope, 1)
    assert (newest.action, newest.provider, newest.seconds, newest.at.utcoffset()) == (
        *("accept", "local_cnn", 0.2),
        timedelta(hours=2),
    )


CLOUD = {
    "prediction_endpoint": "https://example.org",
    "prediction_key": "0" * 32,
    "project_id": str(UUID(int=1)),
    "published_name": "name",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("a_day", "days", "limit", "ahead"),
    [
        (100, 10, 10_000, None),  # 3,000 in any 30 days
        (100, 10, 2_000, 10),  # 1,000 used, 1,000 left at 100 a day
        (100, 29, 2_900, 0),
        (0, 0, 2_000, None),
        (10, 29, 299, 1),
        (10, 3, 100, 17),  # the mean of 7 days, three of which had calls: 30 / 7 a day
    ],
)
def test_the_quota_says_on_which_day_it_runs_out(
    place: Place, a_day: int, days: int, limit: int, ahead: int | None
) -> None:
    place.now = datetime(2026, 10, 23, 20, tzinfo=UTC)
    statistics = place.statistics(custom_vision={**CLOUD, "calls_per_month": limit})
    resource = statistics.quota()[0].resource
    with place.journals["a"].database.write() as connection, Session(connection) as session, session.begin():
        for day in range(days):
            at = place.now - timedelta(days=day, hours=1)
            call = {"machine_id": "a", "resource": resource, "tier": "F0", "kind": "call"}
            session.add_all(LedgerRow(**call, at=at + timedelta(seconds=number)) for number in range(a_day))
    forecast = statistics.quota()[0]
    assert forecast.runs_out_on == (None if ahead is None else date(2026, 10, 23) + timedelta(days=ahead))
    assert forecast.limit == limit


def test_the_csv_has_a_row_for_each_machine_and_day_and_no_formula(place: Place) -> None:
    place.journals["=1+1"] = place.journal("=1+1")
    place.deposit("=1+1", "cup", "sure", "cup")
    place.now += timedelta(days=2)
    place.deposit("a", "bottle", "dirty", None, "returned")
    statistics = place.statistics()
    text = "".join(statistics.csv(statistics.days(date(2026, 10, 1), date(2026, 10, 31))))
    assert text.startswith("\ufeffmachine,day,complete,")
    assert text.endswith("\r\n")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [(row["machine"], row["day"], row["complete"]) for row in rows] == [
        ("'=1+1", "2026-10-23", "yes"),
        ("'=1+1", "2026-10-24", "yes"),
        ("'=1+1", "2026-10-25", "no"),
        ("a", "2026-10-25", "no"),
    ]
    assert (rows[0]["shredded_cup"], rows[0]["kilograms"], rows[0]["dirty_share"]) == ("1", "0.004", "0.0")
    assert (rows[3]["returned_dirty"], rows[3]["dirty_share"], rows[1]["dirty_share"]) == ("1", "1.0", "")
