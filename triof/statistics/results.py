"""What the journal's statistics answer with; every number leaves drills out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from providers.base import Task


def share(part: int, whole: int) -> float | None:
    """From 0 to 1; None of nothing."""
    return part / whole if whole else None


@dataclass(frozen=True)
class Seconds:
    """How long something took, in seconds: half, 95 % and 99 % took no longer than this, give or take 5 %."""

    count: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Totals:
    """What happened to deposits in a scope; each step counts at the moment when it happened.

    Mappings hold what happened at least once.
    """

    opened: int
    """How often somebody let the slot open."""
    judged: int
    """Deposits: an item was photographed and there is a verdict on it."""
    actions: Mapping[str, int]
    """Verdicts by action: accept, ask, refuse."""
    reasons: Mapping[str, int]
    """Verdicts by reason: sure, unsure_type, dirty, other, …"""
    seen: Mapping[str, int]
    """What was believed to be seen, by label of waste_type; deposits that nobody could tell are missing."""
    confirmed: int
    """How often a person chose a type."""
    compared: int
    """Those of them where the machine had an answer to compare with."""
    corrected: int
    """Those of these where it was another type."""
    shredded: Mapping[str, int]
    """Items that became plastic for filament, by type."""
    returned: Mapping[str, int]
    """Items handed back, by reason: other, dirty, cancelled, timed_out."""
    failed: Mapping[str, int]
    """Deposits that the machine could not finish, by the part that was stuck, or the fault."""
    interrupted: int
    """Deposits that a stop or a crash ended."""
    cloud: int
    """Types told by a provider in the cloud."""
    local: int
    """Types told by this machine."""
    seconds: Seconds | None
    """From the photo's bytes to the verdict."""

    @property
    def items(self) -> int:
        """Everything shredded."""
        return sum(self.shredded.values())

    @property
    def dirty_share(self) -> float | None:
        """Of all verdicts those that refused dirt, 0 to 1."""
        return share(self.reasons.get("dirty", 0), self.judged)

    @property
    def correction_share(self) -> float | None:
        """How often people chose another type than the machine's, 0 to 1."""
        return share(self.corrected, self.compared)


@dataclass(frozen=True)
class Day:
    """One local day; ``complete`` is False where the scope holds a part of it, or it is not over."""

    day: date
    complete: bool
    totals: Totals


@dataclass(frozen=True)
class Hour:
    """One hour, from ``at`` on, which is aware and local."""

    at: datetime
    totals: Totals


@dataclass(frozen=True)
class Response:
    """How one provider answered the questions of one task."""

    task: Task
    provider: str
    cloud: bool
    questions: int
    """How often it was its turn: answered and not answered, without those it was spared."""
    answered: int
    accepted: int
    """Answers that the verdict rests on."""
    skipped: int
    """Questions that it did not have to be asked, as this machine was sure enough."""
    failures: Mapping[str, int]
    """Why it did not answer and the next one was believed, by the error's class: BreakerOpen, QuotaExceeded, …"""
    seconds: Seconds | None
    """Of its answers."""


@dataclass(frozen=True)
class ModelStatistics:
    """How one model did; one that is only tried is there too, with nothing believed."""

    task: Task
    provider: str
    model_version: str
    accepted: int
    """Answers that a verdict rests on."""
    alternatives: int
    """Answers that were only compared."""
    probability: float
    """The mean of what it gave its labels, 0 to 1."""
    compared: int
    """Answers whose deposit a person gave a type; of waste_type only."""
    corrected: int
    """Those of them where the person chose another type."""

    @property
    def answers(self) -> int:
        """All of them."""
        return self.accepted + self.alternatives

    @property
    def correction_share(self) -> float | None:
        """How often people chose otherwise, 0 to 1."""
        return share(self.corrected, self.compared)


@dataclass(frozen=True)
class QuotaForecast:
    """Where the calls to one provider stand, and when they will be used up."""

    provider: str
    resource: str
    tier: str
    used: int
    """In the last 30 days."""
    refused: int
    """Calls beside these that the vendor turned away."""
    limit: int | None
    """For any 30 days; None: none."""
    exhausted: bool
    resets_at: datetime | None
    retired_until: datetime | None
    """As in :class:`triof.judging.quota.QuotaUsage`."""
    calls_a_day: float
    """The present pace: the mean of the last 7 days."""
    runs_out_on: date | None
    """The first local day on which nothing would be left at the present pace; None if that does not happen."""
    euros: float
    """The cost of the calls used."""
    euros_in_30_days: float
    """The cost of 30 days at the present pace."""


@dataclass(frozen=True)
class Latest:
    """One deposit of a live list."""

    deposit_id: UUID
    machine_id: str
    at: datetime
    """When it was judged; aware and local."""
    action: str
    reason: str
    waste_type: str | None
    """The label believed; None where nobody could tell."""
    probability: float | None
    cleanliness: str | None
    provider: str | None
    """Who told the type."""
    chosen: str | None
    """What the person said it is."""
    ending: str | None
    """shredded, returned, failed or interrupted; None while it is under way."""
    seconds: float | None
    """From the photo's bytes to the verdict."""
    mode: str
