"""The pace of calls in simulated time: whatever the latencies, the vendor never counts more than it grants."""

import heapq
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.custom_vision.options import CustomVisionOptions
from providers.custom_vision.rate_limiter import LearnedRate, RateLimiter
from tests.support.paths import ROOT
from triof.azure.learned_rate import LearnedRateFile

SMALL, LARGE = 100, 1 << 20
LATE = 0.03
"""By so much a call may arrive later than another one that leaves at the same time."""
THINKS = {SMALL: 0.05, LARGE: 0.4}
"""Seconds from the arrival of a call to its answer, when all is well."""


class Call(NamedTuple):
    """``late`` is the share of LATE that it arrives late, ``stuck`` the seconds that the answer does on top."""

    size: int = SMALL
    late: float = 0.0
    stuck: float = 0.0
    fails: bool = False


class World:
    """Time, and workers who call as fast as they may; all in one thread."""

    def __init__(self, per_second: int, **options: Any) -> None:
        self.now = 1000.0
        self.arrivals: list[float] = []
        self.left: list[float] = []
        self.pace = RateLimiter(per_second, lambda: self.now, self.sleep, **options)
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = count()
        self._under_way = 0

    def sleep(self, seconds: float) -> None:
        """What is due meanwhile happens at its time."""
        assert seconds > 0
        until = self.now + seconds
        while self._due and self._due[0][0] <= until:
            self._step()
        self.now = max(self.now, until)

    def run(self, calls: list[Call], workers: int) -> None:
        """Make all of them, so many at once."""
        for call in calls:
            while self._under_way >= workers:
                self._step()
            self.begin(call)
        while self._due:
            self._step()

    def begin(self, call: Call) -> None:
        """Wait for a turn, and let one leave."""
        turn = self.pace.slot(call.size)
        turn.__enter__()
        self.left.append(self.now)
        self._under_way += 1
        self.arrivals.append(self.now + call.late * LATE)
        self.at(self.arrivals[-1] + THINKS[call.size] + call.stuck, lambda: self._end(turn, fails=call.fails))

    def at(self, when: float, what: Callable[[], object]) -> None:
        """Let something happen."""
        heapq.heappush(self._due, (when, next(self._numbers), what))

    def _step(self) -> None:
        when, _, what = heapq.heappop(self._due)
        self.now = max(self.now, when)
        what()

    def _end(self, turn: AbstractContextManager[None], *, fails: bool) -> None:
        self._under_way -= 1
        with suppress(TimeoutError):
            turn.__exit__(*((TimeoutError, TimeoutError(), None) if fails else (None, None, None)))

    @property
    def peak(self) -> int:
        """The most arrivals within any second."""
        times = sorted(self.arrivals)
        return max(sum(start <= time < start + 1 - 1e-9 for time in times) for start in times)


calls = st.builds(
    Call,
    size=st.sampled_from([SMALL, LARGE]),
    late=st.floats(0, 1),
    stuck=st.just(0.0) | st.floats(0, 5),
    fails=st.booleans(),
)
QUICK = Call()


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(calls, min_size=1, max_size=40), st.integers(1, 12), st.integers(1, 16))
def test_no_second_sees_more_than_it_may(made: list[Call], per_second: int, workers: int) -> None:
    world = World(per_second)
    # One of each kind that is not late, by which the others are judged.
    made = [Call(SMALL), Call(LARGE), *made]
    world.run(made, workers)
    assert len(world.arrivals) == len(made)
    assert world.peak <= per_second


@pytest.mark.parametrize("per_second", [1, 2, 10])
def test_the_pace_is_used_to_its_end(per_second: int) -> None:
    world = World(per_second)
    world.run([QUICK] * (5 * per_second + 1), workers=8)
    assert world.peak == per_second
    assert world.left[-1] - world.left[0] == pytest.approx(5, abs=5 * LATE + 0.01)


def test_one_that_is_not_answered_keeps_the_others_waiting_for_a_few_seconds() -> None:
    world = World(2)
    world.run([Call(stuck=60.0)] * 7, workers=8)
    # As long as nobody knows whether it has arrived.
    assert world.left[-1] - world.left[0] < 3 * 5 + 0.1


def test_a_pause_is_for_everybody_and_the_pace_is_slower_then() -> None:
    world = World(10)
    world.run([QUICK] * 3, workers=8)
    world.pace.pause(30)
    asked = world.now
    world.run([QUICK] * 11, workers=8)
    assert min(world.left[3:]) >= asked + 30
    assert world.pace.per_second == 7
    assert world.peak == 7


def test_many_refusals_in_flight_slow_it_down_once() -> None:
    world = World(10)
    for _ in range(8):
        world.pace.pause(1)
        world.now += 0.1
    assert world.pace.per_second == 7
    world.now += 2
    world.pace.pause(1)
    assert world.pace.per_second == 5


def test_the_longest_pause_holds_and_the_pace_never_ends() -> None:
    world = World(1)
    world.pace.pause(60)
    world.pace.pause(1)
    began = world.now
    world.run([QUICK], workers=1)
    assert world.left[0] >= began + 60
    assert world.pace.per_second == 1


def test_after_a_rest_a_second_has_passed_at_the_same_pace() -> None:
    world = World(10)
    began = world.now
    world.pace.rest(seconds_ago=0)
    world.run([QUICK], workers=1)
    assert 1 < world.left[0] - began < 1.1
    assert world.pace.per_second == 10


def test_a_rest_counts_from_when_the_other_one_may_have_called() -> None:
    world = World(10)
    began = world.now
    world.pace.rest(seconds_ago=0.6)
    world.pace.rest(seconds_ago=100)
    world.run([QUICK], workers=1)
    assert 0.4 < world.left[0] - began < 0.5


def test_a_clock_that_was_set_back_keeps_nobody_waiting() -> None:
    world = World(10)
    began = world.now
    world.pace.rest(seconds_ago=-3600)
    world.run([QUICK], workers=1)
    assert world.left[0] - began < 1.1


def test_a_call_that_fails_gives_its_turn_back() -> None:
    world = World(1)
    world.run([Call(fails=True), QUICK], workers=1)
    assert world.left[1] - world.left[0] <= 1 + THINKS[SMALL]


def test_a_pace_that_was_slowed_down_rises_again_up_to_what_was_refused() -> None:
    world = World(8)
    world.pace.pause(1)
    assert world.pace.per_second == 6
    world.now += 11.5
    world.run([QUICK], workers=1)
    assert world.pace.per_second == 7
    world.now += 100
    world.run([QUICK] * 3, workers=1)
    assert world.pace.per_second == 7, "8 were too many"
    world.now += 3600
    world.run([QUICK] * 3, workers=1)
    assert world.pace.per_second == 8, "an hour later they may not be"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12))
def test_what_the_vendor_really_grants_is_found_in_a_few_refusals_and_kept_to(granted: int, real: int) -> None:
    world = World(granted)
    refused = 0
    for _ in range(30):
        if world.pace.per_second > real:
            world.pace.pause(1)
            refused += 1
        world.now += 12
        world.run([QUICK], workers=1)
    assert world.pace.per_second == min(granted, real)
    assert refused <= max(0, granted - real)


def test_what_was_learned_holds_from_the_first_call_on_and_is_told_once() -> None:
    told: list[LearnedRate] = []
    world = World(10, on_learned=told.append)
    for _ in range(4):
        world.pace.pause(1)
    world.now += 1.5
    world.pace.pause(1)
    assert told == [LearnedRate(7, 9), LearnedRate(5, 6)]
    world = World(10, learned=LearnedRate(2, 3))
    world.run([QUICK] * 9, workers=8)
    assert world.peak == 2
    world.now += 11
    world.run([QUICK] * 9, workers=8)
    assert world.peak == 3


@pytest.mark.parametrize("learned", [LearnedRate(0, 0), LearnedRate(-5, 2), LearnedRate(99, 99), LearnedRate(3, 1)])
def test_what_was_learned_is_never_nonsense(learned: LearnedRate) -> None:
    assert 1 <= World(10, learned=learned).pace.per_second <= 10


def test_answers_that_come_sooner_tell_that_earlier_ones_had_arrived_late() -> None:
    world = World(2)
    world.run([Call(LARGE, late=1.0, stuck=0.1), Call(LARGE, stuck=0.1), QUICK, Call(LARGE), Call(LARGE)], workers=2)
    assert world.peak <= 2


# From one command to the next


OPTIONS = {"training_endpoint": "https://name.cognitiveservices.azure.com", "training_tier": "F0"}


def kept(home: Path, now: float = 0.0, **changes: object) -> LearnedRateFile:
    return LearnedRateFile(home, CustomVisionOptions.model_validate({**OPTIONS, **changes}), lambda: now)


def test_what_was_learned_is_kept_for_the_resource_and_its_tier(tmp_path: Path) -> None:
    assert kept(tmp_path).read() is None
    kept(tmp_path).keep(LearnedRate(2, 3))
    assert kept(tmp_path, 3000.0).read() == LearnedRate(2, 3)
    assert kept(tmp_path, 2 * 3600.0).read() == LearnedRate(2, 5), "each hour one more is tried"
    assert kept(tmp_path, -9e9).read() == LearnedRate(2, 3), "whatever the clock says"
    assert kept(tmp_path, training_tier="S0").read() is None
    assert kept(tmp_path, training_calls_per_second=4).read() is None
    assert kept(tmp_path, training_endpoint="https://other.cognitiveservices.azure.com").read() is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"of": 1}', b'{"most": "many", "per_second": null, "at": 0}'])
def test_a_file_that_somebody_has_spoilt_teaches_nothing(tmp_path: Path, content: bytes) -> None:
    kept(tmp_path).keep(LearnedRate(2, 3))
    (path,) = (tmp_path / "azure").iterdir()
    path.write_bytes(content)
    assert kept(tmp_path).read() is None


def test_a_home_that_cannot_be_written_ends_no_upload(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    kept(tmp_path / "home").keep(LearnedRate(2, 3))


def test_a_process_is_never_taken_for_older_than_it_is() -> None:
    begun = time.monotonic()
    age = "from providers.custom_vision.rate_limiter import process_age_seconds as age; print(age())"
    told = subprocess.run([sys.executable, "-c", age], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 0 < float(told.stdout) <= time.monotonic() - begun + 0.02, "the tick of the kernel is 0.01 s"
