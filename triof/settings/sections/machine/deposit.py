"""Timeouts of the touchscreen."""

from typing import Self

from pydantic import Field, model_validator

from providers.options import Options


class DepositSettings(Options):
    """Timeouts of the steps of a deposit, in seconds without a touch."""

    idle_seconds: float = Field(60, ge=21)
    """Time without a touch until the item is returned."""
    warning_seconds: float = Field(25, ge=20)
    """Time before that when the employee is asked whether they are still there (EN 301 549: at least 20 s)."""
    return_seconds: float = Field(20, ge=1)
    """Time for which the slot stays open for a returned item."""
    thanks_seconds: float = Field(12, ge=1)

    @model_validator(mode="after")
    def _warns_before_the_end(self) -> Self:
        if self.warning_seconds >= self.idle_seconds:
            raise ValueError("warning_seconds must be less than idle_seconds")
        return self
