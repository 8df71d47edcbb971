"""Compares the numbers of a page with those of a week before, or of as many days before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from flask_babel import format_date, ngettext
from flask_babel import gettext as _

from triof.common.statistics_math import wilson_interval
from triof.statistics.queries import Statistics
from triof.statistics.recycling import recycled
from triof.statistics.results import Totals
from triof.web.dashboard import labels
from triof.web.dashboard.filters import DashboardFilter

_ENOUGH = 20
"""Shares of fewer deposits are not compared: chance alone changes them."""
_WEEK = 7

Direction = Literal["more", "fewer", "same", "none"]
Tone = Literal["", "better", "worse"]
Part = tuple[int, int]
"""A part and the whole."""


@dataclass(frozen=True)
class Change:
    """What changed since the days before; ``tone`` is its colour, for a change larger than chance brings about."""

    words: str
    direction: Direction
    tone: Tone = ""


def changes(statistics: Statistics, wanted: DashboardFilter, now: Totals) -> Mapping[str, Change]:
    """Return the change of each large number, by the name of its tile."""
    days = wanted.days if wanted.days >= _WEEK else _WEEK
    scope = statistics.earlier(wanted.first, wanted.last, timedelta(days), wanted.machines or None)
    before, then = statistics.totals(scope), _then(statistics, wanted, days)

    def kilograms(totals: Totals) -> float:
        return recycled(totals.shredded, statistics.settings).total_kilograms

    if not before.judged:
        nothing = Change(_("no deposit %(then)s", then=then), "none")
        return dict.fromkeys(("judged", "dirty", "corrected", "kilograms"), nothing)
    return {
        "judged": _count(now.judged, before.judged, then),
        "dirty": _points(_dirty(now), _dirty(before), then),
        "corrected": _points((now.corrected, now.compared), (before.corrected, before.compared), then),
        "kilograms": _kilograms(kilograms(now), kilograms(before), then),
    }


def _then(statistics: Statistics, wanted: DashboardFilter, shift: int) -> str:
    """Return the words for the days compared with, as they stand behind "than"."""
    if wanted.days > 1:
        return str(_("in the %(days)s days before", days=shift) if shift == wanted.days else _("in the week before"))
    weekday = format_date(wanted.first, "EEEE")
    if wanted.last >= statistics.today:
        return str(_("last %(weekday)s by this time", weekday=weekday))
    return str(_("on the %(weekday)s before", weekday=weekday))


def _dirty(totals: Totals) -> Part:
    return totals.reasons.get("dirty", 0), totals.judged


def _count(now: int, before: int, then: str) -> Change:
    number = labels.count(abs(now - before))
    # Two standard deviations of the difference of two counts.
    is_clear = (now - before) ** 2 > 4 * (now + before)
    if now > before:
        return Change(
            _("%(number)s more than %(then)s", number=number, then=then), "more", "better" if is_clear else ""
        )
    if now < before:
        return Change(
            _("%(number)s fewer than %(then)s", number=number, then=then), "fewer", "worse" if is_clear else ""
        )
    return Change(_("as many as %(then)s", then=then), "same")


def _points(now: Part, before: Part, then: str) -> Change:
    if min(now[1], before[1]) < _ENOUGH:
        return Change(_("too few deposits to compare"), "none")
    shares = [count / of for count, of in (now, before)]
    low, high = wilson_interval(shares[0], now[1])
    low_before, high_before = wilson_interval(shares[1], before[1])
    points = round(100 * (shares[0] - shares[1]))
    if not points:
        return Change(_("as %(then)s", then=then), "same")
    said = {"number": labels.count(abs(points)), "then": then}
    if points > 0:
        more = ngettext("%(number)s point more than %(then)s", "%(number)s points more than %(then)s", points, **said)
        return Change(more, "more", "worse" if low > high_before else "")
    less = ngettext("%(number)s point less than %(then)s", "%(number)s points less than %(then)s", -points, **said)
    return Change(less, "fewer", "better" if high < low_before else "")


def _kilograms(now: float, before: float, then: str) -> Change:
    number = labels.amount(abs(now - before))
    if number == labels.amount(0):
        return Change(_("as much as %(then)s", then=then), "same")
    if now > before:
        return Change(_("%(number)s kg more than %(then)s", number=number, then=then), "more")
    return Change(_("%(number)s kg less than %(then)s", number=number, then=then), "fewer")
