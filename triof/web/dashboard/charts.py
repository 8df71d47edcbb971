"""Charts and shares of the journal's numbers, labelled in the page's language."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from itertools import groupby, pairwise

from flask_babel import format_date
from flask_babel import gettext as _

from triof.common.statistics_math import wilson_interval
from triof.reporting import charts
from triof.reporting.charts import Chart, Labels, Pattern, Series, Share
from triof.settings.tree import Settings
from triof.statistics import export, histogram
from triof.statistics.queries import Statistics
from triof.statistics.results import Day, Hour, Seconds, Totals
from triof.web.dashboard import labels
from triof.web.dashboard.filters import DashboardFilter

_MOST_DAYS, _MOST_WEEKS = 92, 120
"""Longest period with a bar for each day or week; more bars would be too thin."""
_HOURS_UP_TO_DAYS = 2
_ACTIONS: Mapping[str, Pattern] = {"accept": "e", "ask": "c", "refuse": "b"}
_TYPES: Mapping[str, Pattern] = {"bottle": "a", "cup": "b", "cutlery": "c"}
_EDGES = (0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 60, 3600)
"""Seconds between two bars of a histogram."""


@dataclass(frozen=True)
class Span:
    """A period and its totals; longer periods hold the totals of several days. ``key`` is its ISO date or time."""

    label: str
    key: str
    totals: Sequence[Totals]

    def sum(self, read: Callable[[Totals], int]) -> int:
        """Return the sum of one number over the period."""
        return sum(map(read, self.totals))


@dataclass(frozen=True)
class ChartSource:
    """What the charts of a page are drawn from; each is read once, when the first chart needs it."""

    statistics: Statistics
    wanted: DashboardFilter
    settings: Settings

    @cached_property
    def days(self) -> Sequence[Day]:
        """Return the days of the filter."""
        return self.statistics.by_day(self.wanted.scope(self.statistics))

    @cached_property
    def spans(self) -> tuple[str, Sequence[Span]]:
        """Return the unit's name, and the days by day, week or month, depending on how many there are."""
        return _spans(self.days)

    @cached_property
    def hours(self) -> tuple[str, Sequence[Span]]:
        """Return the same by hour for a day or two, else :attr:`spans`."""
        if self.wanted.days > _HOURS_UP_TO_DAYS:
            return self.spans
        return _hours(self.statistics.by_hour(self.wanted.scope(self.statistics)))


def _spans(days: Sequence[Day]) -> tuple[str, Sequence[Span]]:
    if len(days) <= _MOST_DAYS:
        return _("Day"), [Span(labels.day(each.day), each.day.isoformat(), [each.totals]) for each in days]
    weekly = len(days) <= 7 * _MOST_WEEKS

    def begin(each: Day) -> tuple[str, str]:
        monday = each.day - timedelta(each.day.weekday())
        if weekly:
            return labels.day(monday), monday.isoformat()
        return str(format_date(each.day.replace(day=1), "MMM yy")), f"{each.day:%Y-%m}"

    head = _("Week from") if weekly else _("Month")
    return head, [Span(*names, [day.totals for day in some]) for names, some in groupby(days, begin)]


def _hours(happened: Sequence[Hour]) -> tuple[str, Sequence[Span]]:
    """Return the hours of a day, without the empty ones before the first and after the last deposit."""
    busy = [at for at, hour in enumerate(happened) if hour.totals.judged]
    kept = happened[busy[0] : busy[-1] + 1] if busy else []
    return _("Hour"), [Span(labels.clock(hour.at), hour.at.isoformat(), [hour.totals]) for hour in kept]


def _deposits(source: ChartSource) -> Chart:
    """Chart the number of deposits by verdict, of a day by hour."""
    return _verdicts(*source.hours)


def _verdicts(head: str, over: Sequence[Span]) -> Chart:
    def counted(action: str) -> Callable[[Totals], int]:
        return lambda totals: totals.actions.get(action, 0)

    parts = [(str(labels.ACTIONS[action]), pattern, counted(action)) for action, pattern in _ACTIONS.items()]
    return _stacked(head, over, parts)


def _types(source: ChartSource) -> Chart:
    """Chart the shredded items by type."""

    def counted(label: str) -> Callable[[Totals], int]:
        return lambda totals: totals.shredded.get(label, 0)

    parts = [(str(labels.TYPES[label]), pattern, counted(label)) for label, pattern in _TYPES.items()]
    return _stacked(*source.spans, parts)


def _who_answered(source: ChartSource) -> Chart:
    """Chart the provider of the type: cloud or this machine."""
    return _stacked(
        *source.spans,
        [
            (_("The cloud"), "a", lambda totals: totals.cloud),
            (_("This machine"), "c", lambda totals: totals.local),
            (_("No answer"), "b", _unanswered),
        ],
    )


def _dirty(source: ChartSource) -> Chart:
    """Chart the share of dirty items, with its confidence interval."""
    return _proportion(source, _("Dirty"), lambda totals: totals.reasons.get("dirty", 0), lambda totals: totals.judged)


def _corrections(source: ChartSource) -> Chart:
    """Chart the share of corrected types, with its confidence interval."""
    return _proportion(source, _("Corrected"), lambda totals: totals.corrected, lambda totals: totals.compared)


def _response_times(source: ChartSource) -> Chart:
    """Chart the daily median and 95th percentile from photo to verdict."""

    def values(read: Callable[[Seconds], float]) -> list[float | None]:
        return [read(day.totals.seconds) if day.totals.seconds else None for day in source.days]

    texts, keys = [labels.day(each.day) for each in source.days], [each.day.isoformat() for each in source.days]
    series = [
        Series(_("Half were faster than"), "a", values(lambda seconds: seconds.p50)),
        Series(_("95 in 100 were faster than"), "b", values(lambda seconds: seconds.p95)),
    ]
    return charts.lines(Labels(_("Day"), texts, keys), series, labels.seconds)


def _durations(source: ChartSource) -> Chart:
    """Chart how many deposits took how long from photo to verdict, with the deadline."""
    buckets = source.statistics.durations(source.wanted.scope(source.statistics))
    deadline = source.settings.deadline_seconds
    edges = list(_edges([histogram.middle(number) for number in buckets], deadline))
    counts = [0] * (len(edges) - 1)
    for number, count in buckets.items():
        counts[bisect_right(edges, histogram.middle(number)) - 1] += count
    in_time = edges.index(deadline)
    texts = [
        _("%(least)s to %(most)s", least=labels.short_seconds(least), most=labels.short_seconds(most))
        for least, most in pairwise(edges)
    ]
    series = [
        Series(_("In time"), "a", [count if at < in_time else 0 for at, count in enumerate(counts)]),
        Series(_("Later than the deadline"), "b", [count if at >= in_time else 0 for at, count in enumerate(counts)]),
    ]
    keys = [f"{least:g}-{most:g}" for least, most in pairwise(edges)]
    rule = in_time, _("Deadline: %(seconds)s", seconds=labels.short_seconds(deadline))
    shown = [labels.short_seconds(edge) for edge in edges]
    return charts.histogram(Labels(_("Duration"), texts, keys), shown, series, labels.count, rule=rule)


def _edges(durations: Sequence[float], deadline: float) -> Iterator[float]:
    """Yield the edges around all durations, and around the deadline, which is one itself."""
    known = [*durations, deadline]
    edges = sorted({*_EDGES, deadline})
    first = max(edge for edge in edges if edge <= min(known) and edge < deadline)
    # One bar behind the deadline shows that nothing was later.
    last = min(edge for edge in edges if edge > max(known))
    return (edge for edge in edges if first <= edge <= last)


CHARTS: Mapping[str, Callable[[ChartSource], Chart]] = {
    "deposits": _deposits,
    "verdicts": lambda source: _verdicts(*source.spans),
    "types": _types,
    "dirty": _dirty,
    "corrections": _corrections,
    "who": _who_answered,
    "durations": _durations,
    "times": _response_times,
}
"""All charts of the dashboard, by the name in the address of their CSV file."""


def csv(chart: Chart) -> str:
    """Return the numbers of a chart as a CSV file; the byte order mark is for spreadsheets."""
    return "\ufeff" + "".join(export.line(row) for row in chart.values)


def action_shares(totals: Totals) -> Sequence[Share]:
    """Return the share of each verdict."""
    return charts.shares(
        [(str(labels.ACTIONS[action]), pattern, totals.actions.get(action, 0)) for action, pattern in _ACTIONS.items()]
    )


def answer_shares(totals: Totals) -> Sequence[Share]:
    """Return the share of each provider in the types."""
    return charts.shares(
        [
            (_("The cloud"), "a", totals.cloud),
            (_("This machine"), "c", totals.local),
            (_("No answer"), "b", _unanswered(totals)),
        ]
    )


def _unanswered(totals: Totals) -> int:
    return max(0, totals.judged - totals.cloud - totals.local)


def _named(head: str, over: Sequence[Span]) -> Labels:
    return Labels(head, [span.label for span in over], [span.key for span in over])


def _stacked(head: str, over: Sequence[Span], parts: Sequence[tuple[str, Pattern, Callable[[Totals], int]]]) -> Chart:
    series = [Series(name, pattern, [span.sum(read) for span in over]) for name, pattern, read in parts]
    return charts.bars(_named(head, over), series, labels.count)


def _proportion(source: ChartSource, name: str, part: Callable[[Totals], int], whole: Callable[[Totals], int]) -> Chart:
    head, over = source.spans
    shares: list[float | None] = []
    lows: list[float | None] = []
    highs: list[float | None] = []
    for span in over:
        of = span.sum(whole)
        share = span.sum(part) / of if of else None
        low, high = wilson_interval(share, of) if share is not None else (None, None)
        shares.append(share)
        lows.append(low)
        highs.append(high)
    series = Series(name, "a", shares, lows, highs)
    return charts.lines(_named(head, over), [series], labels.share, at_least=0.05, between=labels.between)
