"""Pairs of answers, weighed one after the other: is the candidate better, is it worse, and when can one tell?

In a canary chance says whose label is ticked. If both models are equally good, it then also says which of them gets the
point: where people keep what is ticked the point is the believed one's, where they overrule it the other's, and both
kinds come as often from one model's mistakes as from the other's. So people's inclination to leave a tick as it is
makes the evidence weaker, never wrong. In a shadow production is always ticked, so that every tick left as it is counts
for production: what is called better there is better, and nothing can be called worse.
"""

from typing import Literal, NamedTuple

from triof.evaluation.paired_comparison import Difference, mean_difference, paired_difference
from triof.rollout.candidates import CandidateMode
from triof.rollout.paired_predictions import PredictionPair
from triof.rollout.significance import UNNOTICED, EProcess, discordant_needed
from triof.settings.sections.rollout import RolloutSettings

Word = Literal["promote", "keep", "wait"]

_USUAL_DISCORDANT, _WEIGHT = 0.05, 40
"""What is expected of two good models, and how many pairs that is worth, before there are any."""
_LEAST_DISCORDANT = 1.2
"""One that is better by the smallest difference that counts is right alone so often, and somewhat more, whatever the
pairs so far say."""


class Recommendation(NamedTuple):
    """What to do with a candidate, and why."""

    word: Word
    reason: str
    needed: int | None = None
    """With ``wait``: how many more confirmed pairs; None where they alone will not tell."""


class Table(NamedTuple):
    """Confirmed pairs by who was right."""

    both: int = 0
    only_candidate: int = 0
    only_production: int = 0
    neither: int = 0

    def plus(self, pair: PredictionPair) -> "Table":
        """With one more."""
        candidate, production = pair.candidate == pair.truth, pair.production == pair.truth
        both, neither = candidate and production, not candidate and not production
        one = (both, candidate and not both, production and not both, neither)
        return Table(*(count + more for count, more in zip(self, one, strict=True)))


class SequentialTest:
    """What the pairs so far say; ``accepted_share`` of them accepted the candidate, 0 in a shadow."""

    def __init__(self, mode: CandidateMode, accepted_share: float, options: RolloutSettings) -> None:
        self._mode = mode
        self._accepted_share = accepted_share
        self._options = options
        self.better, self.worse, self.disturbing = EProcess(), EProcess(), EProcess()
        self.pairs = 0
        self.agreed = 0
        self.tables: dict[str, Table] = {}
        """By whose label was believed."""

    @property
    def table(self) -> Table:
        """All confirmed pairs."""
        return Table(*map(sum, zip(*self.tables.values(), strict=True))) if self.tables else Table()

    @property
    def confirmed(self) -> int:
        """How many pairs people have confirmed something about."""
        return sum(self.table)

    def add(self, pair: PredictionPair) -> None:
        """Weigh one more."""
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
        """Somebody was turned away, or corrected the machine, which believed the ``candidate`` or production."""
        if self._mode == "canary":
            self.disturbing.add(self._accepted_share, happened=candidate)

    def drop(self) -> str:
        """Why the candidate is certainly worse; empty where it is not."""
        # Two questions are asked, each with half of the risk.
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
        """What people's confirmations say."""
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
        """Confirmed pairs to find one that is better by the smallest difference that counts."""
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
        """In accuracy, by confirmations: candidate minus production; too near to 0 where wrong ticks are left."""
        arms = {accepted: paired_difference(*table) for accepted, table in self.tables.items()}
        candidate, production = arms.get("candidate"), arms.get("production")
        if candidate and production:
            # As many mistakes of one are kept in its half as of the other in the other half.
            return mean_difference(candidate, production)
        return paired_difference(*self.table)

    def _chance(self, pair: PredictionPair) -> tuple[float, float]:
        """Of the candidate to get the point if both are equally good, and how much of a difference is lost."""
        if self._mode == "shadow" or pair.accepted == "neither":
            return 0.5, 0.0
        return (self._accepted_share, UNNOTICED) if pair.kept else (1 - self._accepted_share, 0.0)
