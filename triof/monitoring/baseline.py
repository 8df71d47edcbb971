"""What is usual on one machine: means, and how far they wander by themselves.

Photos of one day resemble each other (one menu, one sun), and so do those of one visit. A mean over n of them is
therefore less sure than 1/n says. Both are measured in the machine's own first days, as a one-way random effects
model with unequal days (Searle, Casella, McCulloch 1992, section 3.6)::

    observation = mean + effect of the day + rest,     var(mean of n in one day) = between + visits * within / n

``visits`` is how much more the means of BLOCK consecutive observations vary than independent ones would.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BLOCK = 10
"""So many consecutive observations of one day are added up before anybody looks at them."""
MOST_DAYS = 40
"""The baseline grows up to so many days."""

_PRIOR_SHARE = 0.03
"""What is taken for the part of the variance that lies between days before a day has been seen ..."""
_PRIOR_DAYS = 5.0
"""... and the weight of that."""
_PRIOR_VISITS = 1.5
_PRIOR_BLOCKS = 20.0


class Block(NamedTuple):
    """Up to BLOCK observations in a row, of one day."""

    day: int
    """Ordinal, UTC."""
    at: float
    """When the first was made: seconds since the epoch."""
    n: int
    total: Array
    """(d,)"""
    scatter: Array | None = None
    """(d, d): the sum of the outer products of what each is off their mean; only needed while a baseline is new."""


@dataclass(frozen=True)
class Profile:
    """The baseline in coordinates in which its numbers vary independently, each by 1 within a day."""

    mean: Array
    """(d,), in natural units."""
    turn: Array
    """(d, d): into those coordinates."""
    centre: Array
    """(d,): the mean in those coordinates."""
    between: Array
    """(d,): variances between days."""
    visits: float
    uncertainty: Array
    """(d,): variance of the centre itself."""
    day_freedom: float
    block_freedom: float


@dataclass
class Baseline:
    """Sums over the first days; bounded, as days are."""

    size: int
    days: list[tuple[int, int, Array]] = field(default_factory=list)
    """Day, how many observations, their sum."""
    scatter: Array = field(init=False)
    """Within blocks, of the first ones, ..."""
    scatter_freedom: int = 0
    block_squares: Array = field(init=False)
    """... and of the means of all blocks."""
    blocks: int = 0

    def __post_init__(self) -> None:
        self.scatter = np.zeros((self.size, self.size))
        self.block_squares = np.zeros((self.size, self.size))

    @property
    def observations(self) -> int:
        """How many it is made of."""
        return sum(n for _, n, _ in self.days)

    def add(self, block: Block) -> None:
        """Make it part of what is usual; days come in order."""
        if self.days and self.days[-1][0] == block.day:
            _, n, total = self.days.pop()
            self.days.append((block.day, n + block.n, total + block.total))
        else:
            self.days.append((block.day, block.n, block.total))
        if block.scatter is not None:
            self.scatter += block.scatter
            self.scatter_freedom += block.n - 1
        self.block_squares += np.outer(block.total, block.total) / block.n
        self.blocks += 1

    def profile(self, least: float, *, is_share: bool) -> Profile:
        """What is usual by now; needs two days.

        ``least`` is a standard deviation below which nothing is believed to vary; a share varies as much as shares do.
        """
        counts = np.array([n for _, n, _ in self.days], float)
        totals = np.stack([total for *_, total in self.days])
        observations, days = float(counts.sum()), len(counts)
        mean = totals.sum(axis=0) / observations
        # Half an event more than there was, for what has never happened yet may happen tomorrow.
        mean = (totals.sum(axis=0) + 0.5) / (observations + 1) if is_share else mean
        within_days = (totals / counts[:, None]).T @ totals
        if is_share:
            within = np.array([[float(mean[0] * (1 - mean[0]))]])
        else:
            within = _steadied(self.scatter / max(self.scatter_freedom, 1), self.scatter_freedom, least)
        turn = np.linalg.inv(np.linalg.cholesky(within))
        visits, block_freedom = self._visits(turn, within_days, days)
        means = (totals / counts[:, None]) @ turn.T
        between, axes = self._between(means, counts, visits)
        weights = 1 / (between + visits / counts[:, None])
        centre = (weights * (means @ axes)).sum(axis=0) / weights.sum(axis=0)
        return Profile(
            # A share has just been smoothed; the coordinates of its centre follow.
            mean if is_share else np.linalg.solve(axes.T @ turn, centre),
            axes.T @ turn,
            axes.T @ turn @ mean if is_share else centre,
            between,
            visits,
            1 / weights.sum(axis=0),
            days - 1 + _PRIOR_DAYS,
            block_freedom,
        )

    def _visits(self, turn: Array, within_days: Array, days: int) -> tuple[float, float]:
        """How many times more block means vary within a day than means of independent observations would."""
        freedom = self.blocks - days
        scatter = turn @ (self.block_squares - within_days) @ turn.T
        seen = max(0.0, float(np.trace(scatter))) / self.size
        visits = (seen + _PRIOR_BLOCKS * _PRIOR_VISITS) / (freedom + _PRIOR_BLOCKS)
        return max(1.0, visits), freedom + _PRIOR_BLOCKS

    def _between(self, means: Array, counts: Array, visits: float) -> tuple[Array, Array]:
        """Variances between days, and the axes along which they lie."""
        days, observations = len(counts), counts.sum()
        off = means - counts @ means / observations
        typical = (observations - (counts**2).sum() / observations) / (days - 1)
        raw = ((off * counts[:, None]).T @ off / (days - 1) - visits * np.eye(self.size)) / typical
        strengths, axes = np.linalg.eigh((raw + raw.T) / 2)
        # The prior lies in no direction, so that one in which few days differed is not taken for a calm one.
        level = max(_PRIOR_SHARE, float(strengths.clip(0).mean())) if self.size > 1 else _PRIOR_SHARE
        known = days - 1
        return (known * strengths.clip(0) + _PRIOR_DAYS * level) / (known + _PRIOR_DAYS), axes

    def as_json(self) -> dict[str, Any]:
        """To be written down."""
        return {
            "days": [[day, n, total.tolist()] for day, n, total in self.days],
            "scatter": self.scatter.tolist(),
            "scatter_freedom": self.scatter_freedom,
            "block_squares": self.block_squares.tolist(),
            "blocks": self.blocks,
        }

    @classmethod
    def from_json(cls, size: int, written: dict[str, Any]) -> "Baseline":
        """As it was written down."""
        baseline = cls(size, [(day, n, np.array(total)) for day, n, total in written["days"]])
        baseline.scatter = np.array(written["scatter"])
        baseline.scatter_freedom = written["scatter_freedom"]
        baseline.block_squares = np.array(written["block_squares"])
        baseline.blocks = written["blocks"]
        return baseline


def _steadied(within: Array, freedom: float, least: float) -> Array:
    """The covariance drawn towards its own average, as that of few observations is too small somewhere."""
    size = len(within)
    if size > 1:
        freedom = max(freedom, 2.0 * size)
        # The inverse of an estimated covariance is too large on average, by this factor (Anderson 2003, 7.7).
        within = within * freedom / (freedom - size - 1)
        weight = size / (size + freedom)
        within = (1 - weight) * within + weight * np.trace(within) / size * np.eye(size)
    steadied: Array = within + least**2 * np.eye(size)
    return steadied
