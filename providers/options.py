"""The base classes and types of all settings."""

from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

_LARGEST = 1e9


class Options(BaseModel):
    """Frozen settings that refuse unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _names_a_path(cls, value: Any, info: ValidationInfo) -> Any:
        # Path("") would be the current folder, which an empty variable never means.
        if value == "" and info.field_name and _is_path(cls.model_fields[info.field_name]):
            raise PydanticCustomError("empty", "Name a file or folder, or leave it unset")
        return value

    @field_validator("*")
    @classmethod
    def _can_be_counted_with(cls, value: Any) -> Any:
        # Timers and dates overflow with larger numbers, but only when they are used.
        if isinstance(value, float) and abs(value) > _LARGEST:
            raise PydanticCustomError("too_large", "Input should be at most {largest}", {"largest": f"{_LARGEST:g}"})
        return value


def _is_path(field: FieldInfo) -> bool:
    # A field with its own validator decides what an empty value means.
    return not field.metadata and (field.annotation is Path or Path in get_args(field.annotation))


class CloudOptions(Options):
    """Settings of a provider in the cloud, which is optional."""

    @property
    def is_set(self) -> bool:
        """Whether any setting of this provider is given: partial settings are an error, none disable it."""
        raise NotImplementedError

    @property
    def remedy(self) -> str:
        """How to enable the provider on a machine without it."""
        raise NotImplementedError

    @property
    def retires_on(self) -> date | None:
        """The day on which the vendor switches the service off, if it has named one."""
        return None

    @property
    def without_service(self) -> str:
        """What to do when the service is retired, or soon will be."""
        return "take it out of the routes, or turn to `triof mode local`"

    def rehearsed(self, endpoint: str) -> Self:
        """Return the settings for a drill: ``endpoint`` replaces the cloud, and no secret is sent to it."""
        raise NotImplementedError


def is_loopback(host: str | None) -> bool:
    """Return whether ``host`` is a loopback address or localhost."""
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def _split(value: Any) -> Any:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Any number of names, separated by commas in an environment variable or a flag."""
Names = Annotated[Listed, Field(min_length=1)]
"""The same, with at least one name."""
