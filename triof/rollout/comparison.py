"""Comparison of a candidate with production: accuracy, failures, response times and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from providers.base import Metered
from triof.evaluation.paired_comparison import Difference, mcnemar
from triof.journal.scope import Scope
from triof.rollout import paired_predictions
from triof.rollout.candidates import AZURE, Candidate
from triof.rollout.paired_predictions import ComparisonData
from triof.rollout.sequential_test import Recommendation, SequentialTest, Table
from triof.rollout.significance import quantile

if TYPE_CHECKING:
    from triof.journal.journal import Journal
    from triof.rollout.labelled import Labelled, PhotoSelection
    from triof.settings.sections.rollout import RolloutSettings
    from triof.settings.tree import Settings


@dataclass(frozen=True)
class Times:
    """Response times of the latest predictions, in seconds; None if there are none."""

    p50: float | None
    p95: float | None

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Times:
        """Compute the percentiles of ``seconds``."""
        return cls(quantile(seconds, 0.5), quantile(seconds, 0.95))


@dataclass(frozen=True)
class Comparison:
    """The comparison of a candidate with production."""

    candidate: Candidate
    opinion: Recommendation
    deposits: int
    """Expected number of deposits with both predictions."""
    needed: int | None
    """Further deposits needed; None if more deposits alone cannot decide, or none are needed."""
    pairs: int
    agreed: int
    """Pairs with the same label from both."""
    table: Table
    p: float
    """p-value of McNemar's exact test on the confirmed pairs, for a single look."""
    difference: Difference | None
    better: float
    worse: float
    disturbing: float
    """Evidence (:mod:`triof.rollout.significance`) for each."""
    asked: int
    failed: int
    """Among the latest calls."""
    candidate_times: Times
    production_times: Times
    candidate_euros: float
    production_euros: float
    """Per 1,000 photos."""
    labelled: Labelled | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-serialisable values."""
        plain = asdict(self)
        plain |= {"table": self.table._asdict(), "difference": self.difference and self.difference._asdict()}
        del plain["opinion"]
        plain["candidate"] = {
            **self.candidate.as_dict(),
            "model": self.candidate.model._asdict(),
            "against": self.candidate.against._asdict(),
        }
        if self.labelled:
            plain["labelled"] = self.labelled.as_dict()
        return {"word": self.opinion.word, "why": self.opinion.reason, **plain}


def compare_shown(
    candidate: Candidate, settings: Settings, journal: Journal, shown: PhotoSelection | None
) -> Comparison:
    """Return the comparison, with labelled photos if given. Raises DatasetError, ProviderError."""
    from triof.rollout.labelled import measure

    return compare(candidate, settings, journal, measure(candidate, settings, shown) if shown else None)


def compare(
    candidate: Candidate,
    settings: Settings,
    journal: Journal,
    labelled: Labelled | None = None,
    until: datetime | None = None,
) -> Comparison:
    """Compare a candidate since its start on this machine, and recommend what to do."""
    scope = Scope(candidate.since, until or datetime.now(UTC), {journal.machine_id})
    compared = paired_predictions.comparison_data(journal, candidate, scope)
    test = _sequential_test(candidate, compared, settings.rollout)
    opinion = _opinion(candidate, compared, test, labelled, settings.rollout)
    table, price = test.table, _euros(settings) if candidate.provider == AZURE else 0.0
    deposits = sum(compared.deposits.values())
    return Comparison(
        candidate=candidate,
        opinion=opinion,
        deposits=deposits,
        needed=_deposits_needed(opinion, candidate, test.confirmed, deposits) if not labelled else None,
        pairs=test.pairs,
        agreed=test.agreed,
        table=table,
        p=mcnemar(table.only_candidate, table.only_production),
        difference=test.difference(),
        better=test.better.largest,
        worse=test.worse.largest,
        disturbing=test.disturbing.largest,
        asked=len(compared.failed),
        failed=sum(compared.failed),
        candidate_times=Times.of(compared.candidate_seconds),
        production_times=Times.of(compared.production_seconds),
        candidate_euros=price,
        production_euros=price,
        labelled=labelled,
    )


def _sequential_test(candidate: Candidate, compared: ComparisonData, options: RolloutSettings) -> SequentialTest:
    test = SequentialTest(candidate.mode, candidate.accepted_share, options)
    for pair in compared.pairs:
        test.add(pair)
    for accepted in compared.disturbed:
        test.disturb(candidate=accepted)
    return test


def _opinion(
    candidate: Candidate,
    compared: ComparisonData,
    test: SequentialTest,
    labelled: Labelled | None,
    options: RolloutSettings,
) -> Recommendation:
    if fault := trouble(compared, options) or test.drop():
        return Recommendation("keep", fault)
    if labelled:
        return labelled.opinion(options)
    if candidate.task == "cleanliness":
        return Recommendation(
            "wait", "people do not confirm whether an item is clean: give labelled photos with --data"
        )
    return test.opinion()


def guard(candidate: Candidate, settings: Settings, journal: Journal, until: datetime) -> str:
    """Return why the candidate must be ended; empty if it may continue."""
    compared = paired_predictions.comparison_data(
        journal, candidate, Scope(candidate.since, until, {journal.machine_id})
    )
    return trouble(compared, settings.rollout) or _sequential_test(candidate, compared, settings.rollout).drop()


def trouble(compared: ComparisonData, options: RolloutSettings) -> str:
    """Return the operational fault of the candidate (failures, slowness); empty if there is none."""
    failed, asked = sum(compared.failed), len(compared.failed)
    if asked >= options.least_asked and failed > options.error_rate * asked:
        return f"it gave no answer to {failed} of the latest {asked} questions"
    ours, theirs = quantile(compared.candidate_seconds, 0.95), quantile(compared.production_seconds, 0.95)
    enough = min(len(compared.candidate_seconds), len(compared.production_seconds)) >= options.least_asked
    if enough and ours and theirs and ours > max(options.latency_ratio * theirs, options.slow_seconds):
        return f"it is slow: its p95 is {ours * 1000:.0f} ms where production's is {theirs * 1000:.0f} ms"
    return ""


def _deposits_needed(opinion: Recommendation, candidate: Candidate, confirmed: int, deposits: int) -> int | None:
    if opinion.needed is None:
        return None
    # Without confirmations so far, every deposit is expected to be confirmed.
    share = confirmed / deposits if confirmed >= 20 else 1.0
    return round(opinion.needed / share / candidate.asked)


def _euros(settings: Settings) -> float:
    options = settings.custom_vision
    return options.allowance.euros_per_1000 if isinstance(options, Metered) else 0.0
