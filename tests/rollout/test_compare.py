"""Whether a candidate is better: what the journal's pairs show, and that looking often costs nothing."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.candidates import FIRST, SECOND, History
from triof.evaluation.paired_comparison import Difference, mcnemar, mean_difference, paired_difference, photos_needed
from triof.journal.journal import Journal
from triof.rollout.candidates import LOCAL, Candidate, CandidateModel, Candidates
from triof.rollout.comparison import Comparison, compare, guard
from triof.rollout.paired_predictions import AcceptedArm, PredictionPair
from triof.rollout.sequential_test import SequentialTest
from triof.rollout.significance import EProcess, discordant_needed
from triof.settings.sections.rollout import RolloutSettings
from triof.settings.tree import Settings
from triof.storage.database import Database

SINCE = datetime(2026, 11, 2, 8, tzinfo=UTC)
CANARY = Candidate(
    "waste_type", LOCAL, CandidateModel(SECOND, SECOND), CandidateModel(FIRST, FIRST), "canary", 0.3, SINCE, "marie", ""
)


@pytest.fixture
def journal(tmp_path: Path, new_journal: Path) -> Iterator[Journal]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "journal.db").write_bytes(new_journal.read_bytes())
    opened = Journal(Database(f"sqlite:///{home / 'journal.db'}", "machine-1"))
    yield opened
    opened.database.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


Compared = Callable[..., Comparison]


@pytest.fixture
def compared(journal: Journal, settings: Settings) -> Compared:
    """Writes deposits (arm, candidate, production, truth, how many) and compares."""

    def done(*deposits: tuple[Any, ...], candidate: Candidate = CANARY, **more: Any) -> Comparison:
        history = History(journal, candidate)
        for *deposit, times in deposits:
            for _ in range(times):
                history.deposit(*deposit, **more)
        return compare(candidate, settings, journal, until=history.write())

    return done


# Numbers


def test_mcnemar_is_exact() -> None:
    # By scipy.stats.binomtest.
    known = {(12, 2): 0.012939453125, (40, 61): 0.046044066929, (0, 9): 0.00390625, (700, 800): 0.0105592554667}
    assert {pair: mcnemar(*pair) for pair in known} == pytest.approx(known)
    assert mcnemar(0, 0) == mcnemar(3, 3) == 1.0


def test_the_interval_is_newcombes() -> None:
    # Altman, Machin, Bryant and Gardner, Statistics with Confidence, table 6.2; Newcombe 1998, table II.
    assert paired_difference(14, 5, 0, 22) == pytest.approx((0.122, 0.011, 0.226), abs=0.001)
    assert paired_difference(20, 12, 2, 16) == pytest.approx((0.2, 0.0562, 0.3290), abs=0.0005)
    assert paired_difference(0, 0, 0, 0) is None
    half = mean_difference(Difference(0.2, 0.1, 0.3), Difference(0.0, -0.1, 0.1))
    assert half == pytest.approx((0.1, 0.1 - 0.1 / 2**0.5, 0.1 + 0.1 / 2**0.5))


@pytest.mark.slow
def test_the_power_is_what_was_asked_for() -> None:
    """Of candidates that are better by the planned ratio, about the planned share is found with so many pairs."""
    rng = np.random.default_rng(3)
    for believed in (0.3, None):
        needed = discordant_needed(2.5, believed, 0.05, 0.8)
        assert needed
        found = sum(_bet(rng, round(needed), 2.5, believed).largest >= 20 for _ in range(100))
        assert 0.65 < found / 100 <= 0.97
    assert photos_needed(0.1, 0.05, 0.05, 0.8) == pytest.approx(312, abs=3), "Connor 1987"


def _bet(rng: np.random.Generator, pairs: int, ratio: float, believed: float | None) -> EProcess:
    """The evidence after so many discordant pairs; 70 % of the wrong ticks are noticed."""
    test = SequentialTest("canary", believed or 0.5, RolloutSettings())
    for candidate_right, ours, noticed in rng.random((pairs, 3)):
        right = "candidate" if candidate_right < ratio / (1 + ratio) else "production"
        ticked: AcceptedArm = "neither" if believed is None else "candidate" if ours < believed else "production"
        won = right if ticked == "neither" or noticed < 0.7 else ticked
        test.add(PredictionPair("cup", "bottle", ticked, "cup" if won == "candidate" else "bottle"))
    return test.better


@pytest.mark.slow
@pytest.mark.parametrize("believed", [0.1, 0.3, 0.5])
def test_however_often_one_looks_an_equal_candidate_is_rarely_called_better_or_worse(believed: float) -> None:
    rng = np.random.default_rng(4)
    ends = [_bet_both(rng, believed) for _ in range(100)]
    for direction in zip(*ends, strict=True):
        assert sum(evidence.largest >= 20 for evidence in direction) <= 0.05 * 100 + 5


def _bet_both(rng: np.random.Generator, believed: float) -> tuple[EProcess, EProcess]:
    test = SequentialTest("canary", believed, RolloutSettings())
    for candidate_right, ours, noticed in rng.random((300, 3)):
        right = "candidate" if candidate_right < 0.5 else "production"
        ticked: AcceptedArm = "candidate" if ours < believed else "production"
        won = right if noticed < 0.6 or ticked == right else ticked
        test.add(PredictionPair("cup", "bottle", ticked, "cup" if won == "candidate" else "bottle"))
    return test.better, test.worse


# What the journal shows


def test_one_that_people_find_better_is_to_be_promoted(compared: Compared) -> None:
    found = compared(
        ("candidate", "cup", "bottle", "cup", 6),
        ("production", "cup", "bottle", "cup", 12),
        ("production", "bottle", "cup", "cup", 1),
        ("production", "bottle", "bottle", "bottle", 80),
    )
    assert (found.opinion.word, found.needed) == ("promote", None)
    assert found.table == (80, 18, 1, 0)
    assert (found.pairs, found.agreed, found.deposits) == (99, 80, 99)
    assert found.difference
    assert found.difference.low > 0
    assert found.better >= 20 > found.worse


def test_one_that_people_correct_more_often_is_kept_out_and_the_guard_knows(
    compared: Compared, journal: Journal, settings: Settings
) -> None:
    found = compared(
        ("candidate", "cup", "bottle", "bottle", 12),
        ("production", "cup", "bottle", "bottle", 10),
        ("production", "bottle", "bottle", "bottle", 40),
    )
    assert found.opinion.word == "keep"
    assert "show that it is worse" in found.opinion.reason
    assert "worse" in guard(CANARY, settings, journal, datetime.now(UTC))


@pytest.mark.slow
def test_too_few_pairs_are_waited_with_and_the_number_needed_is_told(compared: Compared) -> None:
    found = compared(("candidate", "cup", "bottle", "cup", 1), ("production", "bottle", "bottle", "bottle", 39))
    assert found.opinion.word == "wait"
    assert found.needed
    assert 1000 < found.needed < 10_000
    more = compared(("production", "bottle", "bottle", "bottle", 300))
    assert more.needed
    assert more.needed < found.needed


def test_so_many_pairs_without_a_difference_that_counts_are_enough() -> None:
    rough = SequentialTest("canary", 0.3, RolloutSettings(smallest_difference=0.2))
    for _ in range(rough.total_needed() or 0):
        rough.add(PredictionPair("cup", "cup", "production", "cup"))
    assert rough.opinion().word == "keep"
    assert "did not show it to be better" in rough.opinion().reason


def test_ticks_that_people_leave_as_they_are_do_not_count_for_the_one_ticked(compared: Compared) -> None:
    """In each arm nobody corrects anything: naively the candidate would win 30 and production 70."""
    kept = (("candidate", "cup", "bottle", "cup", 3), ("production", "cup", "bottle", "bottle", 7))
    found = compared(*kept * 10)
    assert max(found.better, found.worse) < 5
    assert found.opinion.word == "wait"


def test_a_shadow_is_not_called_worse_for_ticks_that_are_left(compared: Compared) -> None:
    shadow = replace(CANARY, mode="shadow", share=1.0)
    found = compared(("production", "cup", "bottle", "bottle", 60), candidate=shadow)
    assert (found.opinion.word, found.worse) == ("wait", 1.0)
    assert "make it a canary, or give --data" in found.opinion.reason


def test_a_shadow_that_people_agree_with_against_the_tick_is_better(compared: Compared) -> None:
    shadow = replace(CANARY, mode="shadow", share=1.0)
    found = compared(
        ("production", "cup", "bottle", "cup", 20), ("production", "cup", "bottle", "bottle", 4), candidate=shadow
    )
    assert found.opinion.word == "promote"


def test_one_that_turns_people_away_is_worse_even_where_nobody_confirms(compared: Compared) -> None:
    compared(("candidate", "other", "bottle", None, 25), returned="other")
    found = compared(("production", "bottle", "bottle", "bottle", 60))
    assert found.opinion.word == "keep"
    assert "turns more people away" in found.opinion.reason


def test_drills_other_machines_and_what_was_before_are_left_out(
    compared: Compared, journal: Journal, settings: Settings
) -> None:
    drilled, elsewhere = History(journal, CANARY), History(journal, CANARY)
    for _ in range(30):
        drilled.deposit("candidate", "cup", "bottle", "cup")
        elsewhere.deposit("candidate", "cup", "bottle", "cup", machine="machine-2")
    until = drilled.write()
    elsewhere.write()
    journal.record("drill.ended", deposits=[str(deposit_id) for deposit_id in drilled.deposits])
    assert compare(CANARY, settings, journal, until=until).pairs == 0
    later = replace(CANARY, since=until)
    assert compare(later, settings, journal, until=datetime.now(UTC)).deposits == 0


def test_of_cleanliness_people_say_nothing(compared: Compared) -> None:
    clean = replace(CANARY, task="cleanliness")
    found = compared(("candidate", "clean", "dirty", "cup", 40), candidate=clean)
    assert (found.opinion.word, sum(found.table), found.pairs) == ("wait", 0, 40)
    assert "labelled photos with --data" in found.opinion.reason


@pytest.mark.slow
def test_errors_and_slow_answers_send_it_away(journal: Journal, settings: Settings) -> None:
    history = History(journal, CANARY)
    for _ in range(18):
        history.deposit("candidate", "cup", "cup", "cup", seconds=(0.05, 0.02))
    until = history.write()
    assert guard(CANARY, settings, journal, until) == "", "50 ms are noticed by nobody"
    history.failed(1)
    assert guard(CANARY, settings, journal, history.write()) == "", "one in 19"
    history.failed(2)
    assert guard(CANARY, settings, journal, history.write()) == "it gave no answer to 3 of the latest 21 questions"
    for _ in range(190):
        history.deposit("candidate", "cup", "cup", "cup", seconds=(0.3, 0.02))
    told = guard(CANARY, settings, journal, history.write())
    assert told == "it is slow: its p95 is 300 ms where production's is 20 ms"


def test_a_candidate_is_kept_whole_and_read_back(settings: Settings) -> None:
    (settings.home).mkdir(exist_ok=True)
    kept = replace(CANARY, against=CandidateModel("shipped", "waste_type-1"))
    candidates = Candidates(settings)
    assert candidates.of("waste_type") is None
    candidates.keep("waste_type", kept)
    assert candidates.of("waste_type") == Candidates(settings).of("waste_type") == kept
    candidates.keep("waste_type", None)
    assert candidates.of("waste_type") is None
