"""What a candidate and production have answered about the same photos, and what people made of it.

A person's confirmation is no neutral judge: a label that is ticked already is often left as it is. What can be learned
from it depends on whose label was ticked, so that every pair says whom its deposit believed.
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
"""Times and errors are those of so many of the latest questions: what was long ago says little of now."""

AcceptedArm = Literal["candidate", "production", "neither"]


@dataclass(frozen=True)
class PredictionPair:
    """Two answers about one photo."""

    candidate: str
    production: str
    accepted: AcceptedArm
    """Whose answer the verdict rested on; neither: another provider's."""
    truth: str | None
    """What the person confirmed, if there is such a thing."""

    @property
    def discordant(self) -> bool:
        """Whether one of them is right and the other is not."""
        return self.candidate != self.production and self.truth in (self.candidate, self.production)

    @property
    def kept(self) -> bool:
        """Whether the person kept what the machine had believed, rather than overrule it."""
        if self.accepted == "neither":
            return False
        return self.truth == (self.candidate if self.accepted == "candidate" else self.production)


class ComparisonData(NamedTuple):
    """All that came of a candidate so far."""

    pairs: Sequence[PredictionPair]
    """In the order in which they were judged."""
    disturbed: Sequence[bool]
    """Each time that a person was turned away or corrected the machine in a deposit that asked both: whether it
    believed the candidate."""
    deposits: Mapping[str, int]
    """How many deposits of each arm asked both: ``candidate``, ``production``."""
    failed: Sequence[bool]
    """Of the latest questions to the candidate: whether it gave no answer."""
    candidate_seconds: Sequence[float]
    production_seconds: Sequence[float]
    """How long the latest answers took."""


class _JournaledPrediction(NamedTuple):
    at: datetime
    label: str
    accepted: bool
    seconds: float | None


def comparison_data(journal: Journal, candidate: Candidate, scope: Scope) -> ComparisonData:
    """What the journal knows since the candidate was begun; drills are left out."""
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
    """Waste type and reason of what happened to each deposit that was judged, by kind."""
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
    if task == "cleanliness":
        return returned == "dirty"
    return returned in ("other", "nothing_seen") or confirmed == "corrected"


def _answers(
    journal: Journal, candidate: Candidate, scope: Scope
) -> tuple[dict[UUID, _JournaledPrediction], dict[UUID, _JournaledPrediction]]:
    """The candidate's and production's, by deposit."""
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
