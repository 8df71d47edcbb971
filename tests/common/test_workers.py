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


def squared(number: int) -> int:
    return number * number


def test_a_map_answers_in_order_however_long_each_takes(build: Build) -> None:
    workers, second_is_done = build(2), Event()

    def call(number: int) -> int:
        if number == 0:
            second_is_done.wait(SOON)
        if number == 1:
            second_is_done.set()
        return number

    assert list(workers.map(call, range(50))) == list(range(50))
    assert second_is_done.is_set()


def test_a_map_reads_no_further_than_a_few_items_ahead_of_a_slow_one(build: Build) -> None:
    workers, let_go, read = build(2), Event(), []

    def items() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number
            if number == 7:
                let_go.set()

    def call(number: int) -> int:
        if number == 0:
            let_go.wait(SOON)
        return squared(number)

    mapped = workers.map(call, items())
    assert next(mapped) == 0
    assert let_go.is_set()
    assert len(read) < 20
    assert list(mapped) == [number**2 for number in range(1, 1000)]


def test_an_error_of_a_map_comes_where_its_item_stands(build: Build) -> None:
    mapped = build(2).map(lambda number: 12 // number, [3, 4, 0, 6])
    assert [next(mapped), next(mapped)] == [4, 3]
    with pytest.raises(ZeroDivisionError):
        next(mapped)


def test_a_map_goes_on_in_its_own_thread_while_all_workers_are_held(build: Build) -> None:
    workers = build(1)
    held = Held(workers)
    assert list(workers.map(lambda _: current_thread(), range(3))) == [current_thread()] * 3
    with pytest.raises(ZeroDivisionError):
        list(workers.map(lambda number: 12 // number, [0]))
    held.let_go()
    assert list(workers.map(squared, range(3))) == [0, 1, 4]


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
