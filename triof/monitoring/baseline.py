"""The baseline of one machine: means and their natural variation.

Photos of one day resemble each other (same menu, same light), and so do those of one visit. A mean over n is
therefore less precise than 1/n says. Both effects are estimated in the machine's first days, as a one-way random
effects model with unequal days (Searle, Casella, McCulloch 1992, section 3.6)::

    observation = mean + effect of the day + rest,     var(mean of n in one day) = between + visits * within / n

``visits`` is the factor by which means of BLOCK consecutive observations vary more than those of independent ones.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BLOCK = 10
"""Consecutive observations of one day summed up before a check."""
MOST_DAYS = 40
"""Maximum days of the baseline."""

_PRIOR_SHARE = 0.03
"""Prior share of the variance between days ..."""
_PRIOR_DAYS = 5.0
"""... and the weight of this prior."""
_PRIOR_VISITS = 1.5
_PRIOR_BLOCKS = 20.0


class Block(NamedTuple):
    """Up to BLOCK consecutive observations of one day."""

    day: int
    """Ordinal, UTC."""
    at: float
    """Unix time of the first one."""
    n: int
    total: Array
    """(d,)"""
    scatter: Array | None = None
    """(d, d): sum of outer products of deviations from the mean; only needed while a baseline is new."""


@dataclass(frozen=True)
class Profile:
    """The baseline in coordinates with independent components of variance 1 within a day."""

    mean: Array
    """(d,), in natural units."""
    turn: Array
    """(d, d): transformation into those coordinates."""
    centre: Array
    """(d,): the mean in those coordinates."""
    between: Array
    """(d,): variances between days."""
    visits: float
    uncertainty: Array
    """(d,): variance of the estimated centre."""
    day_freedom: float
    block_freedom: float


@dataclass
class Baseline:
    """Sums over the first days; bounded, as the number of days is."""

    size: int
    days: list[tuple[int, int, Array]] = field(default_factory=list)
    """Day, number of observations, their sum."""
    scatter: Array = field(init=False)
    """Sums within the first blocks, ..."""
    scatter_freedom: int = 0
    block_squares: Array = field(init=False)
    """... and of the means of all blocks."""
    blocks: int = 0

    def __post_init__(self) -> None:
        self.scatter = np.zeros((self.size, self.size))
        self.block_squares = np.zeros((self.size, self.size))

    @property
    def observations(self) -> int:
        """Number of observations."""
        return sum(n for _, n, _ in self.days)

    def add(self, block: Block) -> None:
        """Add a block to the baseline; days come in order."""
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
        """Compute the profile; needs two days.

        ``least`` is the minimum standard deviation; a share has the variance of a share.
        """
        counts = np.array([n for _, n, _ in self.days], float)
        totals = np.stack([total for *_, total in self.days])
        observations, days = float(counts.sum()), len(counts)
        mean = totals.sum(axis=0) / observations
        # Add half an event, as an event not seen yet may still happen.
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
            # The share was smoothed, so its centre must follow.
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
        """Return the factor by which block means vary more within a day than means of independent observations."""
        freedom = self.blocks - days
        scatter = turn @ (self.block_squares - within_days) @ turn.T
        seen = max(0.0, float(np.trace(scatter))) / self.size
        visits = (seen + _PRIOR_BLOCKS * _PRIOR_VISITS) / (freedom + _PRIOR_BLOCKS)
        return max(1.0, visits), freedom + _PRIOR_BLOCKS

    def _between(self, means: Array, counts: Array, visits: float) -> tuple[Array, Array]:
        """Return the variances between days, and their axes."""
        days, observations = len(counts), counts.sum()
        off = means - counts @ means / observations
        typical = (observations - (counts**2).sum() / observations) / (days - 1)
        raw = ((off * counts[:, None]).T @ off / (days - 1) - visits * np.eye(self.size)) / typical
        strengths, axes = np.linalg.eigh((raw + raw.T) / 2)
        # The prior is isotropic, so that a direction with few different days is not taken for a stable one.
        level = max(_PRIOR_SHARE, float(strengths.clip(0).mean())) if self.size > 1 else _PRIOR_SHARE
        known = days - 1
        return (known * strengths.clip(0) + _PRIOR_DAYS * level) / (known + _PRIOR_DAYS), axes

    def as_json(self) -> dict[str, Any]:
        """Return a JSON-serialisable copy."""
        return {
            "days": [[day, n, total.tolist()] for day, n, total in self.days],
            "scatter": self.scatter.tolist(),
            "scatter_freedom": self.scatter_freedom,
            "block_squares": self.block_squares.tolist(),
            "blocks": self.blocks,
        }

    @classmethod
    def from_json(cls, size: int, written: dict[str, Any]) -> "Baseline":
        """Create it from its JSON form."""
        baseline = cls(size, [(day, n, np.array(total)) for day, n, total in written["days"]])
        baseline.scatter = np.array(written["scatter"])
        baseline.scatter_freedom = written["scatter_freedom"]
        baseline.block_squares = np.array(written["block_squares"])
        baseline.blocks = written["blocks"]
        return baseline


def _steadied(within: Array, freedom: float, least: float) -> Array:
    """Shrink the covariance towards its average, as one of few observations is too small in some direction."""
    size = len(within)
    if size > 1:
        freedom = max(freedom, 2.0 * size)
        # The inverse of an estimated covariance is too large on average, by this factor (Anderson 2003, 7.7).
        within = within * freedom / (freedom - size - 1)
        weight = size / (size + freedom)
        within = (1 - weight) * within + weight * np.trace(within) / size * np.eye(size)
    steadied: Array = within + least**2 * np.eye(size)
    return steadied
