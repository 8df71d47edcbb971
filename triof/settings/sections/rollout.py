"""Limits of the comparison between a candidate and production."""

from typing import Annotated

from pydantic import Field

from providers.options import Options

Share = Annotated[float, Field(gt=0, lt=1)]


class RolloutSettings(Options):
    """When a candidate counts as better, as no better, and when it is rolled back at once."""

    alpha: Share = 0.05
    """Probability of calling a candidate better, or worse, that is not, over all looks at the comparison."""
    power: Share = 0.8
    """Probability of detecting ``smallest_difference``; determines the number of deposits that are needed."""
    smallest_difference: Share = 0.02
    """Of accuracy; less is not worth a change."""
    error_rate: Share = 0.1
    """A candidate that fails more often is rolled back."""
    least_asked: int = Field(20, ge=1)
    """Number of predictions before errors or times count."""
    latency_ratio: float = Field(2.0, gt=1)
    """A candidate whose p95 exceeds this multiple of production's is rolled back, ..."""
    slow_seconds: float = Field(0.1, ge=0)
    """... unless its p95 is within this, which nobody notices."""
