"""The route is followed in its order, and every attempt is kept."""

import pytest

from providers.base import (
    NoProviderAnswered,
    Photo,
    PhotoRejected,
    ProviderMisconfigured,
    ProviderUnavailable,
    RateLimited,
)
from providers.fake import FakeProvider
from tests.conftest import Clock
from triof import photo
from triof.router import Router


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
        def predict(self, photo: Photo, *, timeout: float) -> object:  # type: ignore[override]
            clock.pass_(timeout + 1)
            return super().predict(photo, timeout=timeout)

    late = FakeProvider("waste_type", ["cup"])
    router = Router({"waste_type": [Slow("waste_type", [ProviderUnavailable("slow")]), late]}, 2.5, clock)
    with pytest.raises(NoProviderAnswered, match="deadline"):
        router.predict(grey, "waste_type")
    assert not late.history


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


def test_a_provider_that_breaks_is_a_failure(grey: Photo) -> None:
    broken = FakeProvider("waste_type", ["cup"])
    broken.predict = lambda photo, *, timeout: 1 / 0  # type: ignore[assignment,method-assign]
    prediction = Router({"waste_type": [broken, FakeProvider("waste_type", ["cup"])]}).predict(grey, "waste_type")
    assert "ZeroDivisionError" in prediction.attempts[0].message
