"""Drift detection: repeated tests for a shifted mean, with a known rate of false alarms.

After every block the mean of each stretch ending now, from SHORTEST to LONGEST observations, is compared with the
baseline: a generalized likelihood ratio over the unknown time and size of a step, in a window (Lai 1998). Repeated
tests exceed any threshold eventually, so the threshold follows from the accepted rate of false alarms:
Siegmund and Venkatraman (1995, theorem 1) give the mean number of tests until a false alarm as::

    sqrt(2 pi) exp(h^2 / 2) / (h * 0.7355)

Three corrections apply on a real machine. The weight of each day in a stretch is that of one day, however many
photos it has (:mod:`triof.monitoring.baseline`). The baseline is estimated from a few days, so
its variance is added, and a t value is converted to a normal one (Wallace 1959). A move below ``tolerance`` is no
shift, however significant: seasons cause such moves.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triof.monitoring.baseline import BLOCK, MOST_DAYS, Array, Baseline, Block, Profile

SHORTEST, LONGEST = 30, 400
"""Minimum and maximum observations of a stretch."""
CLEARING = 100
"""Latest observations that must show no shift before it counts as over."""
_MOST_BLOCKS = 80
_LEAST_SHARE = 1e-3

State = Literal["learning", "quiet", "alarm"]


@dataclass(frozen=True)
class Measure:
    """The measured quantity: ``size`` numbers per observation.

    The tolerance of a ``number`` or ``vector`` is in standard deviations of one observation (a vector: of the length
    of the step), that of a ``share``, from 0 to 1, in its own units. ``least``: see :meth:`Baseline.profile`.
    """

    kind: Literal["number", "share", "vector"]
    tolerance: float
    size: int = 1
    least: float = 0.0


class Finding(NamedTuple):
    """The stretch that differs most from the baseline."""

    evidence: float
    """Standard deviations of the normal distribution beyond the tolerance; the threshold has the same unit."""
    since: float
    """Unix time of its beginning."""
    n: int
    mean: Array
    """In natural units."""


NOTHING = Finding(0.0, 0.0, 0, np.zeros(0))


def threshold(looks: float) -> float:
    """Return the evidence that chance exceeds once in ``looks`` tests."""
    height = 3.0
    for _ in range(20):
        height = math.sqrt(2 * math.log(max(looks, 10.0) * 0.7355 * height / math.sqrt(2 * math.pi)))
    return height


class Recent:
    """The latest blocks as arrays, as every test uses all of them."""

    def __init__(self, size: int) -> None:
        self._counts = np.zeros(2 * _MOST_BLOCKS)
        self._days = np.zeros(2 * _MOST_BLOCKS, np.int64)
        self._times = np.zeros(2 * _MOST_BLOCKS)
        self._totals = np.zeros((2 * _MOST_BLOCKS, size))
        self._first = self._end = 0
        self.observations = 0

    def __len__(self) -> int:
        return self._end - self._first

    @property
    def counts(self) -> Array:
        """(blocks,), oldest first, as all below."""
        return self._counts[self._first : self._end]

    @property
    def days(self) -> NDArray[np.int64]:
        """(blocks,)"""
        return self._days[self._first : self._end]

    @property
    def times(self) -> Array:
        """(blocks,)"""
        return self._times[self._first : self._end]

    @property
    def totals(self) -> Array:
        """(blocks, d)"""
        return self._totals[self._first : self._end]

    @property
    def is_full(self) -> bool:
        """Whether the oldest block must be removed."""
        return self.observations > LONGEST or len(self) > _MOST_BLOCKS

    def append(self, block: Block) -> None:
        """Append the newest block."""
        if self._end == len(self._counts):
            for kept in (self._counts, self._days, self._times, self._totals):
                kept[: len(self)] = kept[self._first : self._end].copy()
            self._first, self._end = 0, len(self)
        self._days[self._end], self._times[self._end], self._counts[self._end] = block[:3]
        self._totals[self._end] = block.total
        self._end += 1
        self.observations += block.n

    def pop(self) -> Block:
        """Remove and return the oldest block."""
        oldest = next(iter(self))
        self._first += 1
        self.observations -= oldest.n
        return oldest

    def __iter__(self) -> Iterator[Block]:
        for index in range(self._first, self._end):
            n = int(self._counts[index])
            yield Block(int(self._days[index]), float(self._times[index]), n, self._totals[index].copy())


@dataclass
class Detector:
    """Tests one measure of one machine. ``least_days`` and ``least`` observations make a baseline."""

    measure: Measure
    least_days: int
    least: int
    baseline: Baseline = field(init=False)
    recent: Recent = field(init=False)
    alarmed: bool = False
    finding: Finding = NOTHING
    _open: list[Array] = field(default_factory=list)
    _began: tuple[int, float] = (0, 0.0)
    _profile: Profile | None = None
    _profiled: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        self.baseline = Baseline(self.measure.size)
        self.recent = Recent(self.measure.size)

    @property
    def state(self) -> State:
        """The state of the signal."""
        return "alarm" if self.alarmed else "quiet" if self.ready else "learning"

    @property
    def ready(self) -> bool:
        """Whether the baseline is complete."""
        return len(self.baseline.days) >= self.least_days and self.baseline.observations >= self.least

    @property
    def looks_a_day(self) -> float:
        """Tests a day, on the days of its baseline."""
        return self.baseline.blocks / len(self.baseline.days) if self.baseline.days else 0.0

    @property
    def profile(self) -> Profile:
        """The profile of the baseline; the detector must be ready."""
        # Computed once a day, as it costs more than the tests of an hour.
        made_of = (len(self.baseline.days), 0 if len(self.baseline.days) < MOST_DAYS else 1)
        if self._profile is None or made_of != self._profiled:
            self._profile = self.baseline.profile(self.measure.least, is_share=self.measure.kind == "share")
            self._profiled = made_of
        return self._profile

    def add(self, day: int, at: float, value: Array, height: float) -> bool:
        """Add an observation; ``height`` is the threshold. Return whether it completed a block and was tested."""
        looked = bool(self._open) and self._began[0] != day and self._close(height)
        if not self._open:
            self._began = day, at
        self._open.append(value)
        return (len(self._open) == BLOCK and self._close(height)) or looked

    def latest(self) -> tuple[int, Array]:
        """Return the number and the mean of the latest observations."""
        n = self.recent.observations + len(self._open)
        return n, sum(self._open, self.recent.totals.sum(axis=0)) / max(n, 1)

    def _close(self, height: float) -> bool:
        values, self._open = np.stack(self._open), []
        total = values.sum(axis=0)
        block = Block(*self._began, len(values), total)
        if not self.ready:
            off = values - total / len(values)
            self.baseline.add(block._replace(scatter=off.T @ off))
            return False
        self.recent.append(block)
        self._let_go()
        self._look(height)
        return True

    def _let_go(self) -> None:
        """Move the oldest block into the baseline while that grows and there is no alarm."""
        while self.recent.is_full:
            oldest = self.recent.pop()
            days = self.baseline.days
            grows = len(days) < MOST_DAYS or days[-1][0] == oldest.day
            if grows and not self.alarmed and days[-1][0] <= oldest.day:
                self.baseline.add(oldest)

    def _look(self, height: float) -> None:
        found = scan(self.recent, self.profile, self.measure)
        n = found.n
        if not self.alarmed:
            self.finding = _best(found, n >= SHORTEST)
            self.alarmed = self.finding.evidence >= height
        elif self._is_over(found, height):
            # Earlier blocks must not raise the same alarm again.
            while self.recent.observations > CLEARING:
                self.recent.pop()
            self.alarmed, self.finding = False, NOTHING
        else:
            lately = _best(found, n >= SHORTEST)
            self.finding = self.finding._replace(evidence=lately.evidence, mean=lately.mean, n=lately.n)

    def _is_over(self, found: "Stretches", height: float) -> bool:
        lately = (found.n >= SHORTEST) & (found.n <= CLEARING)
        return bool(
            lately.any() and found.n[lately].max() >= 0.8 * CLEARING and found.evidence[lately].max() < height / 2
        )

    def as_json(self) -> dict[str, Any]:
        """To be written down."""
        return {
            "baseline": self.baseline.as_json(),
            "recent": [_block_as_json(block) for block in self.recent],
            "open": [*self._began, [value.tolist() for value in self._open]],
            "alarmed": self.alarmed,
            "finding": [self.finding.evidence, self.finding.since, self.finding.n, self.finding.mean.tolist()],
        }

    def restore(self, written: dict[str, Any]) -> None:
        """Restore the state from its JSON form."""
        self.baseline = Baseline.from_json(self.measure.size, written["baseline"])
        self.recent = Recent(self.measure.size)
        for block in written["recent"]:
            self.recent.append(_block_from_json(block))
        day, at, values = written["open"]
        self._began, self._open = (day, at), [np.array(value) for value in values]
        self.alarmed = written["alarmed"]
        evidence, since, n, mean = written["finding"]
        self.finding = Finding(evidence, since, n, np.array(mean))


class Stretches(NamedTuple):
    """All stretches that end now, longest first."""

    n: Array
    evidence: Array
    since: Array
    mean: Array
    """(stretches, d), in natural units."""


def scan(recent: Recent, profile: Profile, measure: Measure) -> Stretches:
    """Return the evidence of each stretch that ends now against the baseline."""
    counts, totals = recent.counts, recent.totals
    weights, sums = _by_days(counts, recent.days, totals @ profile.turn.T, profile)
    off = sums / weights - profile.centre
    variance = 1 / weights + profile.uncertainty
    by_days = profile.between / (profile.between + profile.visits / counts.mean())
    freedom = 1 / (by_days**2 / profile.day_freedom + (1 - by_days) ** 2 / profile.block_freedom)
    n = counts[::-1].cumsum()[::-1]
    mean = totals[::-1].cumsum(axis=0)[::-1] / n[:, None]
    if measure.kind == "share":
        evidence = _share_evidence(off, variance, profile, measure.tolerance, freedom)
    elif measure.kind == "number":
        beyond = np.maximum(0.0, np.abs(off) - measure.tolerance)
        evidence = _normal(beyond / np.sqrt(variance), freedom)[:, 0]
    else:
        evidence = _vector_evidence(off, variance, measure.tolerance, freedom)
    return Stretches(n, evidence, recent.times, mean)


def _by_days(counts: Array, days: NDArray[np.int64], totals: Array, profile: Profile) -> tuple[Array, Array]:
    """Return for the stretch from each block on the weight of its mean, and the weighted sum of its daily means."""
    begins = np.ones(len(days), bool)
    np.not_equal(days[1:], days[:-1], out=begins[1:])
    first, of_day = begins.nonzero()[0], begins.cumsum() - 1
    last = np.append(first[1:], len(days)) - 1
    # Cumulative sums from each block to the end of its day.
    from_here = counts[::-1].cumsum()[::-1]
    n = from_here - (from_here[last] - counts[last])[of_day]
    summed = totals[::-1].cumsum(axis=0)[::-1]
    total = summed - (summed[last] - totals[last])[of_day]
    weight = 1 / (profile.between + profile.visits / n[:, None])
    value = weight * total / n[:, None]
    return weight + _later(weight[first])[of_day], value + _later(value[first])[of_day]


def _later(of_days: Array) -> Array:
    """Return for each day the sum over the later days."""
    later: Array = of_days[::-1].cumsum(axis=0)[::-1] - of_days
    return later


def _normal(t: Array, freedom: Array) -> Array:
    """Return the normal deviate as unlikely as ``t`` with ``freedom`` degrees of freedom (Wallace 1959)."""
    return (8 * freedom + 1) / (8 * freedom + 3) * np.sqrt(freedom * np.log1p(t**2 / freedom))


def _share_evidence(off: Array, variance: Array, profile: Profile, tolerance: float, freedom: Array) -> Array:
    """Return the evidence by the binomial likelihood ratio, valid for rare events, at the effective sample size."""
    usual = float(profile.mean[0])
    scale = float(profile.turn[0, 0])
    share = np.clip(usual + off[:, 0] / scale, _LEAST_SHARE / 100, 1 - _LEAST_SHARE / 100)
    nearest = np.clip(usual + np.sign(share - usual) * tolerance, _LEAST_SHARE, 1 - _LEAST_SHARE)
    independent = usual * (1 - usual) * scale**2 / variance[:, 0]
    divergence = share * np.log(share / nearest) + (1 - share) * np.log((1 - share) / (1 - nearest))
    beyond = np.abs(share - usual) > tolerance
    return np.where(beyond, _normal(np.sqrt(2 * independent * np.maximum(divergence, 0)), freedom[0]), 0.0)


def _vector_evidence(off: Array, variance: Array, tolerance: float, freedom: Array) -> Array:
    """Return the evidence of the squared length: noncentral chi-squared for a step as long as the tolerance.

    Converted to a normal deviate by its cube root (Abdel-Aty 1954).
    """
    squared = (_normal(off / np.sqrt(variance), freedom) ** 2).sum(axis=1)
    size = off.shape[1]
    # Precision of the step in its own direction.
    precision = (off**2 / variance).sum(axis=1) / np.maximum((off**2).sum(axis=1), 1e-12)
    allowed = tolerance**2 * precision
    spread = 2 * (size + 2 * allowed) / (9 * (size + allowed) ** 2)
    evidence: Array = ((squared / (size + allowed)) ** (1 / 3) - (1 - spread)) / np.sqrt(spread)
    return evidence.clip(0)


def _best(found: Stretches, which: NDArray[np.bool_]) -> Finding:
    if not which.any():
        return NOTHING
    best = int(np.argmax(np.where(which, found.evidence, -1.0)))
    return Finding(float(found.evidence[best]), float(found.since[best]), int(found.n[best]), found.mean[best])


def _block_as_json(block: Block) -> list[Any]:
    return [block.day, block.at, block.n, block.total.tolist()]


def _block_from_json(written: list[Any]) -> Block:
    day, at, n, total = written
    return Block(day, at, n, np.array(total))
