"""Predictions of candidate and production for the same photos, with people's confirmations.

Confirmations are biased: a preselected (ticked) label is often left as it is. What a confirmation says
depends on whose label was ticked, so every pair records which model its deposit accepted.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, cast
from uuid import UUID

from sqlalchemy import select

from providers.base import Task
from triof.journal.journal import Journal
from triof.journal.scope import Scope
from triof.rollout.candidates import Candidate
from triof.storage.tables import Event, PredictionRow

LATEST = 200
"""Number of latest calls used for times and errors."""

AcceptedArm = Literal["candidate", "production", "neither"]


@dataclass(frozen=True)
class PredictionPair:
    """Two predictions for one photo."""

    candidate: str
    production: str
    accepted: AcceptedArm
    """The model behind the verdict; neither: another provider."""
    truth: str | None
    """The label that the employee confirmed, if any."""

    @property
    def discordant(self) -> bool:
        """Whether exactly one of them is right."""
        return self.candidate != self.production and self.truth in (self.candidate, self.production)

    @property
    def kept(self) -> bool:
        """Whether the employee kept the accepted label rather than correct it."""
        if self.accepted == "neither":
            return False
        return self.truth == (self.candidate if self.accepted == "candidate" else self.production)


class ComparisonData(NamedTuple):
    """Predictions and outcomes of a candidate, for comparison with production."""

    pairs: Sequence[PredictionPair]
    """In the order of judging."""
    disturbed: Sequence[bool]
    """One entry for each return or correction in a deposit with both predictions: whether the candidate
    was accepted."""
    deposits: Mapping[str, int]
    """Deposits with both predictions by arm: ``candidate``, ``production``."""
    failed: Sequence[bool]
    """For each of the latest calls of the candidate: whether it failed."""
    candidate_seconds: Sequence[float]
    production_seconds: Sequence[float]
    """Seconds of the latest predictions."""


class _JournaledPrediction(NamedTuple):
    at: datetime
    label: str
    accepted: bool
    seconds: float | None


def comparison_data(journal: Journal, candidate: Candidate, scope: Scope) -> ComparisonData:
    """Read the data since the start of the candidate from the journal; drills are left out."""
    ours, theirs = _answers(journal, candidate, scope)
    drilled = journal.drilled()
    pairs: list[PredictionPair] = []
    disturbed: list[bool] = []
    deposits = {"candidate": 0, "production": 0}
    for deposit_id, events in _deposits(journal, scope):
        arm = candidate.arm(deposit_id)
        if deposit_id in drilled or arm == "alone":
            continue
        deposits[arm] += 1
        if _disturbed(candidate.task, events):
            disturbed.append(arm == "candidate")
        our, their = ours.get(deposit_id), theirs.get(deposit_id)
        if our and their:
            accepted: AcceptedArm = "candidate" if our.accepted else "production" if their.accepted else "neither"
            truth = events.get("deposit.confirmed") if candidate.task == "waste_type" else None
            pairs.append(PredictionPair(our.label, their.label, accepted, truth[0] if truth else None))
    return ComparisonData(
        pairs,
        disturbed,
        deposits,
        _failed(journal, candidate, scope, ours),
        _latest_seconds(ours),
        _latest_seconds(theirs),
    )


def _deposits(journal: Journal, scope: Scope) -> Iterator[tuple[UUID, dict[str, tuple[str | None, str | None]]]]:
    """Yield waste type and reason of the events of each judged deposit, by kind."""
    kinds = ("deposit.judged", "deposit.confirmed", "deposit.returned")
    query = select(Event.deposit_id, Event.kind, Event.waste_type, Event.reason).where(
        *scope.of(Event), Event.kind.in_(kinds), Event.deposit_id.is_not(None)
    )
    found: dict[UUID, dict[str, tuple[str | None, str | None]]] = {}
    with journal.database.read() as connection:
        for deposit_id, kind, waste_type, reason in connection.execute(query.order_by(Event.at)):
            found.setdefault(cast(UUID, deposit_id), {})[kind] = waste_type, reason
    return ((deposit_id, events) for deposit_id, events in found.items() if "deposit.judged" in events)


def _disturbed(task: Task, events: Mapping[str, tuple[str | None, str | None]]) -> bool:
    _, returned = events.get("deposit.returned", (None, None))
    _, confirmed = events.get("deposit.confirmed", (None, None))
    if confirmed:
        # What follows is the person's own word.
        return task == "waste_type" and confirmed == "corrected"
    return returned in (("dirty",) if task == "cleanliness" else ("other", "nothing_seen"))


def _answers(
    journal: Journal, candidate: Candidate, scope: Scope
) -> tuple[dict[UUID, _JournaledPrediction], dict[UUID, _JournaledPrediction]]:
    """Return the predictions of candidate and production by deposit."""
    columns = ("deposit_id", "at", "label", "believed", "attempts", "model_version")
    query = select(*(getattr(PredictionRow, name) for name in columns)).where(
        *scope.of(PredictionRow),
        PredictionRow.task == candidate.task,
        PredictionRow.provider == candidate.provider,
    )
    ours: dict[UUID, _JournaledPrediction] = {}
    theirs: dict[UUID, _JournaledPrediction] = {}
    with journal.database.read() as connection:
        for deposit_id, at, label, accepted, attempts, version in connection.execute(query.order_by(PredictionRow.at)):
            for model, answers in ((candidate.model, ours), (candidate.against, theirs)):
                if model.answered(candidate.provider, version, of=candidate.provider):
                    answers[deposit_id] = _JournaledPrediction(
                        at, label, accepted, _seconds(attempts, candidate.provider)
                    )
    return ours, theirs


def _seconds(attempts: Sequence[Mapping[str, Any]], provider: str) -> float | None:
    answered = (each for each in attempts if each["outcome"] == "answered" and each["provider"] == provider)
    return next((float(attempt["duration"]) for attempt in answered), None)


def _latest_seconds(answers: Mapping[UUID, _JournaledPrediction]) -> list[float]:
    return list(deque((each.seconds for each in answers.values() if each.seconds is not None), LATEST))


def _failed(
    journal: Journal, candidate: Candidate, scope: Scope, ours: Mapping[UUID, _JournaledPrediction]
) -> list[bool]:
    query = select(Event.at, Event.detail).where(
        *scope.of(Event), Event.kind == "candidate.failed", Event.reason == candidate.task
    )
    with journal.database.read() as connection:
        failures = [
            (at, True) for at, detail in connection.execute(query) if detail.get("version") == candidate.model.name
        ]
    asked = [(answer.at, False) for answer in ours.values()]
    return [failed for _, failed in sorted([*asked, *failures])[-LATEST:]]
