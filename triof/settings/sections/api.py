"""Limits and dates of the API."""

from datetime import date
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from providers.options import Options

BATCH = 16
"""Largest number of photos in one request."""


def _split(value: object) -> object:
    return (
        [origin.strip().rstrip("/") for origin in value.split(",") if origin.strip()]
        if isinstance(value, str)
        else value
    )


class ApiSettings(Options):
    """Limits and dates of the API."""

    per_minute: int = Field(120, ge=BATCH, le=1_000_000)
    """Photos and questions per minute and key, unless the key has its own limit."""
    batch_bytes: int = Field(80_000_000, ge=1)
    """Largest size of a request with several photos."""
    batch_seconds: float = Field(30, gt=0)
    """Deadline of a batch; photos that are not started by then are not judged."""
    queue_length: int = Field(100, ge=1)
    """Capacity of the queue of photos; further ones are refused."""
    result_days: float = Field(7, gt=0, le=36_500)
    """Retention of predictions and idempotency keys."""
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    """Origins (``https://erp.example``) whose web pages may use the API; none by default."""
    v1_deprecated_on: date | None = None
    v1_sunset_on: date | None = None

    @model_validator(mode="after")
    def _ages_before_it_ends(self) -> Self:
        if self.v1_deprecated_on and self.v1_sunset_on and self.v1_sunset_on < self.v1_deprecated_on:
            raise ValueError("v1_sunset_on must not be before v1_deprecated_on")
        return self
