"""The exact binomial tail and Wilson's interval, on plain numbers and without numpy.

Implemented here because scipy is only in the ``data`` extra. The tests compare the functions with
``scipy.stats.binomtest``.
"""

from math import comb, sqrt
from statistics import NormalDist

_Z_95 = NormalDist().inv_cdf(0.975)


def binomial_tail(most: int, tosses: int) -> float:
    """Return the probability of at most ``most`` heads in ``tosses`` of a fair coin (``scipy.stats.binom.cdf``)."""
    return float(sum(comb(tosses, heads) for heads in range(most + 1)) / 2**tosses)


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a ``share`` of ``count`` independent trials, at least one; limits from 0 to 1.

    Wilson, Journal of the American Statistical Association 22 (1927), pp. 209-212, without continuity correction.
    """
    spread = _Z_95**2 / count
    centre = (share + spread / 2) / (1 + spread)
    half = _Z_95 * sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)
