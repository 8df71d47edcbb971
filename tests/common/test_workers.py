"""Threads for calls that may never come back: few, warm, and no hindrance to anybody."""

import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from threading import Event, Thread, current_thread
from threading import enumerate as threads
from typing import Any

import pytest

from tests.support.paths import ROOT
from triof.common.worker_pool import AllBusy, Workers

SOON = 5.0  # nothing here takes as long, unless it is broken


class Held:
    """A call that is held in its worker until it is let go."""

    def __init__(self, workers: Workers) -> None:
        self._let_go = Event()
        begun: Future[Thread] = Future()
        self._came: Future[Any] = workers.submit(lambda: self._wait(begun))
        self.thread = begun.result(SOON)

    def _wait(self, begun: Future[Thread]) -> str:
        begun.set_result(current_thread())
        self._let_go.wait(SOON)
        return "came back"

    def let_go(self) -> None:
        self._let_go.set()
        assert self._came.result(SOON) == "came back"


@pytest.fixture
def build() -> Iterator[Callable[[int], Workers]]:
    built: list[Workers] = []

    def build(count: int) -> Workers:
        built.append(Workers("cloud", count))
        return built[-1]

    yield build
    for workers in built:
        workers.close()


Build = Callable[[int], Workers]


def thread_of_next(workers: Workers) -> Thread:
    """The thread that runs the next call."""
    thread: Thread = workers.submit(current_thread).result(SOON)
    return thread


def test_what_the_call_returns_or_raises_reaches_the_caller(build: Build) -> None:
    workers = build(1)
    assert workers.submit(lambda: "bottle").result(SOON) == "bottle"
    for error in (ValueError("odd"), SystemExit(3)):
        with pytest.raises(type(error)) as raised:
            workers.submit(lambda error=error: (_ for _ in ()).throw(error)).result(SOON)  # type: ignore[misc]
        assert raised.value is error
    assert workers.submit(lambda: "cup").result(SOON) == "cup"


def test_one_after_the_other_runs_in_the_same_thread(build: Build) -> None:
    workers = build(8)
    assert len({thread_of_next(workers) for _ in range(50)}) == 1


def test_the_worker_used_last_is_used_first(build: Build) -> None:
    workers = build(3)
    first, second, third = (Held(workers) for _ in range(3))
    assert len({first.thread, second.thread, third.thread}) == 3
    for held in (third, first, second):
        held.let_go()
    assert thread_of_next(workers) is second.thread
    again = Held(workers)
    assert again.thread is second.thread
    assert thread_of_next(workers) is first.thread
    again.let_go()
    assert thread_of_next(workers) is second.thread


def test_when_all_wait_the_next_caller_is_told_at_once_and_nothing_queues(build: Build) -> None:
    workers = build(2)
    held = [Held(workers) for _ in range(2)]
    ran = Event()
    for _ in range(3):
        with pytest.raises(AllBusy, match="all 2 lines to cloud"):
            workers.submit(ran.set)
    for each in held:
        each.let_go()
    assert thread_of_next(workers) in {each.thread for each in held}
    assert not ran.is_set()


def test_a_worker_that_comes_back_serves_again(build: Build) -> None:
    workers = build(1)
    for _ in range(20):
        held = Held(workers)
        with pytest.raises(AllBusy):
            workers.submit(int)
        held.let_go()
        # Right after the answer, when the worker may not have finished with it.
        assert workers.submit(int).result(SOON) == 0


def test_threads_are_started_when_they_are_needed_and_never_keep_the_program(build: Build) -> None:
    before = set(threads())
    workers = build(4)
    assert set(threads()) == before
    thread = thread_of_next(workers)
    assert set(threads()) - before == {thread}
    assert thread.daemon
    assert thread.name.startswith("cloud-")


@pytest.mark.slow
def test_a_program_ends_although_a_call_never_comes_back() -> None:
    code = (
        "from threading import Event\n"
        "from triof.common.worker_pool import Workers\n"
        "begun = Event()\n"
        "Workers('cloud', 1).submit(lambda: begun.set() or Event().wait())\n"
        "begun.wait()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=20)


def test_closing_ends_the_idle_and_then_the_busy_when_they_come_back(build: Build) -> None:
    workers = build(2)
    idle, busy = Held(workers), Held(workers)
    idle.let_go()
    workers.close()
    workers.close()
    idle.thread.join(SOON)
    assert not idle.thread.is_alive()
    assert busy.thread.is_alive()
    busy.let_go()
    busy.thread.join(SOON)
    assert not busy.thread.is_alive()


def test_closed_it_takes_nothing_more(build: Build) -> None:
    workers = build(2)
    thread_of_next(workers)
    workers.close()
    with pytest.raises(AllBusy):
        workers.submit(int)


def test_an_idle_worker_keeps_nothing_of_its_last_call() -> None:
    class Picture:
        """Something large."""

    workers = Workers("idle", 1)
    picture = Picture()
    gone = weakref.ref(picture)
    assert workers.submit(partial(id, picture)).result(SOON)
    del picture
    workers.submit(lambda: None).result(SOON)
    assert gone() is None
    workers.close()
