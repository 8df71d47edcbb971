"""What all settings share."""

from ipaddress import ip_address
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Options(BaseModel):
    """Settings that cannot be changed, nor hold a name that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CloudOptions(Options):
    """Settings of a provider in the cloud, which a machine may do without."""

    @property
    def is_set(self) -> bool:
        """Whether anybody wants this provider; one that is set by half is a mistake, one that is not is left out."""
        raise NotImplementedError

    @property
    def remedy(self) -> str:
        """What to do in order to have it, for a machine that has not."""
        raise NotImplementedError

    def rehearsed(self, endpoint: str) -> Self:
        """The same settings for a drill: ``endpoint`` is asked instead of the cloud, and no secret goes there."""
        raise NotImplementedError


def is_loopback(host: str | None) -> bool:
    """Whether ``host`` is this machine, by its address or as localhost."""
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def _split(value: Any) -> Any:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Any number of names; in an environment variable or a flag they are separated by commas."""
Names = Annotated[Listed, Field(min_length=1)]
"""The same, one name at least."""
