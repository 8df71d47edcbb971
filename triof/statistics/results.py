"""Results of the journal's statistics; every number leaves drills out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from providers.base import Task


def share(part: int, whole: int) -> float | None:
    """Return ``part / whole``; None if ``whole`` is 0."""
    return part / whole if whole else None


@dataclass(frozen=True)
class Seconds:
    """The 50th, 95th and 99th percentile of durations, in seconds, accurate to 5 %."""

    count: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Totals:
    """Totals of the deposits in a scope; each step counts at its own time.

    Mappings have no zero counts.
    """

    opened: int
    """How often the slot was opened for a deposit."""
    judged: int
    """Deposits with a verdict."""
    actions: Mapping[str, int]
    """Verdicts by action: accept, ask, refuse."""
    reasons: Mapping[str, int]
    """Verdicts by reason: sure, unsure_type, dirty, other, …"""
    seen: Mapping[str, int]
    """Accepted labels of waste_type; deposits without an answer are missing."""
    confirmed: int
    """How often an employee chose a type."""
    compared: int
    """Confirmations where the machine had a prediction."""
    corrected: int
    """Confirmations that differ from the prediction."""
    shredded: Mapping[str, int]
    """Shredded items, by type."""
    returned: Mapping[str, int]
    """Returned items, by reason: other, dirty, cancelled, timed_out, taken_back."""
    failed: Mapping[str, int]
    """Failed deposits, by the jammed part, or the fault."""
    interrupted: int
    """Deposits interrupted by a stop or a crash."""
    cloud: int
    """Types predicted by a cloud provider."""
    local: int
    """Types predicted by this machine."""
    seconds: Seconds | None
    """Durations from the photo's bytes to the verdict."""

    @property
    def items(self) -> int:
        """The number of shredded items."""
        return sum(self.shredded.values())

    @property
    def dirty_share(self) -> float | None:
        """Share of verdicts that refused dirt, 0 to 1."""
        return share(self.reasons.get("dirty", 0), self.judged)

    @property
    def correction_share(self) -> float | None:
        """Share of confirmations that differ from the prediction, 0 to 1."""
        return share(self.corrected, self.compared)


@dataclass(frozen=True)
class Day:
    """One local day; ``complete`` is False if the scope holds a part of it, or it is not over."""

    day: date
    complete: bool
    totals: Totals


@dataclass(frozen=True)
class Hour:
    """One hour from ``at``, which is aware and local."""

    at: datetime
    totals: Totals


@dataclass(frozen=True)
class Response:
    """The responses of one provider for one task."""

    task: Task
    provider: str
    cloud: bool
    questions: int
    """Number of calls, answered or failed, without skipped ones."""
    answered: int
    accepted: int
    """Predictions used for the verdict."""
    skipped: int
    """Calls skipped because this machine was sure enough."""
    failures: Mapping[str, int]
    """Failures before a fall-back, by error class: BreakerOpen, QuotaExceeded, …"""
    seconds: Seconds | None
    """Of its answers."""


@dataclass(frozen=True)
class ModelStatistics:
    """The figures of one model; a candidate's may have no accepted predictions."""

    task: Task
    provider: str
    model_version: str
    accepted: int
    """Predictions used for a verdict."""
    alternatives: int
    """Predictions used for comparison only."""
    probability: float
    """Mean probability of its predicted labels, 0 to 1."""
    compared: int
    """Predictions with a confirmed type; waste_type only."""
    corrected: int
    """Of these, the corrected ones."""

    @property
    def answers(self) -> int:
        """The number of predictions."""
        return self.accepted + self.alternatives

    @property
    def correction_share(self) -> float | None:
        """Share of corrected predictions, 0 to 1."""
        return share(self.corrected, self.compared)


@dataclass(frozen=True)
class QuotaForecast:
    """Usage and forecast of one provider's quota."""

    provider: str
    resource: str
    tier: str
    used: int
    """Calls in the last 30 days."""
    refused: int
    """Further calls that the vendor rejected."""
    limit: int | None
    """Calls allowed in any 30 days; None: no limit."""
    exhausted: bool
    resets_at: datetime | None
    retired_until: datetime | None
    """As in :class:`triof.judging.quota.QuotaUsage`."""
    calls_a_day: float
    """Calls a day, mean of the last 7 days."""
    runs_out_on: date | None
    """The first local day without calls left at this pace; None if there is none."""
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
    """Time of judging; aware and local."""
    action: str
    reason: str
    waste_type: str | None
    """The accepted label; None without an answer."""
    probability: float | None
    cleanliness: str | None
    provider: str | None
    """The provider of the type."""
    chosen: str | None
    """The type that the employee chose."""
    ending: str | None
    """shredded, returned, failed or interrupted; None while it is open."""
    seconds: float | None
    """Durations from the photo's bytes to the verdict."""
    mode: str
