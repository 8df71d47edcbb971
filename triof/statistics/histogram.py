"""Histograms of durations with fixed buckets, so that those of days and machines can be added.

Each bucket is about a tenth wider than the one before, so that quantiles are accurate to 5 %.
"""

import math
from collections.abc import Mapping

from triof.statistics.results import Seconds

_SHORTEST_SECONDS = 0.001
_BUCKETS_PER_DECADE = 24


def bucket(seconds: float) -> int:
    """Return the bucket number of a duration; 0 for a millisecond or less."""
    if seconds <= _SHORTEST_SECONDS:
        return 0
    return math.ceil(_BUCKETS_PER_DECADE * math.log10(seconds / _SHORTEST_SECONDS))


def read(buckets: Mapping[int, int]) -> Seconds | None:
    """Return the quantiles of bucket counts; None if all are empty."""
    count = sum(buckets.values())
    if not count:
        return None
    return Seconds(count, *(_quantile(buckets, share * count) for share in (0.5, 0.95, 0.99)))


def middle(number: int) -> float:
    """Return the middle of a bucket, in seconds."""
    return _SHORTEST_SECONDS * 10 ** ((number - 0.5) / _BUCKETS_PER_DECADE) if number else _SHORTEST_SECONDS


def _quantile(buckets: Mapping[int, int], rank: float) -> float:
    """Return the middle of the bucket that holds the duration of this rank."""
    below = 0
    for number in sorted(buckets):
        below += buckets[number]
        if below >= rank:
            break
    return middle(number)
