"""Sequential test on pairs of predictions: is the candidate better, is it worse, and how many pairs are needed?

In a canary, chance decides whose label is ticked. If both models are equally good, it also decides which of them gets
the point: a kept tick is a point for the accepted model, a corrected one for the other, and both
come equally often from the mistakes of either model. So people's tendency to keep a tick
weakens the evidence without biasing it. In a shadow, production is always ticked, so that every kept tick counts
for production: a candidate found better is better, but none can be found worse.
"""

from typing import Literal, NamedTuple

from triof.evaluation.paired_comparison import Difference, mean_difference, paired_difference
from triof.rollout.candidates import CandidateMode
from triof.rollout.paired_predictions import PredictionPair
from triof.rollout.significance import UNNOTICED, EProcess, discordant_needed
from triof.settings.sections.rollout import RolloutSettings

Word = Literal["promote", "keep", "wait"]

_USUAL_DISCORDANT, _WEIGHT = 0.05, 40
"""Prior share of discordant pairs of two good models, and the number of pairs that it weighs."""
_LEAST_DISCORDANT = 1.2
"""Minimum share of discordant pairs, as a factor on the smallest relevant difference, whatever the pairs so far
say."""


class Recommendation(NamedTuple):
    """A recommendation for a candidate, with the reason."""

    word: Word
    reason: str
    needed: int | None = None
    """For ``wait``: further confirmed pairs needed; None if they alone cannot decide."""


class Table(NamedTuple):
    """Counts of confirmed pairs by which model was right."""

    both: int = 0
    only_candidate: int = 0
    only_production: int = 0
    neither: int = 0

    def plus(self, pair: PredictionPair) -> "Table":
        """Return the table with one more pair."""
        candidate, production = pair.candidate == pair.truth, pair.production == pair.truth
        both, neither = candidate and production, not candidate and not production
        one = (both, candidate and not both, production and not both, neither)
        return Table(*(count + more for count, more in zip(self, one, strict=True)))


class SequentialTest:
    """The test so far; ``accepted_share`` of the pairs accepted the candidate, 0 in a shadow."""

    def __init__(self, mode: CandidateMode, accepted_share: float, options: RolloutSettings) -> None:
        self._mode = mode
        self._accepted_share = accepted_share
        self._options = options
        self.better, self.worse, self.disturbing = EProcess(), EProcess(), EProcess()
        self.pairs = 0
        self.agreed = 0
        self.tables: dict[str, Table] = {}
        """Tables by the accepted model."""

    @property
    def table(self) -> Table:
        """All confirmed pairs."""
        return Table(*map(sum, zip(*self.tables.values(), strict=True))) if self.tables else Table()

    @property
    def confirmed(self) -> int:
        """The number of confirmed pairs."""
        return sum(self.table)

    def add(self, pair: PredictionPair) -> None:
        """Add a pair."""
        self.pairs += 1
        self.agreed += pair.candidate == pair.production
        if pair.truth is None:
            return
        self.tables[pair.accepted] = self.tables.get(pair.accepted, Table()).plus(pair)
        if not pair.discordant:
            return
        won = pair.truth == pair.candidate
        chance, blunt = self._chance(pair)
        self.better.add(chance, happened=won, blunt=blunt)
        if not (self._mode == "shadow" and pair.accepted == "production"):
            self.worse.add(1 - chance, happened=not won, blunt=blunt)

    def disturb(self, *, candidate: bool) -> None:
        """Add a return or correction in a deposit that accepted the ``candidate`` or production."""
        if self._mode == "canary":
            self.disturbing.add(self._accepted_share, happened=candidate)

    def drop(self) -> str:
        """Return why the candidate is significantly worse; empty if it is not."""
        # Two tests, each with half of alpha.
        enough = 2 / self._options.alpha
        table = self.table
        if self.worse.largest >= enough:
            return (
                f"people's confirmations show that it is worse: right alone {table.only_candidate} times, production"
                f" alone {table.only_production} times"
            )
        if self.disturbing.largest >= enough:
            return "it turns more people away, or is corrected more often, than production in the other deposits"
        return ""

    def opinion(self) -> Recommendation:
        """Return the recommendation from the confirmations."""
        if drop := self.drop():
            return Recommendation("keep", drop)
        if self.better.largest >= 1 / self._options.alpha:
            return Recommendation("promote", "people's confirmations show that it is better")
        total = self.total_needed()
        if total is None:
            return Recommendation(
                "wait", "a shadow's confirmations lean towards production: make it a canary, or give --data"
            )
        if self.confirmed >= total:
            return Recommendation(
                "keep",
                f"{self.confirmed} confirmed pairs did not show it to be better; of {self._options.power:.0%} of those"
                f" that are by {self._options.smallest_difference:.1%} they would have",
            )
        return Recommendation("wait", "there are too few confirmed pairs yet", total - self.confirmed)

    def total_needed(self) -> int | None:
        """Return the confirmed pairs needed to detect the smallest relevant improvement; None if no number suffices."""
        table, least = self.table, self._options.smallest_difference
        found = table.only_candidate + table.only_production
        discordant = (found + _USUAL_DISCORDANT * _WEIGHT) / (self.confirmed + _WEIGHT)
        discordant = max(discordant, _LEAST_DISCORDANT * least)
        ratio = (discordant + least) / (discordant - least)
        alpha, power = self._options.alpha, self._options.power
        third = 2 * sum(self.tables.get("neither", ())) > self.confirmed
        needed = discordant_needed(ratio, None if third else self._accepted_share, alpha, power)
        return None if needed is None else round(needed / discordant)

    def difference(self) -> Difference | None:
        """Return the difference in confirmed accuracy, candidate minus production; kept ticks bias it towards 0."""
        arms = {accepted: paired_difference(*table) for accepted, table in self.tables.items()}
        candidate, production = arms.get("candidate"), arms.get("production")
        if candidate and production:
            # Each arm keeps equally many mistakes of its accepted model, so the bias cancels.
            return mean_difference(candidate, production)
        return paired_difference(*self.table)

    def _chance(self, pair: PredictionPair) -> tuple[float, float]:
        """Return the candidate's chance of the point between equal models, and the share of a difference lost."""
        if self._mode == "shadow" or pair.accepted == "neither":
            return 0.5, 0.0
        return (self._accepted_share, UNNOTICED) if pair.kept else (1 - self._accepted_share, 0.0)
