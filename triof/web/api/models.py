"""Response models: each version selects its fields from an outcome (``triof/predictions/results.py``).

The OpenAPI document is generated from these models, so it cannot differ from the responses.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from providers.base import LABELS
from triof.judging.verdict import Action, Reason

_TYPES, _CLEANLINESS = (" or ".join(LABELS[task]) for task in ("waste_type", "cleanliness"))

Probability = Annotated[float, Field(ge=0, le=1, description="From 0 to 1.")]
Seconds = Annotated[float, Field(ge=0, description="Seconds.")]


class ApiModel(BaseModel):
    """Base of the models; drops the fields of an outcome that a version does not have."""

    model_config = ConfigDict(frozen=True)


class LabelV1(ApiModel):
    """The prediction for one task."""

    label: str
    probability: Probability
    scores: Mapping[str, Probability] = Field(description="The probability of every label; together 1.")


class LabelV2(LabelV1):
    """The prediction for one task, and the provider that made it."""

    provider: str = Field(description="The provider that answered, such as custom_vision or local_cnn.")
    model_version: str


class PredictionV1(ApiModel):
    """What a photo shows. A task that no provider answered is null."""

    id: UUID
    waste_type: LabelV1 | None = Field(description=f"{_TYPES}.")
    cleanliness: LabelV1 | None = Field(description=f"{_CLEANLINESS}.")


class VerdictV1(ApiModel):
    """What the machine would do with the item, and why."""

    action: Action
    label: str | None = Field(description="What the machine is sure to see; null where it is not sure.")
    reason: Reason = Field(
        description="Accepted as sure; asked about as unsure_type, unsure_cleanliness, type_not_answered,"
        " cleanliness_not_answered or unfamiliar (like nothing that the model has learned); refused as other, dirty,"
        " nothing_seen (an empty slot) or reaches_out (of the picture)."
    )


class AttemptV2(ApiModel):
    """One call to one provider."""

    provider: str
    outcome: str = Field(description="answered, spared (not needed), or the name of an error.")
    duration: Seconds
    message: str


class Attempts(ApiModel):
    """The attempts of each task, in order."""

    waste_type: tuple[AttemptV2, ...]
    cleanliness: tuple[AttemptV2, ...]


class PredictionV2(ApiModel):
    """What a photo shows, the verdict, and the attempts. A task that no provider answered is null."""

    id: UUID
    waste_type: LabelV2 | None = Field(description=f"{_TYPES}.")
    cleanliness: LabelV2 | None = Field(description=f"{_CLEANLINESS}.")
    verdict: VerdictV1
    attempts: Attempts
    duration: Seconds


class Problem(ApiModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Where the problem is explained.")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What happened this time, and what to do.")
    instance: str = Field(description="Identifies this occurrence; the log has server errors under it.")
    code: str = Field(description="Machine-readable name of the problem.")
    attempts: Attempts | None = Field(
        None, description="The attempts, where no provider answered.", exclude_if=lambda attempts: attempts is None
    )


class ItemV1(ApiModel):
    """The result for one photo of a batch: a prediction or a problem."""

    prediction: PredictionV1 | None
    problem: Problem | None


class ItemV2(ApiModel):
    """The result for one photo of a batch: a prediction or a problem."""

    prediction: PredictionV2 | None
    problem: Problem | None


class BatchV1(ApiModel):
    """The result for each photo, in the order in which they were sent."""

    items: tuple[ItemV1, ...]


class BatchV2(ApiModel):
    """The result for each photo, in the order in which they were sent."""

    items: tuple[ItemV2, ...]


class JobV2(ApiModel):
    """An asynchronous prediction, to be fetched later."""

    id: UUID
    status: Literal["running", "succeeded", "failed"]
    created_at: datetime
    finished_at: datetime | None
    prediction: PredictionV2 | None = Field(description="Once it has succeeded.")
    problem: Problem | None = Field(description="Once it has failed.")


class ProviderStanding(ApiModel):
    """The state of one provider of a route."""

    name: str
    needs_network: bool
    model_version: str | None = Field(description="The model in use; null if only predictions name it.")
    breaker: Literal["closed", "open", "half_open"] | None = Field(
        description="open: not called until the cooldown ends."
    )
    problem: str | None = Field(description="Why it cannot answer now; checked at most every 15 seconds.")


class Routes(ApiModel):
    """The providers of each task, in order."""

    waste_type: tuple[ProviderStanding, ...]
    cleanliness: tuple[ProviderStanding, ...]


class Quota(ApiModel):
    """Calls to a vendor in the last 30 days."""

    provider: str
    used: int
    limit: int | None
    remaining: int | None
    exhausted: bool
    resets_at: datetime | None


class MachineCheck(ApiModel):
    """The result of one health check, at most five seconds old."""

    name: str
    status: Literal["ok", "warning", "failed"]
    message: str
    remedy: str = Field(description="What to do; empty if the message says it.")


class Machine(ApiModel):
    """The state of the machine."""

    machine_id: str
    version: str
    mode: Literal["auto", "cloud", "local"]
    routes: Routes
    quotas: tuple[Quota, ...]
    queue: int = Field(ge=0, description="Photos that wait to be judged.")
    ready: bool = Field(description="Whether a photo could be judged now, as /readyz says.")
    checks: tuple[MachineCheck, ...] = Field(description="The result of every health check.")


class Summary(ApiModel):
    """Deposit counts of a period, first and last day included, in the machine's time zone, without drills."""

    since: date
    until: date
    machines: tuple[str, ...]
    judged: int = Field(description="Items that were photographed and judged.")
    verdicts: Mapping[str, int] = Field(description="By action: accept, ask, refuse.")
    shredded: Mapping[str, int] = Field(description="Shredded items by type.")
    returned: Mapping[str, int] = Field(description="Items handed back, by reason.")
    dirty_share: Probability | None
    correction_share: Probability | None = Field(description="How often people chose another type than the machine's.")
