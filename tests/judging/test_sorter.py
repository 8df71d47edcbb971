"""A photo is judged as fast as the computer allows."""

import os
from collections.abc import Callable
from io import BytesIO
from threading import Barrier, BrokenBarrierError

import pytest
from PIL import Image

from providers.base import TASKS, Photo, Prediction, Task
from providers.fake import FakeProvider
from triof.judging.router import Router
from triof.judging.sorter import Sorter
from triof.settings.sections.policy import Policy


class Calling(FakeProvider):
    """Calls before it answers."""

    def __init__(self, task: Task, call: Callable[[], object]) -> None:
        super().__init__(task, ["bottle" if task == "waste_type" else "clean"])
        self._call = call

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        self._call()
        return super().predict(photo, timeout=timeout)


def sorter(call: Callable[[], object]) -> Sorter:
    return Sorter(Router({task: [Calling(task, call)] for task in TASKS}), Policy())


@pytest.fixture
def grey() -> bytes:
    jpeg = BytesIO()
    Image.new("RGB", (320, 240), "grey").save(jpeg, "JPEG")
    return jpeg.getvalue()


def test_where_there_is_a_core_for_each_both_questions_are_asked_at_once(
    grey: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    both = Barrier(2, timeout=10)
    judging = sorter(both.wait)
    # Twice, for the helper has to be idle again.
    for _ in range(2):
        assert judging.judge(grey).verdict.action == "accept"
    judging.close()


def test_on_a_single_core_they_are_asked_in_turn(grey: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    alone = Barrier(2, timeout=0.01)

    def fail_to_meet() -> None:
        with pytest.raises(BrokenBarrierError):
            alone.wait()

    assert sorter(fail_to_meet).judge(grey).verdict.action == "accept"


def test_a_fault_in_the_second_question_is_not_lost(grey: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    judging = Sorter(Router({task: [FakeProvider(task, ["no answer"])] for task in TASKS}), Policy())
    assert set(judging.judge(grey).unanswered) == set(TASKS)
