"""How long the touchscreen waits for a person."""

from typing import Self

from pydantic import Field, model_validator

from providers.options import Options


class DepositSettings(Options):
    """How long a step of a deposit may last without a touch, in seconds."""

    idle_seconds: float = Field(60, ge=21)
    """Then the item is handed back."""
    warning_seconds: float = Field(25, ge=20)
    """How long before that the person is asked whether they are still there (EN 301 549: 20 s at least)."""
    return_seconds: float = Field(20, ge=1)
    """How long the slot stays open for an item handed back."""
    thanks_seconds: float = Field(12, ge=1)

    @model_validator(mode="after")
    def _warns_before_the_end(self) -> Self:
        if self.warning_seconds >= self.idle_seconds:
            raise ValueError("warning_seconds must be less than idle_seconds")
        return self
