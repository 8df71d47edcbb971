"""Charts as plain numbers: pure functions from values to a frozen :class:`Chart`, which a macro draws as SVG.

All coordinates are units of a drawing ``WIDTH`` wide, whose letters are 24 units high: it is drawn at about one pixel
a unit or larger. Colour is never the only distinction: each series has its own pattern (``a`` to ``e``) or dash, and
each chart has its numbers as a table.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

WIDTH = 720
_LEFT, _RIGHT, _TOP, _FOOT = 84, 12, 16, 44
_MOST_LABELS = 6
_MOST_MARKS = 120
"""Lines with more values mark only isolated ones."""
_EDGE = 2
_BAR = WIDTH - 2 * _EDGE
_OVER_RULE = 1.15
"""Factor by which the axis exceeds a rule, for the room of its name."""
_GAP = 0.22
"""Share of a bar's slot that stays empty."""

_DASH = "\N{EN DASH}"

Pattern = Literal["a", "b", "c", "d", "e"]


@dataclass(frozen=True)
class Series:
    """Named values; None where unknown. ``low`` and ``high`` are the band around a line, if any."""

    name: str
    pattern: Pattern
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()


@dataclass(frozen=True)
class Rect:
    """A bar or a part of one, with its name and value as text."""

    x: float
    y: float
    width: float
    height: float
    pattern: Pattern
    name: str
    value: str


@dataclass(frozen=True)
class Stroke:
    """A line or band outline as SVG ``points``; an isolated point is a mark."""

    points: str
    pattern: Pattern


@dataclass(frozen=True)
class ChartMark:
    """A value on a line, with its name and value as text."""

    x: float
    y: float
    pattern: Pattern
    name: str
    value: str


@dataclass(frozen=True)
class Tick:
    """A position on an axis with its label."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """The shapes to draw, and the same values as a table: ``rows`` of texts below ``columns``."""

    height: int
    left: float
    right: float
    floor: float
    """y of the lower axis."""
    across: Sequence[Tick]
    up: Sequence[Tick]
    legend: Sequence[tuple[str, Pattern]]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    rects: Sequence[Rect] = ()
    bands: Sequence[Stroke] = ()
    strokes: Sequence[Stroke] = ()
    marks: Sequence[ChartMark] = ()
    rule: Tick | None = None
    """A reference value, drawn as a line across."""
    width: int = WIDTH

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not (self.rects or self.strokes or self.marks)


@dataclass(frozen=True)
class Share:
    """A part of a whole: ``count``, ``share`` from 0 to 1, and its position in a drawing as wide as a chart."""

    name: str
    pattern: Pattern
    count: float
    share: float
    x: float
    width: float


Text = Callable[[float], str]


def bars(first: str, labels: Sequence[str], series: Sequence[Series], text: Text, *, height: int = 320) -> Chart:
    """Draw a bar for each of ``labels``, with the series stacked; ``first`` heads the labels in the table."""
    totals = [sum(one.values[at] or 0 for one in series) for at in range(len(labels))]
    axis = _Axis(max(totals, default=0), height, least=1)
    room = (WIDTH - _LEFT - _RIGHT) / max(1, len(labels))
    rects: list[Rect] = []
    for at, label in enumerate(labels):
        below = 0.0
        for one in series:
            if value := one.values[at]:
                top, bottom = axis.y(below + value), axis.y(below)
                x, width = _round(_LEFT + room * (at + _GAP / 2)), _round(room * (1 - _GAP))
                name = f"{label}, {one.name}"
                rects.append(Rect(x, top, width, _round(bottom - top), one.pattern, name, text(value)))
                below += value
    return Chart(
        height,
        _LEFT,
        WIDTH - _RIGHT,
        height - _FOOT,
        _across(labels, lambda at: _LEFT + room * (at + 0.5)),
        axis.ticks(text),
        [(one.name, one.pattern) for one in series],
        (first, *(one.name for one in series)),
        _rows(labels, series, text),
        rects=rects,
    )


def lines(
    first: str,
    labels: Sequence[str],
    series: Sequence[Series],
    text: Text,
    *,
    height: int = 320,
    rule: tuple[float, str] | None = None,
    at_least: float = 0,
) -> Chart:
    """Draw a line for each series over ``labels``, broken where a value is None; the axis extends to ``at_least``.

    ``rule`` is a reference value with its name.
    """
    known = [value for one in series for value in (*one.values, *one.high) if value is not None]
    axis = _Axis(max([*known, at_least, rule[0] * _OVER_RULE if rule else 0]), height)
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(labels) - 1)

    def x(at: int) -> float:
        return _round(_LEFT + (step * at if len(labels) > 1 else (WIDTH - _LEFT - _RIGHT) / 2))

    return Chart(
        height,
        _LEFT,
        WIDTH - _RIGHT,
        height - _FOOT,
        _across(labels, x),
        axis.ticks(text),
        [(one.name, one.pattern) for one in series],
        (first, *(one.name for one in series)),
        _rows(labels, series, text),
        bands=[Stroke(_outline(one, run, x, axis.y), one.pattern) for one in series for run in _runs(one.low)],
        strokes=[
            Stroke(" ".join(f"{x(at)},{axis.y(one.values[at] or 0)}" for at in run), one.pattern)
            for one in series
            for run in _runs(one.values)
            if len(run) > 1
        ],
        marks=[
            ChartMark(x(at), axis.y(value), one.pattern, f"{labels[at]}, {one.name}", text(value))
            for one in series
            for run in _runs(one.values)
            for at in run
            if (value := one.values[at]) is not None and (len(labels) <= _MOST_MARKS or len(run) == 1)
        ],
        rule=Tick(axis.y(rule[0]), rule[1]) if rule else None,
    )


def shares(parts: Sequence[tuple[str, Pattern, float]]) -> Sequence[Share]:
    """Return one bar divided into (name, pattern, count); empty if the total is 0."""
    whole = sum(count for _, _, count in parts)
    cut: list[Share] = []
    begun = 0.0
    for name, pattern, count in parts:
        if whole:
            place = _round(_EDGE + _BAR * begun / whole), _round(_BAR * count / whole)
            cut.append(Share(name, pattern, count, count / whole, *place))
            begun += count
    return cut


class _Axis:
    """The vertical axis, from 0 to a round number above ``most``, in steps of ``least`` or more."""

    def __init__(self, most: float, height: int, least: float = 0) -> None:
        self._step = max(least, _round_step(most / 3))
        self._top = self._step * max(1, math.ceil(most / self._step - 1e-9))
        self._height = height

    def y(self, value: float) -> float:
        return _round(_TOP + (self._height - _TOP - _FOOT) * (1 - value / self._top))

    def ticks(self, text: Text) -> list[Tick]:
        count = round(self._top / self._step)
        return [Tick(self.y(self._step * each), text(self._step * each)) for each in range(count + 1)]


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, … (or 0.1, 0.2, …) that is not below ``least``."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= least * (1 - 1e-9))


def _across(labels: Sequence[str], x: Callable[[int], float]) -> list[Tick]:
    every = max(1, math.ceil(len(labels) / _MOST_LABELS))
    return [Tick(_round(x(at)), labels[at]) for at in range(0, len(labels), every)]


def _rows(labels: Sequence[str], series: Sequence[Series], text: Text) -> list[Sequence[str]]:
    def cell(one: Series, at: int) -> str:
        value = one.values[at]
        if value is None:
            return _DASH
        low, high = (side[at] if side else None for side in (one.low, one.high))
        return text(value) if low is None or high is None else f"{text(value)} ({text(low)} {_DASH} {text(high)})"

    return [(label, *(cell(one, at) for one in series)) for at, label in enumerate(labels)]


def _runs(values: Sequence[float | None]) -> Iterator[Sequence[int]]:
    """Yield the runs of positions without a gap."""
    run: list[int] = []
    for at, value in enumerate(values):
        if value is not None:
            run.append(at)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _outline(one: Series, run: Sequence[int], x: Callable[[int], float], y: Callable[[float], float]) -> str:
    there = [f"{x(at)},{y(one.high[at] or 0)}" for at in run]
    back = [f"{x(at)},{y(one.low[at] or 0)}" for at in reversed(run)]
    return " ".join([*there, *back])


def _round(number: float) -> float:
    return round(number, 1)
