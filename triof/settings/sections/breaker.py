"""Thresholds of the circuit breaker."""

from typing import Annotated

from pydantic import Field

from providers.options import Options

Rate = Annotated[float, Field(gt=0, le=1)]


class BreakerSettings(Options):
    """When the breaker of a cloud provider opens, and when it probes."""

    window_calls: int = Field(10, ge=1)
    """Number of latest calls from which the rates are computed."""
    minimum_calls: int = Field(3, ge=1)
    """Minimum number of calls before the rates count."""
    failure_rate: Rate = 0.6
    """Share of failed calls at which the breaker opens."""
    slow_seconds: float = Field(1.2, gt=0)
    """Duration above which an answer counts as slow."""
    slow_rate: Rate = 0.8
    """Share of slow and failed calls at which the breaker opens."""
    open_seconds: float = Field(30, gt=0)
    """Time until the first probe."""
    longest_open_seconds: float = Field(300, gt=0)
    """Upper limit of the time between probes, which doubles after each failed probe."""
    closing_probes: int = Field(2, ge=1)
    """Number of consecutive successful probes that close the breaker."""
