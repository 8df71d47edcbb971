"""Comparison of two models on the same photos: McNemar's exact test, and differences with intervals.

Each is valid for a single test planned beforehand; :mod:`triof.rollout.significance` allows repeated looks.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

from triof.common.statistics_math import binomial_tail, wilson_interval

_NORMAL = NormalDist()


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p-value of two counts expected to be equal, for a single test.

    McNemar, Psychometrika 12 (1947), pp. 153-157, by the binomial distribution: ``scipy.stats.binomtest`` of one count
    among both, as ``mcnemar(exact=True)`` of statsmodels. 1.0 if both counts are 0.
    """
    return min(1.0, 2 * binomial_tail(min(only_first, only_second), only_first + only_second))


def photos_needed(discordant: float, difference: float, alpha: float, power: float) -> int:
    """Return the labelled photos needed for one two-sided McNemar test (Connor, Biometrics 43, 1987)."""
    discordant = max(discordant, difference)
    first, second = _NORMAL.inv_cdf(1 - alpha / 2), _NORMAL.inv_cdf(power)
    root = first * math.sqrt(discordant) + second * math.sqrt(max(discordant - difference**2, 0.0))
    return math.ceil((root / difference) ** 2)


class Difference(NamedTuple):
    """Difference of two shares, with its 95 % interval."""

    value: float
    low: float
    high: float


def paired_difference(both: int, only_first: int, only_second: int, neither: int) -> Difference | None:
    """Return first minus second on the same photos (Newcombe, Statistics in Medicine 17, 1998, p. 2635, method 10)."""
    total = both + only_first + only_second + neither
    if not total:
        return None
    first, second = both + only_first, both + only_second
    below1, above1 = _distances(first / total, total)
    below2, above2 = _distances(second / total, total)
    margins = first * (total - first) * second * (total - second)
    phi = 0.0
    if margins:
        product = both * neither - only_first * only_second
        corrected = max(product - total / 2, 0.0) if product > 0 else product
        phi = corrected / math.sqrt(margins)
    value = (only_first - only_second) / total
    low = math.sqrt(max(below1**2 - 2 * phi * below1 * above2 + above2**2, 0.0))
    high = math.sqrt(max(above1**2 - 2 * phi * above1 * below2 + below2**2, 0.0))
    return Difference(value, value - low, value + high)


def mean_difference(first: Difference, second: Difference) -> Difference:
    """Return the mean of two independent differences (Zou and Donner, Statistics in Medicine 27, 2008)."""
    value = (first.value + second.value) / 2
    low = math.hypot(first.value - first.low, second.value - second.low) / 2
    high = math.hypot(first.high - first.value, second.high - second.value) / 2
    return Difference(value, value - low, value + high)


def _distances(share: float, total: int) -> tuple[float, float]:
    """Return the distances of the 95 % limits below and above the share."""
    low, high = wilson_interval(share, total)
    return share - low, high - share
