"""The settings of Amazon Rekognition Custom Labels."""

from collections.abc import Mapping
from typing import Annotated, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from providers.base import TASKS, Allowance, ProviderMisconfigured, Task
from providers.cloud_options import Address, Count, Label, tags_above, unset_if_empty
from providers.options import CloudOptions
from providers.rekognition.opening_hours import OpeningHours

DEFAULT_TAGS: dict[str, Label] = {
    "bouteille": "bottle",
    "gobelet": "cup",
    "couvert": "cutlery",
    "negative": "other",
    "propre": "clean",
    "sale": "dirty",
}
_VARIABLE = "TRIOF_REKOGNITION__"
_WEEKS_A_MONTH = 52 / 12


class VersionArn(NamedTuple):
    """The parts of the ARN of a trained version of a model (a "project version")."""

    text: str
    region: str
    account: str
    project: str
    version: str


def parsed(arn: str) -> VersionArn:
    """Parse the ARN of a version of a model. Raises ValueError."""
    start, partition, service, region, account, rest = arn.split(":", 5)
    kind, project, word, version, number = rest.split("/")
    if (start, service, kind, word) != ("arn", "rekognition", "project", "version") or not partition.startswith("aws"):
        raise ValueError("no version of a model")
    if not (region and project and version and account.isdecimal() and len(account) == 12 and number.isdecimal()):
        raise ValueError("a part is missing")
    return VersionArn(arn, region, account, project, version)


def _is_arn(value: str) -> str:
    try:
        return parsed(value.strip()).text
    except ValueError as error:
        raise PydanticCustomError(
            "arn", "Give the ARN of the model's version, as arn:aws:rekognition:REGION:ACCOUNT:project/…/version/…/…"
        ) from error


Arn = Annotated[Annotated[str, AfterValidator(_is_arn)] | None, BeforeValidator(unset_if_empty)]


class RekognitionOptions(CloudOptions):
    """The trained versions to call, the meaning of their labels, and when they run."""

    waste_type: Arn = None
    """The ARN of the version that tells the waste type."""
    cleanliness: Arn = None
    """The ARN of the version that tells the cleanliness; may be the same."""
    endpoint: Address = None
    """``https://…`` of a VPC endpoint; None: the public one of the region. Plain HTTP only to loopback."""
    tags: Annotated[Mapping[str, Label], BeforeValidator(tags_above(DEFAULT_TAGS))] = DEFAULT_TAGS
    """Maps the labels of the models to ours; several may mean the same."""
    calls_per_month: Count = None
    """Calls in any 30 days; None: no limit, as the vendor has none."""
    calls_per_second: Count = 5
    """Calls per second; what an inference unit manages depends on the model."""
    inference_units: int = Field(1, ge=1)
    """Units with which a model is started; each is paid."""
    euros_per_hour: float = Field(4.0, ge=0)
    """Price of one inference unit for an hour."""
    side: int = Field(360, ge=64, le=4096)
    """Target for the shorter side of a sent photo, in pixels; photos are shrunk from 1.5 times this size on."""
    connect_seconds: float = Field(1.0, gt=0)
    """Connect timeout for one address, in seconds."""
    hours: OpeningHours = OpeningHours()
    """When the models are to run, in ``reports.timezone``."""
    lead_minutes: float = Field(20, ge=0, le=120)
    """A model is started so many minutes before the hours begin, as that takes a while."""

    @model_validator(mode="after")
    def _are_of_one_account(self) -> Self:
        if len({(arn.region, arn.account) for arn in map(parsed, self.versions)}) > 1:
            raise PydanticCustomError("arn", "Both versions have to be of one account and region")
        return self

    @property
    def versions(self) -> list[str]:
        """The distinct ARNs."""
        return list(dict.fromkeys(arn for arn in (self.waste_type, self.cleanliness) if arn))

    @property
    def is_set(self) -> bool:
        """Whether any setting names a model."""
        return bool(self.versions)

    @property
    def remedy(self) -> str:
        """Name the variables to set."""
        return f"set {_VARIABLE}WASTE_TYPE or {_VARIABLE}CLEANLINESS as docs/guide/rekognition.md tells"

    def check(self, task: Task) -> VersionArn:
        """Return the version that answers ``task``. Raises ProviderMisconfigured if there is none."""
        chosen = dict(zip(TASKS, (self.waste_type, self.cleanliness), strict=True))[task]
        if not chosen:
            raise ProviderMisconfigured(
                f"No Rekognition model answers {task}: set {_VARIABLE}{task.upper()} to the ARN of its version, or take"
                f" rekognition out of routes.{task}."
            )
        return parsed(chosen)

    def rehearsed(self, endpoint: str) -> Self:
        """Return these settings with ``endpoint`` on this machine, to which no real credentials are sent."""
        return self.model_copy(update={"endpoint": endpoint})

    @property
    def allowance(self) -> Allowance:
        """The limits of the settings; a call itself costs nothing."""
        version = parsed(self.versions[0]) if self.versions else None
        host = urlsplit(self.endpoint).netloc if self.endpoint else f"rekognition.{version.region if version else ''}"
        return Allowance(
            resource=f"{host}/{version.account if version else ''}",
            tier="custom labels",
            per_month=self.calls_per_month,
            per_second=self.calls_per_second,
            euros_per_1000=0.0,
            is_paid_by_the_hour=True,
        )

    def euros_a_month(self, hours_a_week: float) -> float:
        """Return what all models cost that run so many hours a week."""
        return len(self.versions) * self.inference_units * self.euros_per_hour * hours_a_week * _WEEKS_A_MONTH
