"""Evidence that stays valid under repeated looks.

Stopping at the first small p of repeated tests has a far higher error rate than p says. The evidence here is a test
martingale: a bet against "no better", whose expected stake is constant while that is true. The probability that it
ever grows twentyfold is then at most 1/20, over all looks together (Ville 1939; Wald 1945;
Ramdas, Grünwald, Vovk and Shafer, "Game-theoretic statistics and safe anytime-valid inference", Statistical Science 38,
2023).
"""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from statistics import NormalDist

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0)
"""Odds ratios to bet on in equal parts: photos that only the better model gets right, per photo of the other."""
UNNOTICED = 0.3
"""Assumed share of wrong ticks that people keep; an error costs deposits, but does not invalidate the test."""
_NORMAL = NormalDist()


class EProcess:
    """The stake of a bet that an event is more frequent than ``chance``; begins at 1."""

    def __init__(self) -> None:
        self._logs = [0.0] * len(RATIOS)
        self.largest = 1.0
        """The greatest stake so far, which is the evidence."""

    @property
    def now(self) -> float:
        """The current stake."""
        top = max(self._logs)
        return math.exp(min(top, 700.0)) * sum(math.exp(each - top) for each in self._logs) / len(RATIOS)

    def add(self, chance: float, *, happened: bool, blunt: float = 0.0) -> None:
        """Bet on one more event. ``blunt`` is the share of a difference that is lost (0: none, 1: all)."""
        gains = _each_gain(chance, blunt, happened=happened)
        self._logs = [log + gain for log, gain in zip(self._logs, gains, strict=True)]
        self.largest = max(self.largest, self.now)


@cache
def _each_gain(chance: float, blunt: float, *, happened: bool) -> tuple[float, ...]:
    return tuple(_gain(chance, _blunted(ratio, blunt), happened=happened) for ratio in RATIOS)


def _blunted(ratio: float, blunt: float) -> float:
    return (ratio + blunt) / (1 + blunt * ratio)


def _gain(chance: float, ratio: float, *, happened: bool) -> float:
    """Return the log gain of a bet on odds of ``ratio`` times those of ``chance``."""
    bet = chance * ratio / (chance * ratio + 1 - chance)
    return math.log(bet / chance) if happened else math.log((1 - bet) / (1 - chance))


def discordant_needed(ratio: float, accepted_share: float | None, alpha: float, power: float) -> float | None:
    """Return the discordant pairs that show, with probability ``power``, that the candidate is better by ``ratio``.

    The candidate is accepted in ``accepted_share`` of the deposits with both: 0 is a shadow, None a third provider,
    accepted instead of both. Returns None if no number suffices.
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
    """Yield the frequency of each kind of discordant pair, and its log gain for a bet on ``bet``."""
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
    """Return the number that ``share`` of ``numbers`` do not exceed; None if there are none."""
    return sorted(numbers)[math.ceil(share * len(numbers)) - 1] if numbers else None
