"""Types of settings that the providers in the cloud share: addresses, secrets, limits, and tables of tags."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from providers.options import is_loopback
from providers.text_files import plain

Label = Literal["bottle", "cup", "cutlery", "other", "clean", "dirty"]


def unset_if_empty(value: Any) -> Any:
    """Return None for an empty value."""
    # A .env template lists every variable, most of them empty.
    return None if value == "" else value


def _endpoint(value: str) -> str:
    parts = _split(value.strip())
    if not parts or parts.scheme not in ("https", "http") or parts.query or parts.fragment:
        raise PydanticCustomError(
            "endpoint", "Give the address of the resource, such as https://NAME.cognitiveservices.azure.com"
        )
    if parts.path.strip("/"):
        raise PydanticCustomError("endpoint", "Give the endpoint only, without what comes after the host")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise PydanticCustomError("endpoint", "Use https: a key sent by plain http can be read on the way")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _split(address: str) -> SplitResult | None:
    """Split an address; None unless its host is a host name and an optional port."""
    try:
        parts = urlsplit(address)
        return parts if parts.hostname and parts.port != 0 and not re.search(r"[@\s]", parts.netloc) else None
    except ValueError:  # an invalid port or unbalanced brackets
        return None


def tags_above(defaults: Mapping[str, Label]) -> Callable[[Any], Any]:
    """Return a validator that merges a table into ``defaults``; names are compared as :func:`plain` writes them."""

    def merged(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {**defaults, **{plain(str(tag)): label for tag, label in value.items()}}

    return merged


Address = Annotated[Annotated[str, AfterValidator(_endpoint)] | None, BeforeValidator(unset_if_empty)]
Secret = Annotated[SecretStr | None, BeforeValidator(unset_if_empty)]
File = Annotated[Path | None, BeforeValidator(unset_if_empty)]
Text = Annotated[str | None, BeforeValidator(unset_if_empty)]
Count = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(unset_if_empty)]
Price = Annotated[Annotated[float, Field(ge=0)] | None, BeforeValidator(unset_if_empty)]
