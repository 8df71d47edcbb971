"""Forecast of a provider's quota from the pace of the last days."""

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
    """Return the forecast for one provider at ``now``. Raises SQLAlchemyError."""
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
    """Return the calls of the last 30 days by age in days."""
    since = now - WINDOW
    day = func.date(_LEDGER.c.at)
    of = (_LEDGER.c.resource == resource, _LEDGER.c.kind == "call", _LEDGER.c.at > since, _LEDGER.c.at <= now)
    with database.read() as connection:
        found = connection.execute(select(day, func.count()).where(*of).group_by(day)).all()
    # SQLite returns a date as text.
    return {(now.date() - date.fromisoformat(str(each))).days: count for each, count in found}


def _runs_out_on(usage: QuotaUsage, calls: Mapping[int, int], pace: float, today: date) -> date | None:
    """Return the first day at whose end the calls of 30 days reach the limit."""
    if usage.exhausted:
        return today
    limit = usage.allowance.per_month
    if limit is None:
        return None
    # After 30 days the window holds only forecast calls, so the count stays constant.
    for ahead in range(WINDOW.days + 1):
        kept = sum(count for age, count in calls.items() if age + ahead < WINDOW.days)
        if kept + pace * ahead >= limit:
            return today + _DAY * ahead
    return None
