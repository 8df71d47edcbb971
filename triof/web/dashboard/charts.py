"""Charts and shares of the journal's numbers, labelled in the page's language."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from flask_babel import format_date
from flask_babel import gettext as _

from triof.common.statistics_math import wilson_interval
from triof.reporting import charts
from triof.reporting.charts import Chart, Pattern, Series, Share
from triof.statistics.results import Day, Hour, Seconds, Totals
from triof.web.dashboard import labels

_MOST_DAYS, _MOST_WEEKS = 92, 120
"""Longest period with a bar for each day or week; more bars would be too thin."""
_ACTIONS: Mapping[str, Pattern] = {"accept": "e", "ask": "c", "refuse": "b"}
_TYPES: Mapping[str, Pattern] = {"bottle": "a", "cup": "b", "cutlery": "c"}


@dataclass(frozen=True)
class Span:
    """A period and its totals; longer periods hold the totals of several days."""

    label: str
    totals: Sequence[Totals]

    def sum(self, read: Callable[[Totals], int]) -> int:
        """Return the sum of one number over the period."""
        return sum(map(read, self.totals))


def spans(days: Sequence[Day]) -> tuple[str, Sequence[Span]]:
    """Group the days by day, week or month, depending on how many there are; return the unit's name and the spans."""
    if len(days) <= _MOST_DAYS:
        return _("Day"), [Span(labels.day(each.day), [each.totals]) for each in days]
    weekly = len(days) <= 7 * _MOST_WEEKS

    def begin(each: Day) -> str:
        monday = each.day - timedelta(each.day.weekday())
        return labels.day(monday) if weekly else str(format_date(each.day.replace(day=1), "MMM yy"))

    head = _("Week from") if weekly else _("Month")
    return head, [Span(label, [day.totals for day in some]) for label, some in groupby(days, begin)]


def hours(happened: Sequence[Hour]) -> tuple[str, Sequence[Span]]:
    """Return the hours of a day, without the empty ones before the first and after the last deposit."""
    busy = [at for at, hour in enumerate(happened) if hour.totals.judged]
    kept = happened[busy[0] : busy[-1] + 1] if busy else []
    return _("Hour"), [Span(labels.clock(hour.at), [hour.totals]) for hour in kept]


def verdicts(head: str, over: Sequence[Span]) -> Chart:
    """Chart the number of deposits by verdict."""

    def counted(action: str) -> Callable[[Totals], int]:
        return lambda totals: totals.actions.get(action, 0)

    parts = [(str(labels.ACTIONS[action]), pattern, counted(action)) for action, pattern in _ACTIONS.items()]
    return _stacked(head, over, parts)


def types(head: str, over: Sequence[Span]) -> Chart:
    """Chart the shredded items by type."""

    def counted(label: str) -> Callable[[Totals], int]:
        return lambda totals: totals.shredded.get(label, 0)

    parts = [(str(labels.TYPES[label]), pattern, counted(label)) for label, pattern in _TYPES.items()]
    return _stacked(head, over, parts)


def who_answered(head: str, over: Sequence[Span]) -> Chart:
    """Chart the provider of the type: cloud or this machine."""
    return _stacked(
        head,
        over,
        [
            (_("The cloud"), "a", lambda totals: totals.cloud),
            (_("This machine"), "c", lambda totals: totals.local),
            (_("No answer"), "b", _unanswered),
        ],
    )


def dirty(head: str, over: Sequence[Span]) -> Chart:
    """Chart the share of dirty items, with its confidence interval."""
    return _proportion(
        head,
        over,
        _("Dirty"),
        lambda totals: totals.reasons.get("dirty", 0),
        lambda totals: totals.judged,
    )


def corrections(head: str, over: Sequence[Span]) -> Chart:
    """Chart the share of corrected types, with its confidence interval."""
    return _proportion(head, over, _("Corrected"), lambda totals: totals.corrected, lambda totals: totals.compared)


def response_times(days: Sequence[Day], cloud_seconds: float) -> Chart:
    """Chart the daily median and 95th percentile from photo to verdict, with the cloud's timeout as a line."""

    def values(read: Callable[[Seconds], float]) -> list[float | None]:
        return [read(day.totals.seconds) if day.totals.seconds else None for day in days]

    return charts.lines(
        _("Day"),
        [labels.day(each.day) for each in days],
        [
            Series(_("Half were faster than"), "a", values(lambda seconds: seconds.p50)),
            Series(_("95 in 100 were faster than"), "b", values(lambda seconds: seconds.p95)),
        ],
        labels.seconds,
        rule=(cloud_seconds, _("the cloud's time")),
    )


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


def _stacked(head: str, over: Sequence[Span], parts: Sequence[tuple[str, Pattern, Callable[[Totals], int]]]) -> Chart:
    series = [Series(name, pattern, [span.sum(read) for span in over]) for name, pattern, read in parts]
    return charts.bars(head, [span.label for span in over], series, labels.count)


def _proportion(
    head: str,
    over: Sequence[Span],
    name: str,
    part: Callable[[Totals], int],
    whole: Callable[[Totals], int],
) -> Chart:
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
    return charts.lines(head, [span.label for span in over], [series], labels.share, at_least=0.05)
