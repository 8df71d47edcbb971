"""What one person's items and those of this month became, for the thanks."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from providers.event_log import get_logger
from triof.statistics.queries import Statistics
from triof.statistics.recycling import recycled

log = get_logger(__name__)


@dataclass(frozen=True)
class Contribution:
    """Metres of filament, as in the monthly report."""

    items: int
    metres: float
    """Of the ``items``."""
    metres_of_month: float | None
    """Of all items since the first of the month; None if that is not more, or cannot be read."""


def contribution(statistics: Statistics, given: Mapping[str, int]) -> Contribution:
    """Return what the items ``given``, counted by type, became; a failing database is logged."""
    metres = recycled(given, statistics.settings).total_metres
    try:
        of_month = statistics.recycled(statistics.this_month()).total_metres
    except SQLAlchemyError as error:
        log.warning("contribution.not_counted", cause=error)
        of_month = 0.0
    return Contribution(sum(given.values()), metres, of_month if of_month > metres else None)
