"""Thresholds of the verdict."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from providers.costs import Costs
from providers.options import Options

Probability = Annotated[float, Field(ge=0, le=1)]


class Policy(Options):
    """Probability from which a label is accepted.

    The thresholds weigh a wrong accept, which spoils a spool of filament, against a wrong refusal, which annoys one
    employee. A label without an entry in ``thresholds`` takes the threshold of its model,
    chosen on validation photos, or ``default_threshold`` if the model has none.
    """

    default_threshold: Probability = 0.8
    costs: Costs = Costs()
    """Costs by which `triof train` chooses the thresholds of a bundle."""
    thresholds: Mapping[Literal["bottle", "cup", "cutlery", "other", "clean", "dirty"], Probability] = {}
