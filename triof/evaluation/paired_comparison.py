"""Compares two models that answered the same photos: McNemar's exact test, and differences with their intervals.

Each holds for one look that was fixed beforehand; :mod:`triof.rollout.significance` is for looking again and again.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

from triof.common.statistics_math import binomial_tail, wilson_interval

_NORMAL = NormalDist()


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p of two counts that would be alike; for one look, fixed beforehand.

    McNemar, Psychometrika 12 (1947), pp. 153-157, by the binomial distribution: ``scipy.stats.binomtest`` of one count
    among both, as ``mcnemar(exact=True)`` of statsmodels does it. 1.0 where both counts are 0.
    """
    return min(1.0, 2 * binomial_tail(min(only_first, only_second), only_first + only_second))


def photos_needed(discordant: float, difference: float, alpha: float, power: float) -> int:
    """How many labelled photos one McNemar test needs (Connor, Biometrics 43, 1987), two-sided."""
    discordant = max(discordant, difference)
    first, second = _NORMAL.inv_cdf(1 - alpha / 2), _NORMAL.inv_cdf(power)
    root = first * math.sqrt(discordant) + second * math.sqrt(max(discordant - difference**2, 0.0))
    return math.ceil((root / difference) ** 2)


class Difference(NamedTuple):
    """Of two shares, with its 95 % interval."""

    value: float
    low: float
    high: float


def paired_difference(both: int, only_first: int, only_second: int, neither: int) -> Difference | None:
    """First minus second, of the same photos (Newcombe, Statistics in Medicine 17, 1998, p. 2635, method 10)."""
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
    """The mean of two independent ones (Zou and Donner, Statistics in Medicine 27, 2008)."""
    value = (first.value + second.value) / 2
    low = math.hypot(first.value - first.low, second.value - second.low) / 2
    high = math.hypot(first.high - first.value, second.high - second.value) / 2
    return Difference(value, value - low, value + high)


def _distances(share: float, total: int) -> tuple[float, float]:
    """How far the 95 % limits lie below and above the share."""
    low, high = wilson_interval(share, total)
    return share - low, high - share
