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

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0)
"""How many photos the better one alone may get right for each that the other alone does: what is bet on, in parts."""
UNNOTICED = 0.3
"""Of the wrong ticks that people leave as they are. A guess: a bad one costs deposits, and makes no test wrong."""
_NORMAL = NormalDist()


class EProcess:
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


def discordant_needed(ratio: float, accepted_share: float | None, alpha: float, power: float) -> float | None:
    """How many discordant pairs show, with probability ``power``, that the candidate is better by ``ratio``.

    It is accepted in ``accepted_share`` of the deposits that ask both: 0 is a shadow, None a third provider that is
    accepted instead of both. None where no number does.
    """
    line, z = math.log(len(RATIOS) / alpha), _NORMAL.inv_cdf(power)
    needed = []
    for bet in RATIOS:
        gains = list(_gains(ratio, bet, accepted_share))
        total = sum(rate for rate, _ in gains)
        mean = sum(rate * gain for rate, gain in gains) / total
        variance = sum(rate * gain**2 for rate, gain in gains) / total - mean**2
        if mean > 0:
            root = z * math.sqrt(variance) + math.sqrt(z**2 * variance + 4 * mean * line)
            needed.append(float((root / (2 * mean)) ** 2))
    return min(needed, default=None)


def _gains(ratio: float, bet: float, accepted_share: float | None) -> Iterator[tuple[float, float]]:
    """How often each kind of discordant pair comes, and what it brings to somebody who bets on ``bet``."""
    if accepted_share is None:
        yield ratio, _gain(0.5, bet, happened=True)
        yield 1.0, _gain(0.5, bet, happened=False)
        return
    noticed = 1 - UNNOTICED
    if not accepted_share:
        yield noticed * ratio, _gain(0.5, bet, happened=True)
        yield 1 + UNNOTICED * ratio, _gain(0.5, bet, happened=False)
        return
    dull = _blunted(bet, UNNOTICED)
    yield accepted_share * (ratio + UNNOTICED), _gain(accepted_share, dull, happened=True)
    yield (1 - accepted_share) * (1 + UNNOTICED * ratio), _gain(accepted_share, dull, happened=False)
    yield (1 - accepted_share) * noticed * ratio, _gain(1 - accepted_share, bet, happened=True)
    yield accepted_share * noticed, _gain(1 - accepted_share, bet, happened=False)


def quantile(numbers: Sequence[float], share: float) -> float | None:
    """The number that ``share`` of them do not exceed; None of none."""
    return sorted(numbers)[math.ceil(share * len(numbers)) - 1] if numbers else None
