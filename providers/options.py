"""What all settings share."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

_LARGEST = 1e9


class Options(BaseModel):
    """Settings that cannot be changed, nor hold a name that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _names_a_path(cls, value: Any, info: ValidationInfo) -> Any:
        # Path("") would be the current folder, which nobody means by an empty variable.
        if value == "" and info.field_name and _is_path(cls.model_fields[info.field_name]):
            raise PydanticCustomError("empty", "Name a file or folder, or leave it unset")
        return value

    @field_validator("*")
    @classmethod
    def _can_be_counted_with(cls, value: Any) -> Any:
        # No clock and no calendar can wait for so long, and the system says so only when it is asked to.
        if isinstance(value, float) and abs(value) > _LARGEST:
            raise PydanticCustomError("too_large", "Input should be at most {largest}", {"largest": f"{_LARGEST:g}"})
        return value


def _is_path(field: FieldInfo) -> bool:
    # A field with a validator of its own says itself what an empty value means.
    return not field.metadata and (field.annotation is Path or Path in get_args(field.annotation))


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
