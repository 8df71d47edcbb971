"""Candidates that are better, equal and worse, judged by the very rules of ``triof models``: how often rightly?

Each run is a canary on one machine. Production is right about 95 % of the items; the candidate about 97, 95, 93 or
85 %, and of the mistakes of the better one half are also the other's. Where the ticked type is wrong, 70 % of the
people notice and correct it; the others confirm it. Somebody, or the guard, looks after every 25 deposits and does what
the word says: promote, keep (which sends the candidate away), or wait. One that is certainly worse is rolled back.

    make simulate-rollout                        # 1,000 runs each, some minutes
    make simulate-rollout ARGS='--runs 100 --share 0.5'
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from triof.rollout.paired_predictions import PredictionPair
from triof.rollout.sequential_test import SequentialTest
from triof.settings.sections.rollout import RolloutSettings

PRODUCTION = 0.95
BOTH_WRONG = 0.5
"""Of the better one's mistakes, those that the other makes too."""
SAME_MISTAKE = 0.6
"""Of the items that both get wrong, those that both take for the same type."""
NOTICED = 0.7
"""Of the wrong ticks, those that people correct."""
LOOK_EVERY = 25
LONGEST = 40_000
"""Deposits; whoever has not heard a word by then hears none."""
_BLOCK = 5_000

End = Literal["promoted", "kept", "rolled back", "undecided"]
RIGHT: dict[float, End] = {0.02: "promoted", 0.0: "kept", -0.02: "rolled back", -0.1: "rolled back"}


@dataclass(frozen=True)
class People:
    """How items, models and people are."""

    better_by: float
    noticed: float
    share: float

    def pairs(self, rng: np.random.Generator) -> Iterator[tuple[PredictionPair, bool]]:
        """One pair after the other as the journal has them, and whether the person had to correct the machine."""
        both, ours, theirs = self._mistakes()
        while True:
            draws = rng.random((_BLOCK, 4))
            for kind, chosen, noticing, alike in draws.tolist():
                candidate_wrong = kind < both or both <= kind < both + ours
                production_wrong = kind < both or both + ours <= kind < both + ours + theirs
                candidate = "cup" if candidate_wrong else "bottle"
                production = ("cup" if alike < SAME_MISTAKE else "cutlery") if production_wrong else "bottle"
                if production_wrong and not candidate_wrong:
                    production = "cup"
                believed = chosen < self.share
                ticked = candidate if believed else production
                corrected = ticked != "bottle" and noticing < self.noticed
                truth = "bottle" if corrected else ticked
                yield PredictionPair(candidate, production, "candidate" if believed else "production", truth), corrected

    def _mistakes(self) -> tuple[float, float, float]:
        """The shares of items that both, only the candidate and only production get wrong."""
        candidate, production = 1 - PRODUCTION - self.better_by, 1 - PRODUCTION
        both = BOTH_WRONG * min(candidate, production)
        return both, candidate - both, production - both


def run(people: People, options: RolloutSettings, rng: np.random.Generator) -> tuple[End, int]:
    """What becomes of one candidate, and after how many deposits."""
    test = SequentialTest("canary", people.share, options)
    for deposits, (pair, corrected) in enumerate(people.pairs(rng), start=1):
        test.add(pair)
        if corrected:
            test.disturb(candidate=pair.accepted == "candidate")
        if deposits % LOOK_EVERY:
            continue
        if test.drop():
            return "rolled back", deposits
        word = test.opinion().word
        if word != "wait":
            return ("promoted" if word == "promote" else "kept"), deposits
        if deposits >= LONGEST:
            return "undecided", deposits
    raise AssertionError


def report(better_by: float, people: People, runs: int, seed: int) -> bool:
    """Print what became of the candidates of one kind; whether nothing was wrong more often than promised."""
    options = RolloutSettings()
    ends = [run(people, options, np.random.default_rng([seed, place])) for place in range(runs)]
    counts = Counter(end for end, _ in ends)
    told = ", ".join(f"{end} {counts[end] / runs:6.1%}" for end in ("promoted", "kept", "rolled back", "undecided"))
    low, middle, high = (int(number) for number in np.quantile([deposits for _, deposits in ends], (0.1, 0.5, 0.9)))
    print(f"{better_by * 100:+.0f} points: {told}; after {middle:,} deposits ({low:,} to {high:,})")
    right = counts[RIGHT[better_by]]
    rightly = right + (counts["kept"] if better_by < 0 else 0)
    print(f"           rightly {rightly / runs:.1%}")
    wrong = counts["rolled back"] if better_by > 0 else counts["promoted"]
    return bool(wrong <= options.alpha * runs + 2 * (options.alpha * (1 - options.alpha) * runs) ** 0.5)


def main() -> int:
    """Print the figures; 1 if a candidate that is no better is promoted too often, or a better one rolled back."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--share", type=float, default=0.3, help="of the deposits that believe the candidate")
    parser.add_argument("--noticed", type=float, default=NOTICED, help="of the wrong ticks, those that people correct")
    parser.add_argument("--seed", type=int, default=6)
    asked = parser.parse_args()
    started = time.monotonic()
    print(f"{asked.runs} runs each, a canary of {asked.share:.0%}, {asked.noticed:.0%} of wrong ticks noticed")
    fine = [
        report(better_by, People(better_by, asked.noticed, asked.share), asked.runs, asked.seed) for better_by in RIGHT
    ]
    print(f"{time.monotonic() - started:.0f} s")
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
