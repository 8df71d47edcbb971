"""What stands before a provider in the cloud: it spares it, counts it, gives up on it in time, and learns."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier, Event, Semaphore
from typing import Any
from uuid import UUID

import pytest

from providers.base import (
    LABELS,
    Photo,
    PhotoRejected,
    Prediction,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    ServiceRetired,
)
from tests.support.clock import Clock
from tests.support.guarded import BREAKER, EPOCH, LINES, SOON, TIMEOUT, Cloud, Counted, Guarded
from triof.common.worker_pool import Workers
from triof.judging import photo
from triof.judging.circuit_breaker import Breaker, BreakerOpen, Permit
from triof.judging.guarded_provider import GuardedProvider, Pending
from triof.settings.sections.breaker import BreakerSettings

Build = Callable[..., Guarded]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guarded(clock: Clock) -> Iterator[Build]:
    built: list[Guarded] = []

    def build(*clouds: Cloud | ProviderError, **options: Any) -> Guarded:
        built.append(Guarded(clouds, clock, **options))
        return built[-1]

    yield build
    for each in built:
        each.guard.close()


@pytest.fixture
def grey(jpeg: bytes) -> Photo:
    return photo.load(jpeg)


@pytest.fixture
def held() -> Iterator[Event]:
    """Holds whoever waits for it, at most until the end of the test."""
    event = Event()
    yield event
    event.set()


Ask = Callable[[Guarded], Prediction]


@pytest.fixture
def ask(grey: Photo) -> Ask:
    return lambda guarded: guarded.guard.ask(grey, TIMEOUT).answer()


def refused(ask: Ask, guarded: Guarded) -> ProviderError:
    """The error of one question."""
    with pytest.raises(ProviderError) as raised:
        ask(guarded)
    return raised.value


# Asking


def test_the_provider_is_asked_with_the_time_that_is_left(guarded: Build, ask: Ask) -> None:
    cloud = Cloud(["cup"])
    guard = guarded(cloud)
    assert ask(guard).label == "cup"
    assert cloud.timeouts == [TIMEOUT]
    assert len(guard.counted.taken) == 1
    assert not guard.counted.given_back


def test_building_and_counting_take_their_part_of_the_time(guarded: Build, ask: Ask, clock: Clock) -> None:
    class Slow(Counted):
        def take(self) -> UUID:
            clock.pass_(1.0)
            return super().take()

    cloud = Cloud()
    ask(guarded(cloud, calls=lambda provider: Slow()))
    assert cloud.timeouts == [pytest.approx(TIMEOUT - 1.0)]


def test_the_provider_is_built_when_it_is_needed_and_once(guarded: Build, ask: Ask) -> None:
    guard = guarded(Cloud())
    assert guard.builds == 0
    guard.guard.prepare()
    ask(guard)
    ask(guard)
    guard.guard.ping()
    assert guard.builds == 1


def test_a_provider_that_counts_nothing_is_asked_all_the_same(guarded: Build, ask: Ask) -> None:
    guard = guarded(Cloud(), calls=lambda provider: None)
    assert ask(guard).label == "bottle"
    guard.guard.skip()


def test_ping_asks_the_provider_and_costs_nothing(guarded: Build) -> None:
    cloud = Cloud()
    guard = guarded(cloud)
    guard.guard.ping()
    cloud.unready = ProviderUnavailable("no network")
    with pytest.raises(ProviderUnavailable, match="no network"):
        guard.guard.ping()
    assert not cloud.timeouts
    assert not guard.counted.taken


def test_ping_does_not_wait_for_a_free_line(guarded: Build, grey: Photo, held: Event) -> None:
    guard = guarded(Cloud(meanwhile=lambda: held.wait(SOON)))
    waiting = [guard.guard.ask(grey, TIMEOUT) for _ in range(LINES)]
    with pytest.raises(ProviderUnavailable):
        guard.guard.ping()
    held.set()
    for pending in waiting:
        pending.answer()
    guard.guard.ping()


def test_closing_closes_the_provider_once(guarded: Build, ask: Ask) -> None:
    cloud = Cloud()
    guard = guarded(cloud)
    ask(guard)
    guard.guard.close()
    guard.guard.close()
    assert cloud.closed == 1


# Resting


def resting(seconds: float) -> Mapping[str, ProviderError]:
    return {
        "quota": QuotaExceeded("all used", EPOCH + timedelta(seconds=1000 + seconds)),
        "rate": RateLimited("too fast", seconds),
    }


@pytest.mark.parametrize("cause", ["quota", "rate"])
@pytest.mark.parametrize("seconds", [0.5, 90.0, 2_592_000.0])
def test_it_is_not_asked_before_the_vendors_time_and_asked_after(
    guarded: Build, ask: Ask, clock: Clock, cause: str, seconds: float
) -> None:
    error = resting(seconds)[cause]
    cloud = Cloud([error, "cup"])
    guard = guarded(cloud, calls=lambda provider: None)
    assert refused(ask, guard) is error
    clock.pass_(seconds * 0.99)
    assert str(refused(ask, guard)) == str(error)
    with pytest.raises(type(error)):
        guard.guard.ping()
    assert len(cloud.timeouts) == 1
    clock.pass_(seconds * 0.02)
    guard.guard.ping()
    assert ask(guard).label == "cup"
    assert guard.builds == 1


def test_a_rest_is_told_once(guarded: Build, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    guard = guarded(Cloud([RateLimited("too fast", 7.0)]))
    for _ in range(3):
        refused(ask, guard)
    assert caplog.messages == ["provider.rests provider=cloud seconds=7 cause=too fast"]


def test_the_ledgers_own_refusal_rests_too_and_nothing_is_asked(guarded: Build, ask: Ask, clock: Clock) -> None:
    cloud = Cloud()
    guard = guarded(cloud)
    for error in resting(60.0).values():
        guard.counted.refusal = error
        assert refused(ask, guard) is error
        guard.counted.refusal = None
        assert refused(ask, guard) is error, "it rests"
        clock.pass_(61)
        ask(guard)
        guard.counted.refusal = None
    assert len(cloud.timeouts) == 2
    assert not guard.counted.word, "that was our own word"


def test_the_ledger_is_looked_at_again_each_minute_and_the_vendor_only_when_it_lets(
    guarded: Build, ask: Ask, clock: Clock
) -> None:
    used_up = resting(2_592_000.0)["quota"]
    cloud = Cloud([used_up, "cup"])
    guard = guarded(cloud)
    refused(ask, guard)
    guard.counted.refusal = used_up  # as a ledger says that has heard the vendor's word
    for _ in range(5):
        clock.pass_(60)
        assert refused(ask, guard) is used_up
    assert len(cloud.timeouts) == 1
    guard.counted.refusal = None  # somebody has paid for more
    clock.pass_(59)
    refused(ask, guard)
    assert len(cloud.timeouts) == 1
    clock.pass_(1)
    assert ask(guard).label == "cup"


def test_the_vendors_word_is_passed_on_to_the_ledger(guarded: Build, ask: Ask) -> None:
    resets_at = EPOCH + timedelta(days=9)
    guard = guarded(Cloud([QuotaExceeded("all used", resets_at)]))
    refused(ask, guard)
    assert guard.counted.word == [resets_at]


def turned_away(error: ProviderError) -> ProviderError:
    """As the vendor's client raises it."""
    error.refused = True
    return error


def test_a_call_that_the_vendor_turned_away_is_told_from_one_that_it_answered(guarded: Build, ask: Ask) -> None:
    errors: list[ProviderError | str] = [
        turned_away(RateLimited("too fast", 0.0)),
        ProviderMisconfigured("unknown tag"),
        "cup",
    ]
    guard = guarded(Cloud(errors))
    for _ in errors[:2]:
        refused(ask, guard)
    assert guard.counted.turned_away == guard.counted.taken[:1], "an answer that nobody understands was one"
    assert [failed for _, failed in guard.counted.heard_of] == [True, True]
    assert not guard.counted.given_back


def test_a_photo_that_never_left_is_given_back(guarded: Build, ask: Ask) -> None:
    guard = guarded(Cloud([PhotoRejected("too narrow", sent=False), PhotoRejected("not readable")]))
    for _ in range(2):
        refused(ask, guard)
    assert guard.counted.given_back == guard.counted.taken[:1]


def test_a_retired_service_rests_for_days_and_every_process_knows(guarded: Build, ask: Ask, clock: Clock) -> None:
    cloud = Cloud([ServiceRetired("is retired")] * 2)
    guard = guarded(cloud)
    refused(ask, guard)
    (until,) = guard.counted.retired_until
    assert until - EPOCH > timedelta(days=6)
    guard.counted.refusal = ServiceRetired("it said so")
    for _ in range(5):
        clock.pass_(61)
        assert str(refused(ask, guard)) == "it said so"
    assert len(cloud.timeouts) == 1
    alone = guarded(cloud, calls=lambda provider: None)
    refused(ask, alone)
    clock.pass_(86_400)
    refused(ask, alone)
    assert len(cloud.timeouts) == 2, "also where nothing is counted"
    assert guard.guard.state == "closed"


def test_whoever_can_wait_is_told_for_how_long_and_who_says_so(guarded: Build, ask: Ask, clock: Clock) -> None:
    guard = guarded(Cloud([turned_away(RateLimited("too fast", 7.0)), "cup"]))
    assert guard.guard.rate_wait() == (0.0, False), "nothing is built yet"
    guard.guard.prepare()
    guard.counted.full_for = 0.4
    assert guard.guard.rate_wait() == (0.4, False)
    refused(ask, guard)
    clock.pass_(2)
    assert guard.guard.rate_wait() == (5.0, True)
    clock.pass_(5)
    guard.counted.refusal = RateLimited("our own count", 0.3)
    refused(ask, guard)
    assert guard.guard.rate_wait() == (pytest.approx(0.3), False)


def test_misconfigured_it_is_closed_and_built_anew_after_a_rest(guarded: Build, ask: Ask, clock: Clock) -> None:
    old, new = Cloud([ProviderMisconfigured("key refused")]), Cloud(["cutlery"])
    guard = guarded(old, new)
    assert "key refused" in str(refused(ask, guard))
    assert old.closed == 1
    clock.pass_(59)
    refused(ask, guard)
    assert (guard.builds, len(old.timeouts)) == (1, 1)
    clock.pass_(1)
    assert ask(guard).label == "cutlery"
    assert (guard.builds, old.closed, new.closed) == (2, 1, 0)


def test_one_that_cannot_be_built_is_tried_again_after_a_rest(guarded: Build, ask: Ask, clock: Clock) -> None:
    no_key = ProviderMisconfigured("no key")
    guard = guarded(no_key, no_key, Cloud(["cup"]))
    with pytest.raises(ProviderMisconfigured):
        guard.guard.prepare()
    for _ in range(3):
        assert "no key" in str(refused(ask, guard))
    assert guard.builds == 2, "prepare, and the first question"
    clock.pass_(60)
    assert ask(guard).label == "cup"


def test_a_call_that_cannot_be_counted_is_not_made(guarded: Build, ask: Ask) -> None:
    cloud = Cloud()
    guard = guarded(cloud)
    guard.counted.refusal = ProviderMisconfigured("the disk is full")
    assert "disk is full" in str(refused(ask, guard))
    assert not cloud.timeouts


# The breaker


NEUTRAL = [
    RateLimited("too fast", 0.0),
    QuotaExceeded("all used", EPOCH),
    PhotoRejected("odd"),
]


@pytest.mark.parametrize("error", NEUTRAL, ids=lambda error: type(error).__name__)
def test_what_says_nothing_about_its_health_does_not_open_the_breaker(
    guarded: Build, ask: Ask, error: ProviderError
) -> None:
    cloud = Cloud([error])
    guard = guarded(cloud)
    for _ in range(10):
        assert refused(ask, guard) is error
    assert len(cloud.timeouts) == 10
    assert guard.breaker.state == "closed"


@pytest.mark.parametrize("error", NEUTRAL, ids=lambda error: type(error).__name__)
def test_such_an_answer_to_a_probe_lets_the_next_question_probe(
    guarded: Build, ask: Ask, clock: Clock, error: ProviderError
) -> None:
    off = ProviderUnavailable("off")
    guard = guarded(Cloud([off, off, off, error, "bottle", "bottle"]))
    for _ in range(3):
        refused(ask, guard)
    clock.pass_(30)
    assert refused(ask, guard) is error
    assert guard.breaker.state == "half_open"
    ask(guard)
    ask(guard)
    assert guard.breaker.state == "closed"


def test_misconfigured_does_not_open_the_breaker(guarded: Build, ask: Ask, clock: Clock) -> None:
    guard = guarded(Cloud([ProviderMisconfigured("key refused")]))
    for _ in range(5):
        refused(ask, guard)
        clock.pass_(60)
    assert guard.builds == 5
    assert guard.breaker.state == "closed"


def test_failures_open_the_breaker_and_then_nobody_is_asked(guarded: Build, ask: Ask, clock: Clock) -> None:
    off = ProviderUnavailable("off")
    cloud = Cloud([off, off, off, "bottle"])
    guard = guarded(cloud)
    for _ in range(3):
        assert refused(ask, guard) is off
    assert isinstance(refused(ask, guard), BreakerOpen)
    assert len(cloud.timeouts) == len(guard.counted.taken) == 3
    clock.pass_(30)
    assert ask(guard).label == "bottle"


def test_slow_answers_open_the_breaker(guarded: Build, ask: Ask, clock: Clock) -> None:
    cloud = Cloud()
    cloud.meanwhile = lambda: clock.pass_(1.3)
    guard = guarded(cloud)
    for _ in range(3):
        assert ask(guard).label == "bottle"
    assert guard.breaker.state == "open"


NONSENSE: Sequence[Mapping[str, float]] = [
    {"bottle": 1.0},
    {"can": 0.5, "jar": 0.5},
    {**dict.fromkeys(LABELS["waste_type"], 0.2), "can": 0.2},
    {**dict.fromkeys(LABELS["waste_type"], 0.1), "bottle": 1.7},
    {**dict.fromkeys(LABELS["waste_type"], 0.5), "bottle": -0.5},
    {**dict.fromkeys(LABELS["waste_type"], 0.0), "bottle": math.inf},
    dict.fromkeys(LABELS["waste_type"], math.nan),
    dict.fromkeys(LABELS["waste_type"], 0.2),
    dict.fromkeys(LABELS["waste_type"], "0.25"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_an_answer_that_makes_no_sense_is_a_failure(guarded: Build, ask: Ask, nonsense: Mapping[str, float]) -> None:
    guard = guarded(Cloud([nonsense]))
    for _ in range(3):
        assert "makes no sense" in str(refused(ask, guard))
    assert guard.breaker.state == "open"
    assert not guard.counted.given_back, "the vendor has counted it"


def test_a_provider_that_breaks_is_a_failure(guarded: Build, ask: Ask) -> None:
    guard = guarded(Cloud(meanwhile=lambda: 1 / 0))
    for _ in range(3):
        error = refused(ask, guard)
        assert isinstance(error, ProviderUnavailable)
        assert "ZeroDivisionError" in str(error)
    assert guard.breaker.state == "open"
    assert not guard.counted.given_back


# What it costs


def test_a_question_that_was_never_sent_is_given_back(guarded: Build, ask: Ask) -> None:
    guard = guarded(Cloud([ProviderUnavailable("no network", sent=False), ProviderUnavailable("broke off"), "cup"]))
    refused(ask, guard)
    assert guard.counted.given_back == guard.counted.taken
    refused(ask, guard)
    ask(guard)
    assert len(guard.counted.taken) == 3
    assert guard.counted.given_back == guard.counted.taken[:1]


def test_a_call_is_counted_before_it_is_made(guarded: Build, ask: Ask) -> None:
    cloud = Cloud()
    guard = guarded(cloud)
    before: list[int] = []
    cloud.meanwhile = lambda: before.append(len(guard.counted.taken))
    ask(guard)
    ask(guard)
    assert before == [1, 2]


def test_what_was_spared_is_noted_and_failing_that_nobody_suffers(
    guarded: Build, caplog: pytest.LogCaptureFixture
) -> None:
    guard = guarded(Cloud())
    guard.guard.skip()
    assert guard.counted.skipped == 1
    guard.counted.refusal = ProviderMisconfigured("the disk is full")
    guard.guard.skip()
    assert caplog.messages == ["call.spared_unnoted provider=cloud cause=the disk is full"]


# Time


def come_back(pending: Pending) -> Prediction:
    """What the call brings in the end, though nobody waits for it any more."""
    return pending.future.result(SOON)


def test_an_answer_that_does_not_come_is_given_up_and_counted_once(
    guarded: Build, ask: Ask, grey: Photo, clock: Clock, held: Event
) -> None:
    # Two calls that were no quick answers open it, whatever they were.
    settings = BreakerSettings(window_calls=10, minimum_calls=2, failure_rate=1.0, slow_rate=1.0, slow_seconds=1.2)
    cloud = Cloud(["bottle", ProviderUnavailable("off")], meanwhile=lambda: held.wait(SOON))
    guard = guarded(cloud, breaker=settings)
    pending = guard.guard.ask(grey, TIMEOUT)
    clock.pass_(TIMEOUT)
    with pytest.raises(ProviderUnavailable, match=r"no whole answer within 1\.5 s") as late:
        pending.answer()
    assert late.value.sent
    assert not guard.counted.given_back
    held.set()
    assert come_back(pending).label == "bottle"
    assert guard.breaker.state == "closed", "what came late was counted too"
    refused(ask, guard)
    assert guard.breaker.state == "open", "what did not come was not counted"


def test_a_late_word_of_the_vendor_is_kept_all_the_same(guarded: Build, grey: Photo, clock: Clock, held: Event) -> None:
    resets_at = EPOCH + timedelta(days=9)
    guard = guarded(Cloud([QuotaExceeded("all used", resets_at)], meanwhile=lambda: held.wait(SOON)))
    pending = guard.guard.ask(grey, TIMEOUT)
    clock.pass_(TIMEOUT)
    with pytest.raises(ProviderUnavailable):
        pending.answer()
    held.set()
    with pytest.raises(QuotaExceeded):
        come_back(pending)
    assert guard.counted.word == [resets_at]


def test_with_all_lines_held_the_next_are_refused_at_once_and_cost_nothing(
    guarded: Build, ask: Ask, grey: Photo, held: Event
) -> None:
    cloud = Cloud(meanwhile=lambda: held.wait(SOON))
    guard = guarded(cloud)
    waiting = [guard.guard.ask(grey, TIMEOUT) for _ in range(LINES)]
    for _ in range(5):
        error = refused(ask, guard)
        assert isinstance(error, ProviderUnavailable)
        assert str(error) == "not asked: all 2 lines to cloud wait for earlier answers"
        assert not error.sent
    assert guard.breaker.state == "closed", "nobody knows whether the cloud is well"
    held.set()
    assert [pending.answer().label for pending in waiting] == ["bottle"] * LINES
    assert ask(guard).label == "bottle"
    assert len(cloud.timeouts) == len(guard.counted.taken) == LINES + 1


def test_a_probe_for_which_no_line_is_free_lets_the_next_question_probe(
    guarded: Build, ask: Ask, grey: Photo, clock: Clock, held: Event
) -> None:
    guard = guarded(Cloud(meanwhile=lambda: held.wait(SOON)))
    waiting = [guard.guard.ask(grey, TIMEOUT) for _ in range(LINES)]
    for _ in range(3):
        guard.breaker.failed(guard.breaker.permit(), "off")
    clock.pass_(30)
    for _ in range(2):
        assert "not asked: all 2 lines" in str(refused(ask, guard))
    held.set()
    for pending in waiting:
        come_back(pending)
    assert ask(guard).label == "bottle"


# Pixels


def test_it_needs_no_pixels_while_it_would_not_be_asked(
    guarded: Build, ask: Ask, grey: Photo, clock: Clock, held: Event
) -> None:
    off = ProviderUnavailable("off")
    cloud = Cloud([RateLimited("too fast", 5.0), off, off, off, "bottle"])
    guard = guarded(cloud)
    assert guard.guard.needed_side == 0, "not built yet"
    guard.guard.prepare()
    assert guard.guard.needed_side == 512
    refused(ask, guard)
    assert guard.guard.needed_side == 0, "it rests"
    clock.pass_(5)
    assert guard.guard.needed_side == 512
    for _ in range(3):
        refused(ask, guard)
    assert guard.guard.needed_side == 0, "the breaker is open"
    clock.pass_(30)
    assert guard.guard.needed_side == 512, "the next question is a probe"
    cloud.meanwhile = lambda: held.wait(SOON)
    probing = guard.guard.ask(grey, TIMEOUT)
    assert guard.guard.needed_side == 0, "somebody else probes"
    held.set()
    probing.answer()
    assert guard.guard.needed_side == 512


def test_a_shorter_rest_does_not_end_a_longer_one(guarded: Build, grey: Photo, clock: Clock) -> None:
    both = Barrier(2)
    each = guarded(Cloud([RateLimited("long", 50.0), RateLimited("short", 1.0)], meanwhile=both.wait))
    pending = [each.guard.ask(grey, TIMEOUT) for _ in range(2)]
    for question in pending:
        with pytest.raises(RateLimited):
            question.answer()
    clock.pass_(2)
    with pytest.raises(RateLimited, match="long"):
        each.guard.ask(grey, TIMEOUT)


def test_a_probe_is_not_lost_when_something_else_breaks(guarded: Build, ask: Ask, clock: Clock) -> None:
    class Breaking(Counted):
        broken = False

        def take(self) -> UUID:
            if self.broken:
                raise OSError("disk")
            return super().take()

    counts, off = Breaking(), ProviderUnavailable("off")
    each = guarded(Cloud([off, off, off, "cup"]), calls=lambda provider: counts)
    for _ in range(3):
        assert refused(ask, each) is off
    clock.pass_(30)
    counts.broken = True
    assert "disk" in str(refused(ask, each))
    counts.broken = False
    clock.pass_(60)
    assert ask(each).label == "cup"


def test_an_answer_that_is_none_is_a_failure_and_loses_no_probe(guarded: Build, ask: Ask, clock: Clock) -> None:
    class Silly(Cloud):
        def predict(self, photo: Photo, *, timeout: float) -> Prediction:
            return None  # type: ignore[return-value]

    each = guarded(Silly())
    for seconds in (0, 0, 0, 30, 60, 120):
        clock.pass_(seconds)
        assert "AttributeError" in str(refused(ask, each)), "asked each time"


def test_an_answer_fetched_late_is_not_a_slow_one(guarded: Build, grey: Photo, clock: Clock) -> None:
    each = guarded(Cloud())
    for _ in range(10):
        pending = each.guard.ask(grey, TIMEOUT)
        come_back(pending)
        clock.pass_(TIMEOUT - 0.1)
        pending.answer()
        assert pending.seconds == 0
    assert each.breaker.state == "closed"


@pytest.mark.slow
def test_what_the_ledger_cannot_write_is_not_what_came_of_the_call(guarded: Build, ask: Ask, clock: Clock) -> None:
    class Full(Counted):
        def exhausted(self, resets_at: datetime) -> None:
            raise ProviderMisconfigured("disk full")

        def give_back(self, call: UUID) -> None:
            raise ProviderMisconfigured("disk full")

    unsent, gone = ProviderUnavailable("off", sent=False), QuotaExceeded("all used", EPOCH + timedelta(days=9))
    each = guarded(Cloud([unsent, gone, "cup"]), calls=lambda provider: Full())
    assert refused(ask, each) is unsent
    assert refused(ask, each) is gone
    clock.pass_(3600)
    assert refused(ask, each) is gone, "as nobody else knows, it rests for the vendor's time"


def test_a_ping_or_a_close_that_breaks_harms_nobody(guarded: Build, ask: Ask) -> None:
    class Brittle(Cloud):
        def ping(self) -> None:
            raise OSError("no route")

        def close(self) -> None:
            raise OSError("closed already")

    each = guarded(Brittle([ProviderMisconfigured("key")]))
    with pytest.raises(ProviderUnavailable, match="no route"):
        each.guard.ping()
    assert "key" in str(refused(ask, each))


def test_what_is_noted_waits_for_nobody(clock: Clock, grey: Photo) -> None:
    later: list[Callable[[], None]] = []
    counted = Counted()
    guard = GuardedProvider(
        "cloud",
        "waste_type",
        Cloud,
        breaker=Breaker(BREAKER, clock),
        workers=Workers("cloud", LINES),
        calls=lambda provider: counted,
        clock=clock,
        note=later.append,
    )
    guard.skip()
    assert counted.skipped == 0
    later.pop()()
    assert counted.skipped == 1
    guard.learn(Permit(0, probe=False), RateLimited("fast", 5.0), 0.1)
    guard.skip()
    assert not later, "what would not have been asked is not spared"
    guard.close()


def test_a_ping_that_does_not_come_back_is_given_up(
    guarded: Build, held: Event, caplog: pytest.LogCaptureFixture
) -> None:
    class Mute(Cloud):
        def ping(self) -> None:
            held.wait(SOON)

    with pytest.raises(ProviderUnavailable, match=r"did not answer within 0\.01 s"):
        guarded(Mute(), ping_seconds=0.01).guard.ping()
    assert "provider.broke" not in caplog.messages, "it is slow, not broken"


def test_a_trial_asks_in_spite_of_the_breaker_and_finds_all_lines_busy(
    guarded: Build, grey: Photo, held: Event
) -> None:
    asked = Semaphore(0)
    each = guarded(Cloud(meanwhile=lambda: (asked.release(), held.wait(SOON))))
    for _ in range(3):
        each.breaker.failed(each.breaker.permit(), "off")
    held.set()
    assert each.guard.probe(grey, TIMEOUT).label == "bottle"
    assert each.breaker.state == "open", "it learns nothing"
    held.clear()
    asked.acquire()
    with ThreadPoolExecutor(LINES) as others:
        for _ in range(LINES):
            others.submit(each.guard.probe, grey, TIMEOUT)
            assert asked.acquire(timeout=SOON)
        with pytest.raises(ProviderUnavailable, match="all 2 lines"):
            each.guard.probe(grey, TIMEOUT)
        held.set()
