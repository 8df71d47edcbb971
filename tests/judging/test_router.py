"""The route is followed in its order, with the cloud and this machine side by side, and every attempt is kept."""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest

from providers.base import (
    NoProviderAnswered,
    Photo,
    PhotoRejected,
    Prediction,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
)
from providers.fake import FakeProvider, Step
from tests.support.clock import Clock
from tests.support.guarded import BREAKER, SOON, Cloud, Guarded
from triof.common.worker_pool import Workers
from triof.judging import photo
from triof.judging.circuit_breaker import Breaker
from triof.judging.guarded_provider import GuardedProvider
from triof.judging.router import Member, Router
from triof.settings.modes import Mode
from triof.settings.sections.breaker import BreakerSettings

CLOUD_SECONDS = 1.5


@pytest.fixture
def grey(jpeg: bytes) -> Photo:
    return photo.load(jpeg)


def test_the_first_answer_counts(grey: Photo) -> None:
    first, second = FakeProvider("waste_type", ["cup"]), FakeProvider("waste_type", ["bottle"])
    prediction = Router({"waste_type": [first, second]}).predict(grey, "waste_type")
    assert prediction.label == "cup"
    assert [attempt.outcome for attempt in prediction.attempts] == ["answered"]
    assert not second.history


@pytest.mark.parametrize(
    "fault", [ProviderUnavailable("off"), RateLimited("fast", 1.0), ProviderMisconfigured("no"), PhotoRejected("odd")]
)
def test_a_failure_is_an_attempt_and_the_next_one_answers(
    grey: Photo, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    route = [FakeProvider("waste_type", [fault]), FakeProvider("waste_type", ["cutlery"])]  # type: ignore[list-item]
    prediction = Router({"waste_type": route}).predict(grey, "waste_type")
    assert prediction.label == "cutlery"
    assert caplog.messages == [f"router.fell_back task=waste_type from=fake cause={fault}"]
    assert [(attempt.outcome, attempt.message) for attempt in prediction.attempts] == [
        (type(fault).__name__, str(fault)),
        ("answered", ""),
    ]


def test_when_nobody_answers_every_cause_is_told_once(grey: Photo, caplog: pytest.LogCaptureFixture) -> None:
    route = [FakeProvider("cleanliness", [ProviderUnavailable(cause)]) for cause in ("one", "two")]
    with pytest.raises(NoProviderAnswered, match=r"one.*two") as unanswered:
        Router({"cleanliness": route}).predict(grey, "cleanliness")
    assert len(unanswered.value.attempts) == 2
    assert not caplog.messages


def test_after_the_deadline_nobody_else_is_asked(grey: Photo) -> None:
    clock = Clock()

    class Slow(FakeProvider):
        def predict(self, photo: Photo, *, timeout: float) -> Prediction:
            clock.pass_(timeout + 1)
            return super().predict(photo, timeout=timeout)

    late = FakeProvider("waste_type", ["cup"])
    router = Router({"waste_type": [Slow("waste_type", [ProviderUnavailable("slow")]), late]}, 2.5, clock)
    with pytest.raises(NoProviderAnswered, match="deadline"):
        router.predict(grey, "waste_type")
    assert not late.history


def test_the_fall_back_is_told_although_both_have_one_name(grey: Photo, caplog: pytest.LogCaptureFixture) -> None:
    steps: list[Step] = [ProviderUnavailable("one"), ProviderUnavailable("two"), "cup"]
    Router({"waste_type": [FakeProvider("waste_type", [step]) for step in steps]}).predict(grey, "waste_type")
    assert [message.rpartition("cause=")[2] for message in caplog.messages] == ["one", "two"]


def test_problems_name_task_provider_and_cause() -> None:
    class Unready(FakeProvider):
        def ping(self) -> None:
            raise ProviderMisconfigured("no model")

    router = Router({"waste_type": [Unready("waste_type", ["cup"])], "cleanliness": []})
    assert [(task, name, str(cause)) for task, name, cause in router.problems()] == [("waste_type", "fake", "no model")]


@pytest.mark.parametrize("nonsense", [{"bottle": 1.0}, {"can": 0.5, "jar": 0.5}])
def test_an_answer_that_makes_no_sense_is_a_failure(grey: Photo, nonsense: dict[str, float]) -> None:
    route = [FakeProvider("waste_type", [nonsense]), FakeProvider("waste_type", ["cup"])]
    prediction = Router({"waste_type": route}).predict(grey, "waste_type")
    assert (prediction.label, prediction.attempts[0].outcome) == ("cup", "ProviderUnavailable")


@pytest.mark.parametrize(
    "changed",
    [
        {"probability": None},
        {"probability": "0.99"},
        {"probability": math.nan},
        {"scores": None},
        {"label": ["bottle"]},
        {"nothing": -1.0},
        {"thresholds": {"bottle": "high"}},
        {"thresholds": {"bottle": 80.0}},
        {"unfamiliarity": math.nan},
        {"unfamiliarity": "far"},
        {"embedding": (0.5, None)},
        {"model_version": "v" * 129},
        {"model_version": "v\0"},
        {"model_version": None},
        {"provider": "p" * 129},
    ],
)
def test_nothing_that_makes_no_sense_gets_past_the_router(grey: Photo, changed: dict[str, Any]) -> None:
    class Odd(FakeProvider):
        def predict(self, photo: Photo, *, timeout: float) -> Prediction:
            return replace(super().predict(photo, timeout=timeout), **changed)

    route = [Odd("waste_type", ["cup"]), FakeProvider("waste_type", ["bottle"])]
    assert told(Router({"waste_type": route}).predict(grey, "waste_type"))[0] == ("fake", "ProviderUnavailable")


def test_a_provider_that_breaks_is_a_failure(grey: Photo) -> None:
    class Broken(FakeProvider):
        def predict(self, photo: Photo, *, timeout: float) -> Prediction:
            raise ZeroDivisionError

    broken = Broken("waste_type", ["cup"])
    prediction = Router({"waste_type": [broken, FakeProvider("waste_type", ["cup"])]}).predict(grey, "waste_type")
    assert "ZeroDivisionError" in prediction.attempts[0].message


# The cloud, asked from a worker


class Local(FakeProvider):
    """A fake on this machine. ``meanwhile`` happens while it is asked."""

    name = "local"
    needed_side = 224

    def __init__(self, script: Sequence[Step] = ("cup",), meanwhile: Callable[[], Any] = lambda: None) -> None:
        super().__init__("waste_type", script)
        self.meanwhile = meanwhile

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        self.meanwhile()
        return super().predict(photo, timeout=timeout)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def held() -> Iterator[Event]:
    """Holds whoever waits for it, at most until the end of the test."""
    event = Event()
    yield event
    event.set()


Ask = Callable[..., Prediction]


@pytest.fixture
def ask(grey: Photo, clock: Clock) -> Iterator[Ask]:
    """Asks a route once."""
    routers: list[Router] = []

    def ask(*route: Member, **options: Any) -> Prediction:
        routers.append(Router({"waste_type": route}, 2.5, clock, cloud_seconds=CLOUD_SECONDS, **options))
        return routers[-1].predict(grey, "waste_type")

    yield ask
    for router in routers:
        router.close()


def told(prediction: Prediction) -> list[tuple[str, str]]:
    """Provider and outcome of each attempt."""
    return [(attempt.provider, attempt.outcome) for attempt in prediction.attempts]


def test_the_cloud_answers_and_the_local_answer_is_beside_it(
    ask: Ask, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    local = Local(["cup"])
    prediction = ask(Guarded([Cloud(["bottle"])], clock).guard, local)
    assert (prediction.label, prediction.provider) == ("bottle", "cloud")
    assert [(other.label, other.provider) for other in prediction.alternatives] == [("cup", "local")]
    assert told(prediction) == [("cloud", "answered"), ("local", "answered")]
    assert len(local.history) == 1
    assert not caplog.messages


def test_a_photo_that_stays_here_is_sent_to_no_cloud(grey: Photo, clock: Clock) -> None:
    cloud = Cloud(["bottle"])
    with closing(Router({"waste_type": [Guarded([cloud], clock).guard, Local(["cup"])]}, 2.5, clock)) as router:
        prediction = router.predict(grey, "waste_type", stays_here=True)
    assert told(prediction) == [("local", "answered")]
    assert not cloud.timeouts


def test_this_machine_is_asked_while_the_cloud_is_still_thinking(ask: Ask, clock: Clock, held: Event) -> None:
    waited: list[bool] = []
    cloud = Cloud(["bottle"], meanwhile=lambda: waited.append(held.wait(SOON)))
    prediction = ask(Guarded([cloud], clock).guard, Local(meanwhile=held.set))
    assert waited == [True]
    assert prediction.provider == "cloud"


def test_the_cloud_is_asked_while_this_machine_is_still_thinking(ask: Ask, clock: Clock, held: Event) -> None:
    waited: list[bool] = []
    local = Local(meanwhile=lambda: waited.append(held.wait(SOON)))
    ask(Guarded([Cloud(["bottle"], meanwhile=held.set)], clock).guard, local)
    assert waited == [True]


def test_a_cloud_that_does_not_answer_in_its_share_costs_no_more_than_that(ask: Ask, clock: Clock, held: Event) -> None:
    begun = Event()
    cloud = Cloud(meanwhile=lambda: begun.set() or held.wait(SOON))
    local = Local(meanwhile=lambda: begun.wait(SOON) and clock.pass_(CLOUD_SECONDS))
    prediction = ask(Guarded([cloud], clock).guard, local)
    assert (prediction.label, prediction.provider, prediction.alternatives) == ("cup", "local", ())
    assert told(prediction) == [("cloud", "ProviderUnavailable"), ("local", "answered")]
    assert [attempt.duration for attempt in prediction.attempts] == [CLOUD_SECONDS, CLOUD_SECONDS]
    assert cloud.timeouts == [CLOUD_SECONDS]


@pytest.mark.parametrize(
    "fault",
    [
        ProviderUnavailable("no network", sent=False),
        RateLimited("too fast", 1.0),
        QuotaExceeded("all used", datetime(2026, 2, 1, tzinfo=UTC)),
        ProviderMisconfigured("key refused"),
        PhotoRejected("odd"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_where_the_cloud_fails_this_machine_has_answered_already(
    ask: Ask, clock: Clock, fault: ProviderError, caplog: pytest.LogCaptureFixture
) -> None:
    local = Local(["cup"])
    prediction = ask(Guarded([Cloud([fault])], clock).guard, local)
    assert (prediction.label, prediction.alternatives) == ("cup", ())
    assert told(prediction) == [("cloud", type(fault).__name__), ("local", "answered")]
    assert prediction.attempts[0].message == str(fault)
    assert len(local.history) == 1
    assert f"router.fell_back task=waste_type from=cloud cause={fault}" in caplog.messages


def test_a_cloud_that_is_not_even_asked_is_an_attempt_too(ask: Ask, clock: Clock) -> None:
    cloud = Cloud()
    guarded = Guarded([cloud], clock)
    for _ in range(3):
        guarded.breaker.failed(guarded.breaker.permit(), "off")
    prediction = ask(guarded.guard, Local())
    assert told(prediction) == [("cloud", "BreakerOpen"), ("local", "answered")]
    assert not cloud.timeouts


def test_a_local_failure_beside_the_clouds_answer_is_kept_but_no_fall_back(
    ask: Ask, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    prediction = ask(Guarded([Cloud(["bottle"])], clock).guard, Local([ProviderUnavailable("model gone")]))
    assert (prediction.label, prediction.alternatives) == ("bottle", ())
    assert told(prediction) == [("cloud", "answered"), ("local", "ProviderUnavailable")]
    assert not caplog.messages


def test_when_neither_answers_the_attempts_stand_in_the_order_of_the_route(ask: Ask, clock: Clock) -> None:
    route = [
        Guarded([Cloud([ProviderUnavailable("no network")])], clock).guard,
        Local([ProviderUnavailable("model gone")]),
        Local([PhotoRejected("odd")]),
    ]
    with pytest.raises(NoProviderAnswered, match=r"cloud: no network; local: model gone; local: odd"):
        ask(*route)


def test_only_the_next_one_on_this_machine_is_asked_beside_the_cloud(ask: Ask, clock: Clock) -> None:
    first, second = Local(["cup"]), Local(["cutlery"])
    prediction = ask(Guarded([Cloud(["bottle"])], clock).guard, first, second)
    assert (len(first.history), len(second.history)) == (1, 0)
    assert [other.label for other in prediction.alternatives] == ["cup"]


def test_one_on_this_machine_before_the_cloud_spares_it(ask: Ask, clock: Clock) -> None:
    cloud = Cloud()
    prediction = ask(Local(["cutlery"]), Guarded([cloud], clock).guard)
    assert told(prediction) == [("local", "answered")]
    assert not cloud.timeouts


def test_a_route_without_anybody_on_this_machine(ask: Ask, clock: Clock) -> None:
    assert ask(Guarded([Cloud(["bottle"])], clock).guard).alternatives == ()
    with pytest.raises(NoProviderAnswered, match="cloud: no network"):
        ask(Guarded([Cloud([ProviderUnavailable("no network")])], clock).guard)


def test_two_clouds_in_one_route_are_asked_one_after_the_other(
    ask: Ask, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    first = Guarded([Cloud([ProviderUnavailable("no network")])], clock, name="first")
    second, local = Cloud(["bottle"]), Local(["cup"])
    prediction = ask(first.guard, Guarded([second], clock).guard, local)
    assert told(prediction) == [("first", "ProviderUnavailable"), ("cloud", "answered"), ("local", "answered")]
    assert [other.provider for other in prediction.alternatives] == ["local"]
    assert len(local.history) == 1
    assert caplog.messages == ["router.fell_back task=waste_type from=first cause=no network"]


def test_the_second_cloud_is_spared_when_the_first_answers(ask: Ask, clock: Clock) -> None:
    second = Cloud(["cup"])
    prediction = ask(Guarded([Cloud(["bottle"])], clock).guard, Guarded([second], clock, name="second").guard, Local())
    assert told(prediction) == [("cloud", "answered"), ("local", "answered")]
    assert not second.timeouts


def test_the_second_cloud_gets_what_is_left_of_the_deadline(ask: Ask, clock: Clock, held: Event) -> None:
    first = Guarded([Cloud(meanwhile=lambda: held.wait(SOON))], clock, name="first")
    second = Cloud(["bottle"])
    ask(first.guard, Guarded([second], clock).guard, Local(meanwhile=lambda: clock.pass_(CLOUD_SECONDS)))
    assert second.timeouts == [1.0]


# The cascade


def sure(probability: float) -> Step:
    rest = (1 - probability) / 3
    return {"bottle": rest, "cup": probability, "cutlery": rest, "other": rest}


def test_where_this_machine_is_sure_the_call_is_spared(
    ask: Ask, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    cloud = Cloud()
    guarded = Guarded([cloud], clock)
    prediction = ask(guarded.guard, Local([sure(0.9)]), cascade=0.9)
    assert (prediction.label, prediction.provider, prediction.alternatives) == ("cup", "local", ())
    assert told(prediction) == [("cloud", "spared"), ("local", "answered")]
    assert prediction.attempts[0].message == "local was sure enough (0.900)"
    assert guarded.counted.skipped == 1
    assert not guarded.counted.taken
    assert not cloud.timeouts
    assert not caplog.messages, "nobody fell back"


def test_where_this_machine_is_not_sure_the_cloud_is_asked_and_it_only_once(ask: Ask, clock: Clock) -> None:
    local = Local([sure(0.89)])
    guarded = Guarded([Cloud(["bottle"])], clock)
    prediction = ask(guarded.guard, local, cascade=0.9)
    assert (prediction.label, [other.label for other in prediction.alternatives]) == ("bottle", ["cup"])
    assert told(prediction) == [("cloud", "answered"), ("local", "answered")]
    assert len(local.history) == 1
    assert guarded.counted.skipped == 0


def test_where_the_photo_is_unfamiliar_to_this_machine_the_cloud_is_asked(ask: Ask, clock: Clock) -> None:
    class Unfamiliar(Local):
        def predict(self, photo: Photo, *, timeout: float) -> Prediction:
            return replace(super().predict(photo, timeout=timeout), unfamiliarity=1.0)

    prediction = ask(Guarded([Cloud(["bottle"])], clock).guard, Unfamiliar([sure(0.99)]), cascade=0.9)
    assert told(prediction) == [("cloud", "answered"), ("local", "answered")]


def test_after_the_deadline_no_cloud_is_asked_and_none_is_blamed(ask: Ask, clock: Clock) -> None:
    cloud = Cloud()
    guarded = Guarded([cloud], clock, breaker=BreakerSettings(minimum_calls=1))
    prediction = ask(guarded.guard, Local([sure(0.5)], meanwhile=lambda: clock.pass_(3.0)), cascade=0.9)
    assert told(prediction) == [("cloud", "ProviderUnavailable"), ("local", "answered")]
    assert guarded.breaker.state == "closed"
    assert not guarded.counted.taken
    assert not cloud.timeouts


def test_where_this_machine_fails_the_cloud_is_asked(ask: Ask, clock: Clock) -> None:
    local = Local([ProviderUnavailable("model gone")])
    prediction = ask(Guarded([Cloud(["bottle"])], clock).guard, local, cascade=0.0)
    assert told(prediction) == [("cloud", "answered"), ("local", "ProviderUnavailable")]
    assert len(local.history) == 1


def test_an_unsure_answer_of_this_machine_counts_where_the_cloud_fails(ask: Ask, clock: Clock) -> None:
    local = Local([sure(0.6)])
    prediction = ask(Guarded([Cloud([ProviderUnavailable("off")])], clock).guard, local, cascade=0.9)
    assert prediction.label == "cup"
    assert len(local.history) == 1


def test_nothing_is_spared_that_has_nobody_on_this_machine(ask: Ask, clock: Clock) -> None:
    assert ask(Guarded([Cloud(["bottle"])], clock).guard, cascade=0.0).label == "bottle"


# The mode


def untouchable() -> GuardedProvider:
    """A guard of a provider that must not even be built."""

    def build() -> Cloud:
        raise AssertionError("built in local mode")

    class Untouched(Workers):
        def submit(self, call: Callable[[], Any]) -> Any:
            raise AssertionError("asked in local mode")

    return GuardedProvider("cloud", "waste_type", build, breaker=Breaker(BREAKER), workers=Untouched("cloud", 1))


def test_in_local_mode_the_cloud_is_never_touched(grey: Photo) -> None:
    networked = Cloud()
    route: list[Member] = [untouchable(), networked, Local(["cup"])]
    router = Router({"waste_type": route}, cascade=0.0, mode=lambda: "local")
    router.prepare()
    prediction = router.predict(grey, "waste_type")
    assert told(prediction) == [("local", "answered")]
    assert list(router.problems()) == []
    assert router.needed_side == 224
    assert router.members("waste_type") == route[2:]
    assert not networked.timeouts
    router.close()


@pytest.mark.parametrize(("mode", "level"), [("auto", logging.WARNING), ("cloud", logging.ERROR)])
def test_a_fall_back_is_a_fault_in_cloud_mode(
    ask: Ask, clock: Clock, mode: Mode, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    guarded = Guarded([Cloud([ProviderUnavailable("off")])], clock)
    assert ask(guarded.guard, Local(["cup"]), mode=lambda: mode).label == "cup"
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (level, "router.fell_back task=waste_type from=cloud cause=off")
    ]


def test_the_mode_is_looked_at_before_every_question(grey: Photo, clock: Clock) -> None:
    modes: list[Mode] = ["auto"]
    guarded = Guarded([Cloud(["bottle"])], clock)
    router = Router({"waste_type": [guarded.guard, Local(["cup"])]}, 2.5, clock, mode=lambda: modes[-1])
    providers = []
    later: tuple[Mode, ...] = ("local", "cloud", "local", "auto")
    for mode in later:
        modes.append(mode)
        assert router.mode == mode
        providers.append(router.predict(grey, "waste_type").provider)
    assert providers == ["local", "cloud", "local", "cloud"]
    router.close()


# The rest


def test_the_photo_is_as_large_as_the_one_needs_that_will_be_asked(grey: Photo, clock: Clock) -> None:
    guarded = Guarded([Cloud([RateLimited("too fast", 5.0)])], clock)
    router = Router({"waste_type": [guarded.guard, Local()]}, 2.5, clock)
    router.prepare()
    assert router.needed_side == 512
    router.predict(grey, "waste_type")
    assert router.needed_side == 224
    router.close()


def test_what_cannot_be_built_says_so_when_it_is_asked(grey: Photo, clock: Clock) -> None:
    guarded = Guarded([ProviderMisconfigured("no key")], clock)
    router = Router({"waste_type": [guarded.guard, Local()]}, 2.5, clock)
    router.prepare()
    assert told(router.predict(grey, "waste_type")) == [("cloud", "ProviderMisconfigured"), ("local", "answered")]
    assert [(name, str(cause)) for _, name, cause in router.problems()] == [("cloud", "no key")]
    router.close()


def test_a_drills_stand_in_is_asked_instead(ask: Ask, clock: Clock) -> None:
    real, stand_in = Cloud(["bottle"]), Guarded([Cloud(["cutlery"])], clock)
    guarded = Guarded([real], clock)
    prediction = ask(guarded.guard, Local(), rehearsed=lambda guard: stand_in.guard)
    assert prediction.label == "cutlery"
    assert not real.timeouts


def test_closing_closes_every_provider(clock: Clock) -> None:
    cloud, guarded = Cloud(), Cloud()
    guard = Guarded([guarded], clock).guard
    router = Router({"waste_type": [guard, cloud]})
    router.prepare()
    router.close()
    assert (cloud.closed, guarded.closed) == (1, 1)
