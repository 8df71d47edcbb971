"""Durations in buckets that are the same for every day and machine, so that histograms add up.

A bucket is about a tenth wider than the one before: what is read from it is right within 5 %.
"""

import math
from collections.abc import Mapping

from triof.statistics.results import Seconds

_SHORTEST_SECONDS = 0.001
_BUCKETS_PER_DECADE = 24


def bucket(seconds: float) -> int:
    """The number of the bucket; 0 for a millisecond or less."""
    if seconds <= _SHORTEST_SECONDS:
        return 0
    return math.ceil(_BUCKETS_PER_DECADE * math.log10(seconds / _SHORTEST_SECONDS))


def read(buckets: Mapping[int, int]) -> Seconds | None:
    """What is known of durations of which each bucket holds so many; None of none."""
    count = sum(buckets.values())
    if not count:
        return None
    return Seconds(count, *(_quantile(buckets, share * count) for share in (0.5, 0.95, 0.99)))


def _quantile(buckets: Mapping[int, int], rank: float) -> float:
    """The middle of the bucket that holds the duration of this rank."""
    below = 0
    for number in sorted(buckets):
        below += buckets[number]
        if below >= rank:
            break
    return _SHORTEST_SECONDS * 10 ** ((number - 0.5) / _BUCKETS_PER_DECADE) if number else _SHORTEST_SECONDS
