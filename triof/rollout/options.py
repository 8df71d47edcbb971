"""The settings of a comparison between a candidate and production."""

from typing import Annotated

from pydantic import Field

from providers.options import Options

Share = Annotated[float, Field(gt=0, lt=1)]


class RolloutSettings(Options):
    """When a candidate is better, when it is not, and when it is sent away at once."""

    alpha: Share = 0.05
    """How often a candidate that is no better may be called better, however often anybody looks; and likewise worse."""
    power: Share = 0.8
    """How often one better by ``smallest_difference`` is to be found out; fixes how many deposits are needed."""
    smallest_difference: Share = 0.02
    """In accuracy; less is not worth a change."""
    error_rate: Share = 0.1
    """A candidate that fails more often than this is sent away."""
    least_asked: int = Field(20, ge=1)
    """So many questions must have been asked before errors or times count."""
    latency_ratio: float = Field(2.0, gt=1)
    """A candidate whose p95 is more than so many times production's is sent away, ..."""
    slow_seconds: float = Field(0.1, ge=0)
    """... unless its p95 is within this, which nobody notices."""
