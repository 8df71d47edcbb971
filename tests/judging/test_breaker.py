"""When a provider is not asked for a while, and who finds out whether it is well again."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests.support.clock import Clock
from triof.judging.circuit_breaker import Breaker, BreakerChange, BreakerOpen, Permit, outliving
from triof.settings.sections.breaker import BreakerSettings

SETTINGS = BreakerSettings(
    window_calls=10,
    minimum_calls=3,
    failure_rate=0.5,
    slow_seconds=1.2,
    slow_rate=0.8,
    open_seconds=30,
    longest_open_seconds=300,
    closing_probes=2,
)
SLOW = SETTINGS.slow_seconds + 0.1
THREADS = 8


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def changes() -> list[BreakerChange]:
    return []


@pytest.fixture
def breaker(clock: Clock, changes: list[BreakerChange]) -> Breaker:
    return Breaker(SETTINGS, clock, changes.append)


def tell(breaker: Breaker, permit: Permit, outcome: str) -> None:
    """``g`` for a good answer, ``s`` for a slow one, ``f`` for a failure."""
    if outcome == "f":
        breaker.failed(permit, "no network")
    else:
        breaker.answered(permit, SLOW if outcome == "s" else 0.1)


def live_through(breaker: Breaker, outcomes: Iterable[str]) -> None:
    for outcome in outcomes:
        tell(breaker, breaker.permit(), outcome)


def open_by_failures(breaker: Breaker) -> None:
    live_through(breaker, "fff")
    assert breaker.state == "open"


def asked_together(breaker: Breaker, together: Barrier) -> Permit | BreakerOpen:
    """What one of many gets who ask at the same moment."""
    together.wait(5)
    try:
        return breaker.permit()
    except BreakerOpen as refusal:
        return refusal


# Opening


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ("ff", "closed"),  # below minimum_calls
        ("fff", "open"),
        ("gff", "open"),
        ("gggff", "closed"),
        ("gggfff", "open"),  # exactly the rate
        ("ss", "closed"),
        ("sss", "open"),
        ("gsss", "closed"),
        ("gssss", "open"),
        ("ggssss", "closed"),
        ("gsssf", "open"),  # a failure was no quick answer either
        ("gssf", "closed"),
        ("ffg", "closed"),  # not on good news, though two of three failed
        ("ffgf", "open"),
        ("ssggg", "closed"),
        ("g" * 20 + "ffff", "closed"),  # four of the last ten
        ("g" * 20 + "fffff", "open"),
        ("ffggggggggggff", "closed"),  # the first two are forgotten
    ],
)
def test_it_opens_by_the_share_of_what_failed_or_was_slow(breaker: Breaker, outcomes: str, state: str) -> None:
    live_through(breaker, outcomes)
    assert breaker.state == state
    assert breaker.admits() == (state == "closed")


def test_an_answer_just_in_time_is_not_slow(breaker: Breaker) -> None:
    for _ in range(10):
        breaker.answered(breaker.permit(), SETTINGS.slow_seconds)
    assert breaker.state == "closed"


def test_open_it_refuses_and_says_until_when(breaker: Breaker, clock: Clock, changes: list[BreakerChange]) -> None:
    live_through(breaker, "sff")
    clock.pass_(10)
    with pytest.raises(BreakerOpen, match="tried again in 20 s") as refused:
        breaker.permit()
    assert not refused.value.sent
    assert changes == [BreakerChange("open", 30, "2 of 3 calls failed, 1 were slow; the last: no network")]


def test_what_was_seen_before_it_opened_is_forgotten_when_it_has_closed(breaker: Breaker, clock: Clock) -> None:
    open_by_failures(breaker)
    clock.pass_(30)
    live_through(breaker, "gg")
    assert breaker.state == "closed"
    live_through(breaker, "ff")
    assert breaker.state == "closed"


# Probing


@pytest.mark.slow
def test_of_eight_that_ask_at_once_one_may_probe(clock: Clock) -> None:
    for _ in range(20):
        breaker = Breaker(SETTINGS, clock)
        open_by_failures(breaker)
        clock.pass_(30)
        together = Barrier(THREADS)
        with ThreadPoolExecutor(THREADS) as pool:
            came = list(pool.map(asked_together, [breaker] * THREADS, [together] * THREADS))
        permits = [answer for answer in came if isinstance(answer, Permit)]
        refusals = [answer for answer in came if isinstance(answer, BreakerOpen)]
        assert [permit.probe for permit in permits] == [True]
        assert len(refusals) == THREADS - 1
        assert all("a probe is under way" in str(refused) and not refused.sent for refused in refusals)
        assert not breaker.admits()


def test_when_the_time_is_up_it_stays_open_until_somebody_asks(breaker: Breaker, clock: Clock) -> None:
    open_by_failures(breaker)
    clock.pass_(29.9)
    assert not breaker.admits()
    clock.pass_(0.1)
    assert breaker.admits()
    assert breaker.state == "open"
    breaker.permit()
    assert breaker.state == "half_open"


def test_it_closes_after_enough_probes_one_at_a_time(
    breaker: Breaker, clock: Clock, changes: list[BreakerChange]
) -> None:
    open_by_failures(breaker)
    clock.pass_(30)
    first = breaker.permit()
    with pytest.raises(BreakerOpen):
        breaker.permit()
    tell(breaker, first, "g")
    assert breaker.state == "half_open"
    tell(breaker, breaker.permit(), "g")
    assert breaker.state == "closed"
    assert not breaker.permit().probe
    assert [(change.state, change.reason) for change in changes[1:]] == [("closed", "2 probes in a row were answered")]


@pytest.mark.parametrize("outcome", ["f", "s"])
def test_each_failed_probe_doubles_the_time_up_to_the_longest(
    breaker: Breaker, clock: Clock, changes: list[BreakerChange], outcome: str
) -> None:
    open_by_failures(breaker)
    for seconds in (30, 60, 120, 240, 300, 300):
        assert changes[-1].open_seconds == seconds
        clock.pass_(seconds - 0.1)
        assert not breaker.admits()
        clock.pass_(0.1)
        live_through(breaker, outcome)
    assert "the probe failed" in changes[-1].reason


def test_a_probe_that_fails_after_a_good_one_opens_it_and_the_count_begins_anew(breaker: Breaker, clock: Clock) -> None:
    open_by_failures(breaker)
    clock.pass_(30)
    live_through(breaker, "gf")
    assert breaker.state == "open"
    clock.pass_(60)
    live_through(breaker, "g")
    assert breaker.state == "half_open"


def test_once_closed_it_opens_for_the_short_time_again(
    breaker: Breaker, clock: Clock, changes: list[BreakerChange]
) -> None:
    open_by_failures(breaker)
    clock.pass_(30)
    live_through(breaker, "f")
    clock.pass_(60)
    live_through(breaker, "gg")
    open_by_failures(breaker)
    assert changes[-1].open_seconds == 30


def test_a_probe_that_says_nothing_lets_the_next_one_probe(breaker: Breaker, clock: Clock) -> None:
    open_by_failures(breaker)
    clock.pass_(30)
    breaker.release(breaker.permit())
    assert breaker.state == "half_open"
    assert breaker.permit().probe
    assert not breaker.admits()


def test_a_question_that_says_nothing_is_not_counted(breaker: Breaker) -> None:
    for _ in range(10):
        breaker.release(breaker.permit())
    live_through(breaker, "ff")
    assert breaker.state == "closed"


# Late news


def test_a_late_failure_from_before_it_opened_changes_nothing(
    breaker: Breaker, clock: Clock, changes: list[BreakerChange]
) -> None:
    late = [breaker.permit() for _ in range(4)]
    open_by_failures(breaker)
    tell(breaker, late[0], "f")
    clock.pass_(30)
    probe = breaker.permit()
    tell(breaker, late[1], "f")
    assert breaker.state == "half_open"
    tell(breaker, probe, "g")
    tell(breaker, breaker.permit(), "g")
    for permit in (late[2], late[3], late[3]):
        tell(breaker, permit, "f")
    assert breaker.state == "closed"
    assert [change.state for change in changes] == ["open", "closed"]


def test_late_good_news_is_no_probe(breaker: Breaker, clock: Clock) -> None:
    late = [breaker.permit() for _ in range(3)]
    open_by_failures(breaker)
    clock.pass_(30)
    probe = breaker.permit()
    for permit in late:
        tell(breaker, permit, "g")
    assert breaker.state == "half_open"
    breaker.release(late[0])
    assert not breaker.admits(), "somebody else's place was given away"
    tell(breaker, probe, "g")
    assert breaker.state == "half_open"


def test_a_late_probe_of_an_earlier_opening_changes_nothing(breaker: Breaker, clock: Clock) -> None:
    open_by_failures(breaker)
    clock.pass_(30)
    early = breaker.permit()
    tell(breaker, early, "f")
    clock.pass_(60)
    breaker.permit()
    tell(breaker, early, "g")
    breaker.release(early)
    assert breaker.state == "half_open"
    assert not breaker.admits()


# Restarts


class Kept:
    """A breaker that is built again after each restart; the machine's two clocks pass together unless told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.wall = Clock()
        self.changes: list[BreakerChange] = []
        self.breaker = self.restart()

    def restart(self, settings: BreakerSettings = SETTINGS) -> Breaker:
        self.clock.seconds = 5.0  # as after booting
        self.breaker = outliving(self.path, settings, self.changes.append, clock=self.clock, now=self.wall)
        return self.breaker

    def pass_(self, seconds: float) -> None:
        self.clock.pass_(seconds)
        self.wall.pass_(seconds)

    def admitted_after(self, seconds: float) -> bool:
        """Whether it lets somebody through after so long, and not just before."""
        self.pass_(seconds - 0.1)
        early = self.breaker.admits()
        self.pass_(0.1)
        return not early and self.breaker.admits()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "home" / "breaker.json")


def test_open_outlives_a_restart_with_the_time_that_is_left(kept: Kept) -> None:
    open_by_failures(kept.breaker)
    kept.pass_(10)
    kept.restart()
    assert kept.breaker.state == "open"
    assert kept.admitted_after(20)


def test_the_doubled_time_outlives_a_restart(kept: Kept) -> None:
    open_by_failures(kept.breaker)
    kept.pass_(30)
    live_through(kept.breaker, "f")
    kept.restart()
    assert kept.admitted_after(60)
    live_through(kept.breaker, "f")
    assert kept.changes[-1].open_seconds == 120


def test_the_time_off_counts(kept: Kept) -> None:
    open_by_failures(kept.breaker)
    kept.wall.pass_(3600)
    assert kept.restart().permit().probe


@pytest.mark.parametrize("set_back", [5, 3600, 1e9])
def test_a_wall_clock_set_back_keeps_it_open_no_longer_than_it_was_opened_for(kept: Kept, set_back: float) -> None:
    open_by_failures(kept.breaker)
    kept.wall.pass_(-set_back)
    kept.restart()
    assert kept.breaker.state == "open"
    assert kept.admitted_after(30)


def test_a_wall_clock_far_ahead_lets_a_probe_through_at_once(kept: Kept) -> None:
    open_by_failures(kept.breaker)
    kept.wall.pass_(1e9)
    kept.restart()
    live_through(kept.breaker, "f")
    assert kept.changes[-1].open_seconds == 60


def test_shorter_settings_hold_after_a_restart(kept: Kept) -> None:
    open_by_failures(kept.breaker)
    kept.restart(BreakerSettings(open_seconds=5, longest_open_seconds=10))
    assert kept.admitted_after(10)


def test_dying_while_it_is_probed_is_followed_by_a_probe(kept: Kept) -> None:
    open_by_failures(kept.breaker)
    kept.pass_(30)
    kept.breaker.permit()
    assert kept.restart().permit().probe


def test_closed_outlives_a_restart_too(kept: Kept) -> None:
    open_by_failures(kept.breaker)
    kept.pass_(30)
    live_through(kept.breaker, "gg")
    assert kept.restart().state == "closed"
    assert [change.state for change in kept.changes] == ["open", "closed"], "a restart is no change"


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"\0\0\0",
        b"\xff\xfe",
        b"[]",
        b'{"state": "op',
        b'{"state": "open"}',
        b'{"state": "open", "open_seconds": 30}',
        b'{"state": "open", "open_seconds": "long", "until": 1000}',
        b'{"state": "open", "open_seconds": null, "until": 1000}',
        b'{"state": ["open"], "open_seconds": 30, "until": 1e9}',
        b'{"state": "ajar", "open_seconds": 30, "until": 1e9}',
        b'{"state": "open", "open_seconds": -30, "until": 1e12}',
        b'{"state": "open", "open_seconds": NaN, "until": 1e12}',
        b'{"state": "open", "open_seconds": 1' + b"0" * 400 + b', "until": 1e12}',
        pytest.param(b"[" * 100_000, id="deep"),
    ],
)
def test_a_spoilt_file_is_no_harm(kept: Kept, spoilt: bytes) -> None:
    kept.path.parent.mkdir(exist_ok=True)
    kept.path.write_bytes(spoilt)
    assert kept.restart().state == "closed"
    open_by_failures(kept.breaker)
    assert json.loads(kept.path.read_bytes())["state"] == "open"


def test_what_cannot_be_kept_opens_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("where the folder should be")
    kept = Kept(tmp_path / "file" / "breaker.json")
    open_by_failures(kept.breaker)
    assert [change.state for change in kept.changes] == ["open"]
    assert "breaker.not_kept" in caplog.messages
