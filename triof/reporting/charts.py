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
_FITTED = 0.5
"""Share of the largest value from which the smallest one makes the axis of lines begin above zero."""
_GAP = 0.22
"""Share of a bar's slot that stays empty."""

_DECIMALS = 4
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


Cell = str | float | None


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
    values: Sequence[Sequence[Cell]]
    """The same table for a program: a head, then numbers; a band has a column for each of its sides."""
    rects: Sequence[Rect] = ()
    bands: Sequence[Stroke] = ()
    strokes: Sequence[Stroke] = ()
    marks: Sequence[ChartMark] = ()
    rule: Tick | None = None
    """A limit on the lower axis, drawn as an upright line."""
    bottom: float = 0
    """The value at the lower axis."""
    width: int = WIDTH
    top: int = _TOP

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
Between = Callable[[float, float], str]
"""Formats the two sides of a band."""


@dataclass(frozen=True)
class Labels:
    """The labels below a chart: ``head`` is their column's, ``keys`` are the same for a program."""

    head: str
    texts: Sequence[str]
    keys: Sequence[str]

    def __len__(self) -> int:
        """Return the number of labels."""
        return len(self.texts)


def bars(labels: Labels, series: Sequence[Series], text: Text, *, height: int = 320) -> Chart:
    """Draw a bar for each of ``labels``, with the series, which are counts, stacked."""
    rects, axis, room = _stacked(labels, series, text, height, _GAP)
    return Chart(
        height,
        _LEFT,
        WIDTH - _RIGHT,
        height - _FOOT,
        _across(labels.texts, lambda at: _LEFT + room * (at + 0.5)),
        axis.ticks(text),
        [(one.name, one.pattern) for one in series],
        (labels.head, *(one.name for one in series)),
        _rows(labels, series, text),
        _values(labels, series),
        rects=rects,
    )


def histogram(
    labels: Labels,
    edges: Sequence[str],
    series: Sequence[Series],
    text: Text,
    *,
    rule: tuple[int, str],
    height: int = 320,
) -> Chart:
    """Draw a bar between every two ``edges``, named by ``labels``; ``rule`` is the number of an edge, and its name."""
    rects, axis, room = _stacked(labels, series, text, height, 0)
    return Chart(
        height,
        _LEFT,
        WIDTH - _RIGHT,
        height - _FOOT,
        _across(edges, lambda at: _LEFT + room * at),
        axis.ticks(text),
        [(one.name, one.pattern) for one in series],
        (labels.head, *(one.name for one in series)),
        _rows(labels, series, text),
        _values(labels, series),
        rects=rects,
        rule=Tick(_round(_LEFT + room * rule[0]), rule[1]),
    )


def lines(
    labels: Labels,
    series: Sequence[Series],
    text: Text,
    *,
    height: int = 320,
    at_least: float = 0,
    between: Between | None = None,
) -> Chart:
    """Draw a line for each series over ``labels``, broken where a value is None.

    The axis fits the values: it begins above zero where they lie close together, and extends to ``at_least`` otherwise.
    ``between`` formats the band, if there is one.
    """
    known = [value for one in series for value in (*one.values, *one.low, *one.high) if value is not None]
    axis = _Axis.fitted(known, at_least, height)
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(labels) - 1)

    def x(at: int) -> float:
        return _round(_LEFT + (step * at if len(labels) > 1 else (WIDTH - _LEFT - _RIGHT) / 2))

    return Chart(
        height,
        _LEFT,
        WIDTH - _RIGHT,
        height - _FOOT,
        _across(labels.texts, x),
        axis.ticks(text),
        [(one.name, one.pattern) for one in series],
        (labels.head, *(one.name for one in series)),
        _rows(labels, series, text, between),
        _values(labels, series),
        bands=[Stroke(_outline(one, run, x, axis.y), one.pattern) for one in series for run in _runs(one.low)],
        strokes=[
            Stroke(" ".join(f"{x(at)},{axis.y(one.values[at] or 0)}" for at in run), one.pattern)
            for one in series
            for run in _runs(one.values)
            if len(run) > 1
        ],
        marks=[
            ChartMark(
                x(at), axis.y(value), one.pattern, f"{labels.texts[at]}, {one.name}", _cell(one, at, text, between)
            )
            for one in series
            for run in _runs(one.values)
            for at in run
            if (value := one.values[at]) is not None and (len(labels) <= _MOST_MARKS or len(run) == 1)
        ],
        bottom=axis.bottom,
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
    """The vertical axis between round numbers around ``least`` and ``most``, in steps of ``step`` or more."""

    def __init__(self, least: float, most: float, height: int, step: float = 0) -> None:
        self._step = max(step, _round_step((most - least) / 3))
        self._first = math.floor(least / self._step + 1e-9)
        self._last = max(self._first + 1, math.ceil(most / self._step - 1e-9))
        self._height = height

    @classmethod
    def fitted(cls, values: Sequence[float], at_least: float, height: int) -> "_Axis":
        """Return the axis for lines: from zero, unless the values are close together and far from it."""
        least, most = min(values, default=0), max(values, default=0)
        if least < _FITTED * most or not most:
            return cls(0, max(most, at_least), height)
        # Equal values still need an axis around them.
        room = max(0.0, 0.02 * most - (most - least)) / 2
        return cls(least - room, most, height)

    @property
    def bottom(self) -> float:
        return self._step * self._first

    def y(self, value: float) -> float:
        share = (value / self._step - self._first) / (self._last - self._first)
        return _round(_TOP + (self._height - _TOP - _FOOT) * (1 - share))

    def ticks(self, text: Text) -> list[Tick]:
        values = [self._step * each for each in range(self._first, self._last + 1)]
        return [Tick(self.y(value), text(value)) for value in values]


def _stacked(
    labels: Labels, series: Sequence[Series], text: Text, height: int, gap: float
) -> tuple[Sequence[Rect], _Axis, float]:
    """Return the parts of all bars, the axis in whole numbers, and the width of a bar's slot."""
    totals = [sum(one.values[at] or 0 for one in series) for at in range(len(labels))]
    axis = _Axis(0, max(totals, default=0), height, step=1)
    room = (WIDTH - _LEFT - _RIGHT) / max(1, len(labels))
    rects: list[Rect] = []
    for at, label in enumerate(labels.texts):
        below = 0.0
        for one in series:
            if value := one.values[at]:
                top, bottom = axis.y(below + value), axis.y(below)
                x, width = _round(_LEFT + room * (at + gap / 2)), _round(room * (1 - gap))
                name = f"{label}, {one.name}"
                rects.append(Rect(x, top, width, _round(bottom - top), one.pattern, name, text(value)))
                below += value
    return rects, axis, room


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, … (or 0.1, 0.2, …) that is not below ``least``."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= least * (1 - 1e-9))


def _across(labels: Sequence[str], x: Callable[[int], float]) -> list[Tick]:
    every = max(1, math.ceil(len(labels) / _MOST_LABELS))
    return [Tick(_round(x(at)), labels[at]) for at in range(0, len(labels), every)]


def _rows(labels: Labels, series: Sequence[Series], text: Text, between: Between | None = None) -> list[Sequence[str]]:
    return [(label, *(_cell(one, at, text, between) for one in series)) for at, label in enumerate(labels.texts)]


def _cell(one: Series, at: int, text: Text, between: Between | None) -> str:
    value = one.values[at]
    if value is None:
        return _DASH
    low, high = (side[at] if side else None for side in (one.low, one.high))
    return text(value) if low is None or high is None or not between else f"{text(value)} ({between(low, high)})"


def _values(labels: Labels, series: Sequence[Series]) -> list[Sequence[Cell]]:
    head: list[Cell] = [labels.head]
    rows: list[list[Cell]] = [[key] for key in labels.keys]
    for one in series:
        for name, values in ((one.name, one.values), (f"{one.name} min", one.low), (f"{one.name} max", one.high)):
            if values:
                head.append(name)
                for row, value in zip(rows, values, strict=True):
                    row.append(None if value is None else round(value, _DECIMALS))
    return [head, *rows]


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
