"""What was asked of the cloud is counted, never below the vendor's own count, whoever dies and however many ask."""

import json
import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from providers.base import (
    Allowance,
    Photo,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    ServiceRetired,
)
from providers.fake import Step
from testing.azure.custom_vision_server import CustomVisionServer
from tests.support.clock import Clock
from tests.support.guarded import TIMEOUT, Cloud, Guarded
from tests.support.paths import ROOT
from triof import services
from triof.cli import main
from triof.cli.shared.actor import user
from triof.judging import photo
from triof.judging.quota import QuotaLedger, ledgers
from triof.settings.loader import load
from triof.settings.sections.breaker import BreakerSettings
from triof.settings.tree import Settings
from triof.storage import data_folder
from triof.storage.database import Database

EPOCH = datetime(2026, 3, 1, 12, tzinfo=UTC)
RESOURCE = "triof.cognitiveservices.azure.com"
MONTH = timedelta(days=30)
MOMENT = timedelta(milliseconds=1)
THREADS = 8
GREY = Photo(Image.new("RGB", (64, 64), "grey"), "", 64, 64)


class Now:
    """The machine's clock on the wall, which a test can set."""

    def __init__(self) -> None:
        self.time = EPOCH

    def __call__(self) -> datetime:
        return self.time

    def pass_(self, time: timedelta) -> None:
        self.time += time


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def path(tmp_path: Path, new_journal: Path) -> Path:
    """An empty journal where the settings of the tests expect it."""
    (tmp_path / "home").mkdir(exist_ok=True)
    return Path(shutil.copy(new_journal, tmp_path / "home" / "journal.db"))


@pytest.fixture
def database(journal_url: str) -> Iterator[Database]:
    database = Database(journal_url, "machine-1")
    yield database
    database.close()


def allowed(
    per_month: int | None = None, per_second: int | None = None, resource: str = RESOURCE, tier: str = "F0"
) -> Allowance:
    return Allowance(resource, tier, per_month, per_second, euros_per_1000=1.8)


Build = Callable[..., QuotaLedger]


@pytest.fixture
def ledger(database: Database, now: Now) -> Build:
    """A ledger; built again with the same numbers it is the ledger after a restart."""
    return lambda *numbers, **named: QuotaLedger(database, allowed(*numbers, **named), now)


def taken(ledger: QuotaLedger, times: int) -> int:
    """How many of so many calls may be made."""
    count = 0
    for _ in range(times):
        with suppress(QuotaExceeded, RateLimited):
            ledger.take()
            count += 1
    return count


# The month


def test_all_calls_of_the_month_and_no_more(ledger: Build, now: Now) -> None:
    five = ledger(5)
    assert taken(five, 5) == 5
    now.pass_(timedelta(days=1))
    with pytest.raises(QuotaExceeded, match="All 5 calls of 30 days are used up, by our own count") as refused:
        five.take()
    assert refused.value.resets_at == EPOCH + MONTH
    assert five.usage().used == 5, "a call that was refused counts for nothing"


def test_thirty_days_after_each_call_another_may_be_made(ledger: Build, now: Now) -> None:
    three = ledger(3)
    for _ in range(3):
        three.take()
        now.pass_(timedelta(days=10))
    now.time = EPOCH + MONTH - MOMENT
    assert taken(three, 1) == 0
    now.time = EPOCH + MONTH
    assert taken(three, 2) == 1
    with pytest.raises(QuotaExceeded) as refused:
        three.take()
    assert refused.value.resets_at == EPOCH + timedelta(days=10) + MONTH


def test_the_count_outlives_a_restart_and_machines_share_it(ledger: Build, journal_url: str, now: Now) -> None:
    assert taken(ledger(4), 2) == 2
    assert taken(ledger(4), 1) == 1
    elsewhere = Database(journal_url, "machine-2")
    assert taken(QuotaLedger(elsewhere, allowed(4), now), 5) == 1
    elsewhere.close()


def test_each_resource_has_a_count_of_its_own(ledger: Build, now: Now) -> None:
    one, other = ledger(2), ledger(2, resource="other.cognitiveservices.azure.com")
    one.exhausted(now() + timedelta(days=1))
    one.skip()
    assert taken(one, 1) == 0
    assert taken(other, 3) == 2
    assert (one.usage().used, one.usage().skipped) == (0, 1)
    assert (other.usage().used, other.usage().skipped) == (2, 0)


def test_without_a_limit_all_is_counted_and_nothing_refused(ledger: Build, caplog: pytest.LogCaptureFixture) -> None:
    endless = ledger()
    assert taken(endless, 20) == 20
    usage = endless.usage()
    assert (usage.used, usage.remaining, usage.exhausted) == (20, None, False)
    assert not caplog.messages


def test_a_clock_set_back_makes_no_call_forgotten(ledger: Build, now: Now) -> None:
    three = ledger(3)
    assert taken(three, 2) == 2
    now.pass_(-timedelta(days=400))
    assert taken(three, 2) == 1


# The second


def test_a_clock_set_back_does_not_stop_the_calls(ledger: Build, now: Now) -> None:
    ours = ledger(None, 2)
    taken(ours, 2)
    now.pass_(-timedelta(hours=1))
    assert taken(ours, 3) == 2


def answered(ledger: QuotaLedger, now: Now, after: float = 0.0) -> None:
    """Make a call whose answer comes after so many seconds."""
    call = ledger.take()
    now.pass_(timedelta(seconds=after))
    ledger.heard(call, failed=False)


JITTER = timedelta(milliseconds=30)


def test_no_more_than_the_tier_allows_in_any_second(ledger: Build, now: Now) -> None:
    two = ledger(None, 2)
    answered(two, now)
    now.pass_(timedelta(milliseconds=400))
    assert two.wait() == 0
    answered(two, now)
    assert two.wait() == pytest.approx(0.63)
    now.pass_(timedelta(milliseconds=500))
    with pytest.raises(RateLimited, match="2 calls a second") as refused:
        two.take()
    assert refused.value.retry_after == pytest.approx(0.1 + JITTER.total_seconds())
    assert not refused.value.refused, "the vendor was not asked"
    assert two.usage().used == 2
    now.pass_(timedelta(milliseconds=100) + JITTER)
    answered(two, now)
    assert taken(two, 1) == 0
    now.pass_(timedelta(milliseconds=399))
    assert taken(two, 1) == 0
    now.pass_(MOMENT)
    assert taken(two, 1) == 1


def test_a_call_whose_answer_came_late_counts_for_longer(ledger: Build, now: Now) -> None:
    """As the first one on a new connection, which arrives when the others are half a second under way."""
    two = ledger(None, 2)
    answered(two, now, 0.1)
    now.pass_(timedelta(seconds=60))
    answered(two, now, 0.5)
    answered(two, now, 0.1)
    now.pass_(timedelta(milliseconds=550))
    assert taken(two, 1) == 0, "more than a second after it left, but not after it may have arrived"
    assert two.wait() == pytest.approx(0.5 - 0.1 + 0.03 + 1.0 - 1.15)
    now.pass_(timedelta(seconds=two.wait()))
    assert taken(two, 1) == 1


def test_a_call_that_was_refused_counts_in_its_second_and_against_no_quota(ledger: Build, now: Now) -> None:
    ours = ledger(3, 2)
    for _ in range(2):
        ours.refused(ours.take())
    assert taken(ours, 1) == 0
    usage = ours.usage()
    assert (usage.used, usage.refused, usage.remaining, usage.euros) == (0, 2, 3, 0.0)
    now.pass_(timedelta(seconds=6))
    assert taken(ours, 2) == 2
    usage = ours.usage()
    assert (usage.used, usage.refused, usage.remaining) == (2, 2, 1)


def test_a_retired_service_is_not_asked_by_anybody_until_somebody_says_so(ledger: Build, now: Now) -> None:
    ours = ledger(10)
    ours.retired(now() + timedelta(days=7))
    for again in (ours, ledger(10), ledger(10, tier="S0")):
        with pytest.raises(ServiceRetired, match="quota --resume"):
            again.take()
    assert ours.usage().retired_until == EPOCH + timedelta(days=7)
    assert taken(ledger(2, resource="other.cognitiveservices.azure.com"), 1) == 1
    ours.resume()
    assert taken(ours, 1) == 1
    ours.retired(now() + timedelta(days=7))
    now.pass_(timedelta(days=7))
    assert taken(ours, 1) == 1, "after a week it is asked once more"


# The vendor's word


def test_the_vendors_word_holds_above_our_count_until_its_time(
    ledger: Build, now: Now, caplog: pytest.LogCaptureFixture
) -> None:
    ours = ledger(10_000)
    resets_at = EPOCH + timedelta(days=22, hours=14)
    ours.exhausted(resets_at)
    assert caplog.record_tuples == [
        ("triof.judging.quota", logging.ERROR, f"quota.exhausted resource={RESOURCE} resets_at={resets_at.isoformat()}")
    ]
    for _ in range(2):
        restarted = ledger(10_000)
        with pytest.raises(QuotaExceeded, match="The cloud said") as refused:
            restarted.take()
        assert refused.value.resets_at == resets_at
        now.time = resets_at - MOMENT
    usage = ours.usage()
    assert (usage.used, usage.remaining, usage.exhausted, usage.resets_at) == (0, 0, True, resets_at)
    assert usage.all_free_at == resets_at
    now.time = resets_at
    assert taken(ledger(10_000), 3) == 3
    assert not ours.usage().exhausted


def test_of_two_words_the_later_one_holds(ledger: Build, now: Now) -> None:
    ours = ledger()
    ours.exhausted(EPOCH + timedelta(days=3))
    ours.exhausted(EPOCH + timedelta(hours=1))
    for _ in range(2):
        with pytest.raises(QuotaExceeded) as refused:
            ours.take()
        assert refused.value.resets_at == EPOCH + timedelta(days=3)
        now.pass_(timedelta(days=2))


def test_whoever_has_paid_for_more_can_have_it_asked_again(ledger: Build, now: Now) -> None:
    ours = ledger(10)
    taken(ours, 4)
    ours.exhausted(EPOCH + timedelta(days=22))
    now.pass_(timedelta(hours=1))
    ledger(10).resume()
    assert not ours.usage().exhausted
    assert taken(ledger(10), 2) == 2
    assert ours.usage().used == 6, "our own count goes on"
    now.pass_(timedelta(hours=1))
    ours.exhausted(EPOCH + timedelta(days=22))
    assert taken(ledger(10), 1) == 0, "its next word holds again"


def test_it_is_asked_again_although_a_clock_that_was_ahead_was_set_right_since(ledger: Build, now: Now) -> None:
    now.pass_(timedelta(days=365))
    ours = ledger(10)
    ours.exhausted(now() + timedelta(days=20))
    now.time = EPOCH
    ours.resume()
    assert taken(ours, 1) == 1
    ours.exhausted(EPOCH + timedelta(days=400))
    assert taken(ours, 1) == 0, "and the vendor's next word holds"


def test_where_both_say_no_the_later_one_is_the_reset(ledger: Build) -> None:
    ours = ledger(2)
    taken(ours, 2)
    ours.exhausted(EPOCH + timedelta(hours=1))
    assert ours.usage().resets_at == EPOCH + timedelta(days=30)


def test_what_the_vendor_said_in_another_tier_holds_no_more(ledger: Build) -> None:
    free, paid = ledger(10), ledger(tier="S0")
    taken(free, 3)
    free.exhausted(EPOCH + timedelta(days=22))
    assert taken(paid, 2) == 2
    assert (paid.usage().used, paid.usage().exhausted) == (5, False)
    assert taken(free, 1) == 0


# The warning


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_from_80_per_cent_there_is_one_warning_whatever_restarts(
    ledger: Build, now: Now, caplog: pytest.LogCaptureFixture
) -> None:
    assert taken(ledger(10), 7) == 7
    assert not caplog.messages
    for _ in range(5):
        taken(ledger(10), 1)
        now.pass_(timedelta(hours=1))
    assert warnings(caplog) == [f"quota.warned resource={RESOURCE} used=8 of 10"]


def test_the_warning_comes_again_when_the_window_has_passed_and_not_before(
    ledger: Build, now: Now, caplog: pytest.LogCaptureFixture
) -> None:
    taken(ledger(10), 9)
    now.time = EPOCH + MONTH - MOMENT
    taken(ledger(10), 1)
    assert len(warnings(caplog)) == 1
    now.time = EPOCH + MONTH
    taken(ledger(10), 6)
    assert len(warnings(caplog)) == 1, "7 of 10"
    taken(ledger(10), 3)
    assert warnings(caplog)[1:] == [f"quota.warned resource={RESOURCE} used=8 of 10"]


# What it comes to


def test_what_was_never_sent_is_given_back(ledger: Build) -> None:
    two = ledger(2)
    two.take()
    call = two.take()
    two.give_back(call)
    two.give_back(call)
    assert two.usage().used == 1
    assert taken(two, 2) == 1


def test_the_usage_in_numbers_and_euros(ledger: Build, now: Now) -> None:
    ours = ledger(1000)
    nothing = ours.usage()
    assert (nothing.used, nothing.remaining, nothing.skipped, nothing.exhausted) == (0, 1000, 0, False)
    assert (nothing.resets_at, nothing.all_free_at, nothing.euros) == (None, None, 0.0)
    taken(ours, 3)
    now.pass_(timedelta(days=4))
    taken(ours, 2)
    for _ in range(4):
        ours.skip()
    usage = ours.usage()
    assert usage.allowance == ours.allowance
    assert (usage.used, usage.remaining, usage.skipped, usage.exhausted) == (5, 995, 4, False)
    assert usage.euros == pytest.approx(5 * 1.8 / 1000)
    assert usage.resets_at == EPOCH + MONTH
    assert usage.all_free_at == EPOCH + timedelta(days=4) + MONTH
    now.time = EPOCH + MONTH
    assert (ours.usage().used, ours.usage().skipped) == (2, 4)
    now.time = EPOCH + timedelta(days=4) + MONTH
    usage = ours.usage()
    assert (usage.used, usage.skipped, usage.resets_at, usage.all_free_at) == (0, 0, None, None)


def test_used_up_by_our_count(ledger: Build) -> None:
    two = ledger(2)
    taken(two, 2)
    usage = two.usage()
    assert (usage.used, usage.remaining, usage.exhausted, usage.resets_at) == (2, 0, True, EPOCH + MONTH)


def test_with_a_limit_lowered_since_nothing_remains(ledger: Build) -> None:
    taken(ledger(10), 5)
    assert (ledger(3).usage().remaining, ledger(3).usage().exhausted) == (0, True)
    assert taken(ledger(3), 1) == 0


# Many at once


@pytest.mark.slow
def test_the_limit_holds_exactly_under_many_threads(database: Database, now: Now) -> None:
    together = Barrier(THREADS)

    def take_many(_: int) -> int:
        own = QuotaLedger(database, allowed(100), now)
        together.wait(10)
        return taken(own, 20)

    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(take_many, range(THREADS))) == 100
    assert QuotaLedger(database, allowed(100), now).usage().used == 100


@pytest.mark.slow
def test_the_rate_holds_exactly_under_many_threads(database: Database, now: Now) -> None:
    ours = QuotaLedger(database, allowed(None, 10), now)
    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(lambda _: taken(ours, 5), range(THREADS))) == 10


@pytest.mark.slow
def test_many_threads_are_warned_once(database: Database, now: Now, caplog: pytest.LogCaptureFixture) -> None:
    ours = QuotaLedger(database, allowed(50), now)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: taken(ours, 8), range(THREADS)))
    assert warnings(caplog) == [f"quota.warned resource={RESOURCE} used=40 of 50"]


TAKER = """
import sys
from providers.base import Allowance, QuotaExceeded, RateLimited
from triof.storage.database import Database
from triof.judging.quota import QuotaLedger

url, resource, limit, times = sys.argv[1:]
ledger = QuotaLedger(Database(url, "machine-1"), Allowance(resource, "F0", int(limit), None, 0.0))
print("ready", flush=True)
sys.stdin.readline()
asked = taken = 0
while asked < int(times):
    try:
        ledger.take()
        taken += 1
    except RateLimited:
        # On a busy computer the journal may not be free in time.
        continue
    except QuotaExceeded:
        pass
    asked += 1
print(taken)
"""


@pytest.mark.slow
def test_the_limit_holds_exactly_under_many_processes(database: Database, journal_url: str) -> None:
    command = [sys.executable, "-c", TAKER, journal_url, RESOURCE, "70", "40"]
    takers = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    try:
        for taker in takers:
            assert taker.stdout
            assert taker.stdout.readline() == "ready\n"
        for taker in takers:
            assert taker.stdin
            taker.stdin.write("go\n")
            taker.stdin.flush()
        assert sum(int(taker.communicate(timeout=30)[0]) for taker in takers) == 70
    finally:
        for taker in takers:
            taker.kill()
            taker.communicate()
    assert QuotaLedger(database, allowed(70)).usage().used == 70


# A disk that is full, or worse


@pytest.fixture
def unwritable(path: Path) -> Iterator[Database]:
    """A database that can be read and not written."""
    Database(f"sqlite:///{path}", "machine-1").ping()
    database = Database(f"sqlite:///file:{path}?mode=ro&uri=true", "machine-1")
    yield database
    database.close()


def test_what_cannot_be_counted_is_the_machines_fault_and_told_with_the_remedy(unwritable: Database, now: Now) -> None:
    ours = QuotaLedger(unwritable, allowed(10), now)
    writing: list[Callable[[], Any]] = [ours.take, ours.skip, lambda: ours.exhausted(now())]
    for write in writing:
        with pytest.raises(ProviderMisconfigured, match=r"cannot be counted.*readonly database.*make room on the disk"):
            write()
    assert ours.usage().used == 0


def test_a_call_that_cannot_be_counted_is_not_made(unwritable: Database, jpeg: bytes) -> None:
    cloud = Cloud()
    guarded = Guarded([cloud], Clock(), calls=lambda provider: QuotaLedger(unwritable, allowed(10)))
    with pytest.raises(ProviderMisconfigured, match="cannot be counted"):
        guarded.guard.ask(photo.load(jpeg), TIMEOUT).answer()
    assert not cloud.timeouts
    guarded.guard.close()


def test_without_its_table_nothing_is_asked_and_the_usage_says_why(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("DROP TABLE ledger"))
    ours = QuotaLedger(database, allowed(10))
    with pytest.raises(ProviderMisconfigured, match=r"no such table|does not exist"):
        ours.take()
    with pytest.raises(SQLAlchemyError):
        ours.usage()


# A guard with a real ledger


def test_a_guard_counts_what_it_asks(database: Database, jpeg: bytes) -> None:
    grey = photo.load(jpeg)
    script: list[Step] = [
        "bottle",
        ProviderUnavailable("no network", sent=False),
        ProviderUnavailable("broke off"),
        "cup",
    ]
    cloud = Cloud(script)
    clock = Clock()
    breaker = BreakerSettings(minimum_calls=10)
    guarded = Guarded([cloud], clock, calls=lambda provider: ours, breaker=breaker)
    ours = QuotaLedger(database, allowed(3), guarded.now)
    used = []
    for _ in range(5):
        with suppress(ProviderError):
            guarded.guard.ask(grey, TIMEOUT).answer()
        used.append(ours.usage().used)
    assert used == [1, 1, 2, 3, 3]
    assert len(cloud.timeouts) == 4
    with pytest.raises(QuotaExceeded):
        guarded.guard.ask(grey, TIMEOUT)
    clock.pass_(MONTH.total_seconds())
    assert guarded.guard.ask(grey, TIMEOUT).answer().label == "cup"
    guarded.guard.close()


# The vendor itself, on loopback


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, path: Path) -> Iterator[CustomVisionServer]:
    """Azure, and the settings of a machine that asks it; ``fake`` stands for this machine's own model."""
    with CustomVisionServer() as server:
        for name, value in {
            "CUSTOM_VISION__PREDICTION_ENDPOINT": server.endpoint,
            "CUSTOM_VISION__PREDICTION_KEY": server.key,
            "CUSTOM_VISION__PROJECT_ID": server.project_id,
            "CUSTOM_VISION__PUBLISHED_NAME": server.published_name,
            "CUSTOM_VISION__CALLS_PER_SECOND": "1000",
            "ROUTES__WASTE_TYPE": "custom_vision,fake",
            "ROUTES__CLEANLINESS": "fake",
            # A busy machine must not make this a test of the time limits.
            "CLOUD_SECONDS": "30",
            "DEADLINE_SECONDS": "30",
            "BREAKER__SLOW_SECONDS": "30",
            "CUSTOM_VISION__CONNECT_SECONDS": "30",
        }.items():
            monkeypatch.setenv(f"TRIOF_{name}", value)
        yield server


def counted() -> dict[str, Any]:
    """What ``triof quota`` says."""
    ran = CliRunner().invoke(main, ["quota", "--json"])
    assert ran.exit_code == 0, ran.output
    (usage,) = (json.loads(line) for line in ran.stdout.splitlines())
    return dict(usage)


CLASSIFIER = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from PIL import Image
from providers.base import Photo
from triof import services
from triof.settings.loader import load

router = services.build_router(load().settings)
photo = Photo(Image.new("RGB", (64, 64), "grey"), "", 64, 64)

def classify(_):
    os.write(1, router.predict(photo, "waste_type").provider.encode() + b"\\n")

with ThreadPoolExecutor(int(sys.argv[2])) as pool:
    list(pool.map(classify, range(int(sys.argv[1]))))
"""


def classify(photos: int, kill_after: int | None = None) -> list[str]:
    """Who answered for each photo, asked for by many threads of another process, until it is killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", CLASSIFIER, str(photos), str(THREADS)],
        cwd=ROOT,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout
        answered = [child.stdout.readline().strip() for _ in range(kill_after or 0)]
        if kill_after:
            child.send_signal(signal.SIGKILL)
        answered += child.communicate(timeout=60)[0].split()
    finally:
        child.kill()
        child.communicate()
    assert child.returncode == (-signal.SIGKILL if kill_after else 0)
    return answered


@pytest.mark.slow
def test_after_a_kill_in_the_middle_the_count_is_never_below_the_vendors(server: CustomVisionServer) -> None:
    photos = 200
    # Long enough for the kill to meet calls that the vendor has counted and not yet answered.
    server.latency = 0.02
    answered = classify(photos, kill_after=80)
    assert 80 <= len(answered) < photos
    server.latency = 0.0
    answered += classify(photos - len(answered))
    assert answered == ["custom_vision"] * photos
    used = counted()["used"]
    assert photos <= server.calls <= used <= server.calls + THREADS
    assert used <= photos + THREADS


@pytest.mark.slow
def test_the_vendors_quota_is_met_once_and_known_after_a_restart(server: CustomVisionServer) -> None:
    server.quota = 3
    for expected in (["custom_vision"] * 3 + ["fake"] * 2, ["fake"] * 2):
        router = services.build_router(load().settings)
        assert [router.predict(GREY, "waste_type").provider for _ in expected] == expected
        router.close()
    assert server.calls == 3
    assert server.received == 4, "asked again although it had said when to come back"
    usage = counted()
    assert (usage["used"], usage["refused"], usage["remaining"], usage["exhausted"]) == (3, 1, 0, True)


@pytest.mark.slow
def test_the_command_has_the_vendor_asked_again(server: CustomVisionServer) -> None:
    server.quota = 0
    router = services.build_router(load().settings)
    router.predict(GREY, "waste_type")
    router.close()
    assert counted()["exhausted"]
    assert CliRunner().invoke(main, ["quota", "--resume", "--why", "paid for more"]).exit_code == 0
    assert not counted()["exhausted"]
    with closing(sqlite3.connect(load().settings.home / "journal.db")) as journal:
        ((provider, detail),) = journal.execute("SELECT reason, detail FROM events WHERE kind = 'quota.resumed'")
    assert (provider, json.loads(detail)) == ("custom_vision", {"who": user(), "why": "paid for more"})
    assert CliRunner().invoke(main, ["quota", "--why", "nothing"]).exit_code == 2
    server.quota = None
    router = services.build_router(load().settings)
    assert router.predict(GREY, "waste_type").provider == "custom_vision"
    router.close()


def test_what_no_vendor_has_seen_is_not_counted(server: CustomVisionServer) -> None:
    router = services.build_router(load().settings)
    assert router.predict(GREY, "waste_type").provider == "custom_vision"
    server.stop()
    router.predict(GREY, "waste_type")
    unsent = router.predict(GREY, "waste_type")
    assert (unsent.provider, unsent.attempts[0].outcome) == ("fake", "ProviderUnavailable")
    assert server.calls <= counted()["used"] <= server.calls + 1, "at most the one whose connection broke"
    router.close()


def test_the_command_tells_people_too(server: CustomVisionServer) -> None:
    settings: Settings = load().settings
    database = data_folder.open_database(settings)
    (ours,) = ledgers(settings, database).values()
    taken(ours, 5)
    ours.skip()
    database.close()
    told = CliRunner().invoke(main, ["quota"]).output
    assert "used       5 of 10,000 (0.1%)" in told
    assert "remaining  9,995; at most 1000 a second" in told
    assert "spared     1 calls" in told
    assert "cost       0.00 €" in told
    assert counted() == {
        "provider": "custom_vision",
        "resource": server.endpoint.removeprefix("http://"),
        "tier": "F0",
        "used": 5,
        "limit": 10_000,
        "remaining": 9_995,
        "refused": 0,
        "exhausted": False,
        "retired_until": None,
        "resets_at": counted()["resets_at"],
        "spared": 1,
        "euros": 0.0,
    }


def test_a_home_that_cannot_be_used_leaves_the_local_answer(
    server: CustomVisionServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRIOF_HOME", str(tmp_path / "file"))
    router = services.build_router(load().settings)
    router.prepare()
    prediction = router.predict(GREY, "waste_type")
    assert prediction.attempts[0].outcome == "ProviderMisconfigured"
    assert "cannot be counted" in prediction.attempts[0].message
    assert prediction.attempts[1].outcome == "answered"
    assert not server.received


def test_a_database_that_somebody_holds_is_not_the_clouds_fault(
    server: CustomVisionServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIOF_JOURNAL__URL", f"sqlite:///{path}?timeout=0.05")
    router = services.build_router(load().settings)
    router.prepare()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        prediction = router.predict(GREY, "waste_type")
        other.execute("ROLLBACK")
    router.close()
    assert prediction.provider == "fake"
    assert prediction.attempts[0].outcome == "RateLimited"
    assert "locked" in prediction.attempts[0].message
    assert not server.received
