"""The monthly report for a tenant, for a screen or A4 paper."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import NamedTuple

from babel import dates

from triof import __version__
from triof.common.paths import font_url
from triof.journal.scope import Scope
from triof.reporting.page_templates import LOCALES, data_url, long_date, page_templates
from triof.settings.sections.reports import CO2_SOURCE
from triof.settings.tree import Language
from triof.statistics.queries import Statistics
from triof.statistics.recycling import TYPES
from triof.statistics.results import Day

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'none'"
)
"""For the server of the page, which has inline styles and no script."""

_MOST_BARS = 62
"""Longer periods have a bar for each month."""
_RETURNS = ("dirty", "other", "cancelled", "timed_out")


class Bar(NamedTuple):
    """The shredded items of one day, or one month."""

    since: date
    label: str
    """Under the bar."""
    name: str
    shredded: int


def render(statistics: Statistics, scope: Scope, language: Language) -> str:
    """Render the report about ``scope`` as one HTML file that loads nothing. Raises SQLAlchemyError."""
    totals, happened = statistics.totals(scope), statistics.by_day(scope)
    first, last = _ends(statistics, scope)
    return (
        page_templates(language)
        .get_template("reports/month.html")
        .render(
            language=language,
            font_url=font_url(),
            version=__version__,
            today=statistics.today,
            title=_title(first, last, language),
            first=first,
            last=last,
            tenant=statistics.tenant.name,
            logo=data_url(statistics.logo),
            accent=statistics.tenant.colours.main,
            grams=statistics.settings.grams.model_dump(),
            millimetres=statistics.settings.filament_millimetres,
            machines=sorted(scope.machines) if scope.machines is not None else statistics.machines(),
            totals=totals,
            worth=statistics.recycled(scope),
            # The default source is translated by the template.
            own_source=None if statistics.settings.co2.source == CO2_SOURCE else statistics.settings.co2.source,
            types=TYPES,
            bars=_bars(happened, language),
            handed_back=_handed_back(totals.returned),
        )
    )


def _ends(statistics: Statistics, scope: Scope) -> tuple[date, date]:
    """Return the first and the last day with data."""
    first = statistics.calendar.day(scope.since)
    return first, max(first, min(statistics.calendar.last_day(scope.until), statistics.today))


def _title(first: date, last: date, language: Language) -> str:
    if first.day == 1 and (first.year, first.month) == (last.year, last.month):
        return _month(first, language)
    return " \u2013 ".join(long_date(day, LOCALES[language]) for day in (first, last))


def _bars(happened: Sequence[Day], language: Language) -> Sequence[Bar]:
    if len(happened) <= _MOST_BARS:
        name = partial(dates.format_date, format="full", locale=LOCALES[language])
        return [Bar(each.day, str(each.day.day), name(each.day), each.totals.items) for each in happened]
    months: defaultdict[date, int] = defaultdict(int)
    for each in happened:
        months[each.day.replace(day=1)] += each.totals.items
    short = partial(dates.format_skeleton, "MMM", locale=LOCALES[language])
    return [Bar(begun, short(begun), _month(begun, language), items) for begun, items in sorted(months.items())]


def _month(day: date, language: Language) -> str:
    return dates.format_skeleton("yMMMM", day, locale=LOCALES[language])


def _handed_back(returned: Mapping[str, int]) -> Sequence[tuple[str, int]]:
    """Return reason and count, including zeros; unknown reasons of later versions come last."""
    return [(reason, returned.get(reason, 0)) for reason in (*_RETURNS, *sorted(set(returned) - set(_RETURNS)))]
