"""Thresholds of the circuit breaker."""

from typing import Annotated

from pydantic import Field

from providers.options import Options

Rate = Annotated[float, Field(gt=0, le=1)]


class BreakerSettings(Options):
    """When to stop calling a provider in the cloud, and when to try again."""

    window_calls: int = Field(10, ge=1)
    """Number of latest calls from which the rates are computed ..."""
    minimum_calls: int = Field(3, ge=1)
    """... once there are at least this many."""
    failure_rate: Rate = 0.6
    """Share of failed calls from which it opens."""
    slow_seconds: float = Field(1.2, gt=0)
    """An answer that takes longer counts as slow."""
    slow_rate: Rate = 0.8
    """Share of slow and failed calls from which it opens."""
    open_seconds: float = Field(30, gt=0)
    """Time until the first probe."""
    longest_open_seconds: float = Field(300, gt=0)
    """Each probe that fails doubles the time until the next one, up to this."""
    closing_probes: int = Field(2, ge=1)
    """Number of probes in a row that must be answered before it closes."""
