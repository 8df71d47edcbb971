"""How sure one may be, however often one looks.

Whoever looks every day and stops at the first small p is wrong far more often than p says. The evidence here is a test
martingale: a bet against "no better", whose stake stays the same on average as long as that is true. That it ever grows
to twenty times what it was has then a chance of one in twenty at most, over all looks together (Ville 1939; Wald 1945;
Ramdas, Grünwald, Vovk and Shafer, "Game-theoretic statistics and safe anytime-valid inference", Statistical Science 38,
2023).
"""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0)
"""How many photos the better one alone may get right for each that the other alone does: what is bet on, in parts."""
UNNOTICED = 0.3
"""Of the wrong ticks that people leave as they are. A guess: a bad one costs deposits, and makes no test wrong."""
_NORMAL = NormalDist()


class Evidence:
    """The stake of a bet that something happens more often than by ``chance``; begins at 1."""

    def __init__(self) -> None:
        self._logs = [0.0] * len(RATIOS)
        self.largest = 1.0
        """The greatest stake so far, which is what counts: what once was shown stays shown."""

    @property
    def now(self) -> float:
        """The stake."""
        top = max(self._logs)
        return math.exp(min(top, 700.0)) * sum(math.exp(each - top) for each in self._logs) / len(RATIOS)

    def add(self, chance: float, *, happened: bool, blunt: float = 0.0) -> None:
        """Bet on one more. ``blunt`` is how much of a difference is lost on the way (0: nothing, 1: all)."""
        gains = _each_gain(chance, blunt, happened=happened)
        self._logs = [log + gain for log, gain in zip(self._logs, gains, strict=True)]
        self.largest = max(self.largest, self.now)


@cache
def _each_gain(chance: float, blunt: float, *, happened: bool) -> tuple[float, ...]:
    return tuple(_gain(chance, _blunted(ratio, blunt), happened=happened) for ratio in RATIOS)


def _blunted(ratio: float, blunt: float) -> float:
    return (ratio + blunt) / (1 + blunt * ratio)


def _gain(chance: float, ratio: float, *, happened: bool) -> float:
    """The logarithm of what a bet on odds that are ``ratio`` times those of ``chance`` brings."""
    bet = chance * ratio / (chance * ratio + 1 - chance)
    return math.log(bet / chance) if happened else math.log((1 - bet) / (1 - chance))


def discordant_needed(ratio: float, believed: float | None, alpha: float, power: float) -> float | None:
    """How many discordant pairs show, with probability ``power``, that the candidate is better by ``ratio``.

    It is believed in the share ``believed`` of the deposits that ask both: 0 is a shadow, None a third provider that is
    believed instead of both. None where no number does.
    """
    line, z = math.log(len(RATIOS) / alpha), _NORMAL.inv_cdf(power)
    needed = []
    for bet in RATIOS:
        gains = list(_gains(ratio, bet, believed))
        total = sum(rate for rate, _ in gains)
        mean = sum(rate * gain for rate, gain in gains) / total
        variance = sum(rate * gain**2 for rate, gain in gains) / total - mean**2
        if mean > 0:
            root = z * math.sqrt(variance) + math.sqrt(z**2 * variance + 4 * mean * line)
            needed.append(float((root / (2 * mean)) ** 2))
    return min(needed, default=None)


def _gains(ratio: float, bet: float, believed: float | None) -> Iterator[tuple[float, float]]:
    """How often each kind of discordant pair comes, and what it brings to somebody who bets on ``bet``."""
    if believed is None:
        yield ratio, _gain(0.5, bet, happened=True)
        yield 1.0, _gain(0.5, bet, happened=False)
        return
    noticed = 1 - UNNOTICED
    if not believed:
        yield noticed * ratio, _gain(0.5, bet, happened=True)
        yield 1 + UNNOTICED * ratio, _gain(0.5, bet, happened=False)
        return
    dull = _blunted(bet, UNNOTICED)
    yield believed * (ratio + UNNOTICED), _gain(believed, dull, happened=True)
    yield (1 - believed) * (1 + UNNOTICED * ratio), _gain(believed, dull, happened=False)
    yield (1 - believed) * noticed * ratio, _gain(1 - believed, bet, happened=True)
    yield believed * noticed, _gain(1 - believed, bet, happened=False)


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p of two counts that would be alike; for one look, fixed beforehand."""
    total, fewer = only_first + only_second, min(only_first, only_second)
    below = sum(math.comb(total, count) for count in range(fewer + 1))
    return min(1.0, float(2 * below / 2**total))


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
    below1, above1 = _wilson(first, total)
    below2, above2 = _wilson(second, total)
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


def quantile(numbers: Sequence[float], share: float) -> float | None:
    """The number that ``share`` of them do not exceed; None of none."""
    return sorted(numbers)[math.ceil(share * len(numbers)) - 1] if numbers else None


def _wilson(count: int, total: int) -> tuple[float, float]:
    """How far the 95 % limits lie below and above the share."""
    z, share = _NORMAL.inv_cdf(0.975), count / total
    middle = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return share - (middle - half), middle + half - share
