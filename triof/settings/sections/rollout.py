"""Limits of the comparison between a candidate and production."""

from typing import Annotated

from pydantic import Field

from providers.options import Options

Share = Annotated[float, Field(gt=0, lt=1)]


class RolloutSettings(Options):
    """When a candidate counts as better, as not better, and when it is rolled back."""

    alpha: Share = 0.05
    """Probability of wrongly calling a candidate better or worse, over all checks of the comparison."""
    power: Share = 0.8
    """Probability of detecting ``smallest_difference``; determines the number of deposits needed."""
    smallest_difference: Share = 0.02
    """Smallest difference of accuracy that justifies a change."""
    error_rate: Share = 0.1
    """Share of failed calls above which a candidate is rolled back."""
    least_asked: int = Field(20, ge=1)
    """Minimum number of predictions before errors or durations count."""
    latency_ratio: float = Field(2.0, gt=1)
    """Multiple of production's 95th percentile duration above which a candidate is rolled back, ..."""
    slow_seconds: float = Field(0.1, ge=0)
    """... unless its 95th percentile duration is within this, which is not noticeable."""
