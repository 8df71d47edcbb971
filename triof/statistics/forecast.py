"""When the calls to a provider will be used up, at the pace of the last days."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import cast

from sqlalchemy import Table, func, select

from triof.judging.quota import WINDOW, QuotaLedger, QuotaUsage
from triof.statistics.results import QuotaForecast
from triof.storage.database import Database
from triof.storage.tables import LedgerRow

_LEDGER = cast(Table, LedgerRow.__table__)
_DAY = timedelta(days=1)
_PACE_DAYS = 7


def forecast(provider: str, ledger: QuotaLedger, database: Database, now: datetime) -> QuotaForecast:
    """Where the calls to one provider stand at ``now``. Raises SQLAlchemyError."""
    usage = ledger.usage()
    allowance = usage.allowance
    calls = _calls_by_age(database, allowance.resource, now)
    pace = sum(count for age, count in calls.items() if age < _PACE_DAYS) / _PACE_DAYS
    return QuotaForecast(
        provider=provider,
        resource=allowance.resource,
        tier=allowance.tier,
        used=usage.used,
        refused=usage.refused,
        limit=allowance.per_month,
        exhausted=usage.exhausted,
        resets_at=usage.resets_at,
        retired_until=usage.retired_until,
        calls_a_day=pace,
        runs_out_on=_runs_out_on(usage, calls, pace, now.date()),
        euros=usage.euros,
        euros_in_30_days=pace * WINDOW.days * allowance.euros_per_1000 / 1000,
    )


def _calls_by_age(database: Database, resource: str, now: datetime) -> Mapping[int, int]:
    """The calls of the last 30 days by how many days ago they were made, in steps of 24 hours."""
    since = now - WINDOW
    day = func.date(_LEDGER.c.at)
    of = (_LEDGER.c.resource == resource, _LEDGER.c.kind == "call", _LEDGER.c.at > since, _LEDGER.c.at <= now)
    with database.read() as connection:
        found = connection.execute(select(day, func.count()).where(*of).group_by(day)).all()
    # A text where the database knows no dates.
    return {(now.date() - date.fromisoformat(str(each))).days: count for each, count in found}


def _runs_out_on(usage: QuotaUsage, calls: Mapping[int, int], pace: float, today: date) -> date | None:
    """The first day by whose end as many calls lie in its 30 days as there may be."""
    if usage.exhausted:
        return today
    limit = usage.allowance.per_month
    if limit is None:
        return None
    # After 30 days only calls at the present pace are left in the count: then it stays as it is.
    for ahead in range(WINDOW.days + 1):
        kept = sum(count for age, count in calls.items() if age + ahead < WINDOW.days)
        if kept + pace * ahead >= limit:
            return today + _DAY * ahead
    return None
