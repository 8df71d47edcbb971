"""The settings of Azure Custom Vision."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from providers.base import Allowance, ProviderMisconfigured
from providers.cloud_options import Address, Count, File, Label, Price, Secret, Text, tags_above, unset_if_empty
from providers.custom_vision.entra_options import EntraOptions
from providers.options import CloudOptions
from providers.text_files import decoded

DEFAULT_TAGS: dict[str, Label] = {
    "bouteille": "bottle",
    "gobelet": "cup",
    "couvert": "cutlery",
    "negative": "other",
}

RETIRES_ON = date(2028, 9, 25)
"""From then on Microsoft answers no call."""
_VARIABLE = "TRIOF_CUSTOM_VISION__"
_RESOURCE_ID = r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.CognitiveServices/accounts/[^/]+"


class Tier(NamedTuple):
    """Limits and price of a prediction resource; see docs/guide/azure.md."""

    per_month: int | None
    per_second: int
    euros_per_1000: float


TIERS = {"F0": Tier(10_000, 2, 0.0), "S0": Tier(None, 10, 1.802)}


class TrainingTier(NamedTuple):
    """Limits of a training resource; see docs/guide/azure.md."""

    projects: int
    photos: int
    tags: int
    iterations: int
    hours_per_month: int | None
    per_second: int


TRAINING_TIERS = {"F0": TrainingTier(2, 5_000, 50, 20, 1, 10), "S0": TrainingTier(100, 100_000, 500, 20, None, 10)}
TAGS_TO_TRAIN, PHOTOS_A_TAG, ADVISED_PHOTOS_A_TAG = 2, 5, 50
"""Tags and photos per tag that training needs, and the vendor's recommended photos per tag."""

DOMAINS = {
    "general_compact": "0732100f-1a38-4e49-a514-c9b44c697ab5",
    "general_compact_s1": "a1db07ca-a19a-4830-bae8-e004a42dc863",
}
"""Domains whose models can be exported, so that this machine can run them."""


def _resource_id(value: str) -> str:
    if not re.fullmatch(_RESOURCE_ID, value.strip().rstrip("/"), re.IGNORECASE):
        raise PydanticCustomError(
            "resource_id",
            "Give the Resource ID from the prediction resource's page Properties, which begins with /subscriptions/",
        )
    return value.strip().rstrip("/")


class CustomVisionOptions(CloudOptions):
    """The published model to call, its keys, and the meaning of its tags."""

    prediction_endpoint: Address = None
    """``https://…`` of the prediction resource; plain HTTP only to loopback."""
    prediction_key: Secret = None
    """Not needed with ``entra``."""
    prediction_key_file: File = None
    """A file that contains only the key; read again when the vendor has refused the key."""
    project_id: Annotated[UUID | None, BeforeValidator(unset_if_empty)] = None
    published_name: Text = None
    """The name under which an iteration is published to the prediction resource; case-sensitive."""
    tier: Literal["F0", "S0"] = "F0"
    calls_per_month: Count = None
    """Calls in any 30 days; None: the limit of the tier."""
    calls_per_second: Count = None
    euros_per_1000_calls: Price = None
    store: bool = False
    """Whether the vendor may store the photos for 30 days."""
    tags: Annotated[Mapping[str, Label], BeforeValidator(tags_above(DEFAULT_TAGS))] = DEFAULT_TAGS
    """Maps the vendor's tags to our labels; several tags may have the same label."""
    side: int = Field(360, ge=256, le=4096)
    """Target for the shorter side of a sent photo, in pixels; photos are shrunk from 1.5 times this size on."""
    connect_seconds: float = Field(1.0, gt=0)
    """Connect timeout for one address, in seconds."""
    entra: EntraOptions = EntraOptions()
    """Tokens of Entra ID in place of both keys."""
    training_endpoint: Address = None
    """``https://…`` of the training resource; only ``triof azure`` needs it."""
    training_key: Secret = None
    training_key_file: File = None
    prediction_resource_id: Annotated[
        Annotated[str, AfterValidator(_resource_id)] | None, BeforeValidator(unset_if_empty)
    ] = None
    """The ARM id of the prediction resource to which models are published."""
    training_tier: Literal["F0", "S0"] = "F0"
    training_calls_per_second: Count = None
    """Calls per second; None: the limit of the tier. Lowered automatically when the vendor refuses calls."""
    training_timeout_seconds: float = Field(120.0, gt=0)
    """Timeout of one call of the training API, in seconds; it may upload 6 MB of photos over bad Wi-Fi."""
    training_batch_bytes: int = Field(1_000_000, ge=1)
    """Bytes of photos in one upload; on a slow network a larger one exceeds its timeout."""
    training_side: int = Field(800, ge=256, le=4096)
    """Upper target for the shorter side of an uploaded photo, in pixels."""
    poll_seconds: float = Field(5.0, ge=0)
    """Seconds between checks whether a training or an export has finished."""
    domain: Literal["general_compact", "general_compact_s1"] = "general_compact"
    euros_per_training_hour: float = Field(9.007, ge=0)
    euros_per_1000_photos_a_month: float = Field(0.631, ge=0)

    @property
    def is_set(self) -> bool:
        """Whether any setting names a prediction resource."""
        wanted = (self.prediction_endpoint, self.prediction_key, self.prediction_key_file)
        # A project to train exists long before a published model does.
        trained = () if self.training_endpoint else (self.project_id, self.published_name)
        return any(value is not None for value in (*wanted, *trained))

    @property
    def remedy(self) -> str:
        """Name the variables to set."""
        return f"set {', '.join(self._missing())} as docs/guide/azure.md tells"

    @property
    def retires_on(self) -> date:
        """The day that Microsoft has named."""
        return RETIRES_ON

    @property
    def without_service(self) -> str:
        """Name the commands that bring the models and the photos home."""
        return (
            "bring everything home with `triof azure backup DIR` while the service answers, then turn to"
            " `triof mode local`; step 7 of docs/guide/azure.md tells the rest"
        )

    def check(self) -> tuple[str, str | EntraOptions, str, str]:
        """Return endpoint, key or identity, project id and published name. Raises ProviderMisconfigured."""
        if self._missing():
            raise ProviderMisconfigured(f"Azure Custom Vision is partly configured: {self.remedy}, or unset the rest.")
        key = self.entra if self.entra.kind else _key("prediction", self.prediction_key, self.prediction_key_file)
        return str(self.prediction_endpoint), key, str(self.project_id), str(self.published_name)

    def check_training(self) -> tuple[str, str | EntraOptions]:
        """Return endpoint and key, or identity, of the training resource. Raises ProviderMisconfigured."""
        if not self.training_endpoint or not (self.training_key or self.training_key_file or self.entra.kind):
            raise ProviderMisconfigured(
                f"There is no training resource: set {_VARIABLE}TRAINING_ENDPOINT and {_VARIABLE}TRAINING_KEY as"
                " docs/guide/azure.md tells."
            )
        return self.training_endpoint, self.entra if self.entra.kind else _key(
            "training", self.training_key, self.training_key_file
        )

    def rehearsed(self, endpoint: str) -> Self:
        """Return these settings with ``endpoint`` on this machine and an invalid key."""
        nothing = {"prediction_key_file": None, "training_key": None, "entra": EntraOptions()}
        here = {"prediction_endpoint": endpoint, "prediction_key": SecretStr("rehearsal")}
        return self.model_copy(update={**here, **nothing})

    @property
    def allowance(self) -> Allowance:
        """The limits of the settings, or else those of the tier."""
        tier = TIERS[self.tier]
        return Allowance(
            resource=urlsplit(self.prediction_endpoint or "").netloc.removesuffix(":443"),
            tier=self.tier,
            per_month=self.calls_per_month or tier.per_month,
            per_second=self.calls_per_second or tier.per_second,
            euros_per_1000=tier.euros_per_1000 if self.euros_per_1000_calls is None else self.euros_per_1000_calls,
        )

    def _missing(self) -> list[str]:
        needed = {
            "PREDICTION_ENDPOINT": self.prediction_endpoint,
            "PREDICTION_KEY": self.prediction_key or self.prediction_key_file or self.entra.kind,
            "PROJECT_ID": self.project_id,
            "PUBLISHED_NAME": self.published_name,
        }
        return [_VARIABLE + name for name, value in needed.items() if value is None]


def _key(name: str, secret: SecretStr | None, file: Path | None) -> str:
    """Return the key. Raises ProviderMisconfigured."""
    key = (secret.get_secret_value() if secret else _read_key(name, file)).strip()
    # The HTTP library refuses other characters with a message that quotes the key.
    if not key or not all("!" <= character <= "~" for character in key):
        raise ProviderMisconfigured(
            f"The {name} key is no key: copy the letters and digits of the Azure portal, nothing around them."
        )
    return key


def _read_key(name: str, file: Path | None) -> str:
    try:
        return decoded(Path(str(file)).read_bytes())
    except OSError as error:
        raise ProviderMisconfigured(
            f"The key file {file} cannot be read ({error.strerror}): give it to this user, or mend"
            f" custom_vision.{name}_key_file."
        ) from None
    except UnicodeDecodeError:
        return ""  # the error would quote the file's content
