"""What is wrong with the machine itself: quota, cloud, a stuck part, the disk, the journal. Each has a way back that is
longer than the way there, so that nothing fires every minute.
"""

import shutil
import time
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from triof.journal import Journal
from triof.journal_backups import JournalBackups
from triof.journal_file import JournalFile
from triof.monitoring.alerts import Fault
from triof.monitoring.reading import latest_first
from triof.quota import WARNED_FROM
from triof.settings import Settings

NAMES = frozenset({"quota", "cloud", "jammed", "disk", "journal"})
_LATE_DAYS = 3
_SOME = 50
"""Probes of a breaker that is open: some four hours of them."""


def faults(
    settings: Settings, journal: Journal, is_open: Collection[str], now: datetime
) -> Iterator[tuple[str, Fault]]:
    """Name and fault of what is wrong now; ``is_open`` names the alerts that have fired already."""
    yield from _quota(settings, journal, "quota" in is_open)
    yield from list(_retired(settings, journal)) or _cloud(settings, journal, now)
    yield from _jammed(journal)
    yield from _disk(settings, "disk" in is_open)
    yield from _journal(settings, journal)


def _quota(settings: Settings, journal: Journal, fired: bool) -> Iterator[tuple[str, Fault]]:
    from triof import services

    for name, ledger in services.ledgers(settings, journal).items():
        usage = ledger.usage()
        limit = usage.allowance.per_month
        share = usage.used / limit if limit else 0.0
        if usage.exhausted or share >= WARNED_FROM * (0.95 if fired else 1):
            told = "used up: the cloud is not asked" if usage.exhausted else f"nearly used up: {share:.0%} of {limit:,}"
            yield "quota", Fault(f"The quota of {name} is {told}. `triof quota` tells when calls come back.", share)


def _retired(settings: Settings, journal: Journal) -> Iterator[tuple[str, Fault]]:
    from triof import services

    for name, ledger in services.ledgers(settings, journal).items():
        if ledger.usage().retired_until:
            remedy = "docs/guide/azure.md tells how to go on."
            yield "cloud", Fault(f"The service behind {name} is retired: this machine judges alone. {remedy}")


def _cloud(settings: Settings, journal: Journal, now: datetime) -> Iterator[tuple[str, Fault]]:
    """Fires once a probe, too, has failed for so long: at night nobody probes."""
    with journal.begin() as connection:
        opened = latest_first(connection, journal.machine_id, "breaker.opened", _SOME)
        closed = latest_first(connection, journal.machine_id, "breaker.closed", 1)
    since = [row for row in opened if not closed or row.at > closed[0].at]
    patience = timedelta(minutes=settings.alerts.breaker_minutes)
    if since and since[0].at - since[-1].at >= patience:
        minutes = (now - since[-1].at).total_seconds() / 60
        text = f"{since[0].reason} has not answered since {since[-1].at:%Y-%m-%d %H:%M} UTC: this machine judges alone."
        yield "cloud", Fault(text, round(minutes, 1))


def _jammed(journal: Journal) -> Iterator[tuple[str, Fault]]:
    with journal.begin() as connection:
        failed, shredded, returned = (
            latest_first(connection, journal.machine_id, kind, 1)
            for kind in ("deposit.failed", "deposit.shredded", "deposit.returned")
        )
    if failed and all(not over or over[0].at < failed[0].at for over in (shredded, returned)):
        text = f"The latest deposit was not finished ({failed[0].reason}). `triof slot` names the part that is stuck."
        yield "jammed", Fault(text)


def _disk(settings: Settings, fired: bool) -> Iterator[tuple[str, Fault]]:
    free = shutil.disk_usage(settings.home).free / 1e6
    if free < settings.alerts.disk_megabytes * (1.5 if fired else 1):
        yield "disk", Fault(f"The disk of {settings.home} is nearly full: {free:,.0f} MB are free.", round(free))


def _journal(settings: Settings, journal: Journal) -> Iterator[tuple[str, Fault]]:
    if not journal.path:
        return
    if left := JournalFile(journal.path).left_aside():
        files = ", ".join(map(str, left))
        text = f"A journal was damaged or deleted, and what is left of it lies in {files}: run `triof journal salvage`."
        yield "journal", Fault(text, len(left))
    elif _is_old(settings.home) and JournalBackups(settings, journal.path).is_late(_LATE_DAYS):
        text = f"The journal has not been backed up for {_LATE_DAYS} days: `triof journal backup` says why."
        yield "journal", Fault(text, _LATE_DAYS)


def _is_old(home: Path) -> bool:
    """Whether the machine has been here long enough to have been backed up."""
    try:
        return time.time() - (home / "machine_id").stat().st_mtime > _LATE_DAYS * 86_400
    except OSError:
        return False
