"""Checks of the home folder, its disk and the journal."""

import os
import time

from triof.journal.backups import JournalBackups
from triof.journal.journal import Journal
from triof.observability import system_stats
from triof.observability.health_checks.check import CheckedParts, CheckResult, failed, faulty, health_check, ok, warning
from triof.settings.tree import Settings
from triof.storage import data_folder as home_folder
from triof.storage.database_file import DatabaseFile

_FREED_SHARE = 1.5
"""A disk alert clears when this factor of the limit is free, so that it does not fire every minute."""
_LATE_DAYS = 3
_DAY_SECONDS = 86_400


@health_check()
def home(parts: CheckedParts) -> CheckResult:
    """Check that this user may write to the home folder."""
    home_folder.make(parts.settings)
    folder = parts.settings.home
    if not os.access(folder, os.W_OK):
        return failed(f"{folder} is not writable.", "Give it to this user, or set TRIOF_HOME to another folder.")
    return ok(str(folder))


@health_check(needed=True, alert="disk")
def disk(parts: CheckedParts) -> CheckResult:
    """Check that ``alerts.disk_megabytes`` are free on the disk of the home folder."""
    if (fault := parts.journal_fault()) and fault.code == "D1":
        return faulty(fault, value=0)
    folder, limit = parts.settings.home, parts.settings.alerts.disk_megabytes
    try:
        free = system_stats.disk_free_bytes(folder) / 1e6
    except OSError as error:
        return failed(f"The home folder {folder} cannot be looked at ({error.strerror}).", alert="keep")
    if free < limit:
        remedy = f"Make room: {limit:,.0f} MB are needed (alerts.disk_megabytes)."
        return failed(f"The disk of {folder} is nearly full, only {free:,.0f} MB are free.", remedy, round(free))
    return ok(f"{free / 1000:.1f} GB free", "keep" if free < _FREED_SHARE * limit else "clear")


@health_check(needed=True, alert="journal")
def journal(parts: CheckedParts) -> CheckResult:
    """Check that the journal is writable, has backups, and that no damaged one waits to be salvaged."""
    # A full disk is reported by its own check.
    if (fault := parts.journal_fault()) and fault.code != "D1":
        return faulty(fault, alert="keep")
    told = _state_for_doctor(parts) if parts.is_thorough else _ping(parts)
    if told.status != "ok":
        return told
    path = home_folder.database_path(parts.settings)
    if path and (left := DatabaseFile(path).left_aside()):
        return warning(
            f"A journal was damaged or deleted, and what is left of it lies in {', '.join(map(str, left))}.",
            "Run `triof journal salvage`, which merges it into the journal.",
            len(left),
        )
    if path and _is_old(parts.settings) and JournalBackups(parts.settings, path).is_late(_LATE_DAYS):
        return warning(
            f"The journal has not been backed up for {_LATE_DAYS} days.", "`triof journal backup` says why.", _LATE_DAYS
        )
    return told


def _ping(parts: CheckedParts) -> CheckResult:
    opened = parts.journal()
    assert opened  # a server has a journal
    try:
        opened.database.ping()
    # Each database driver raises its own errors.
    except Exception as error:
        return faulty(opened.database.unusable(error), alert="keep")
    return ok("answers")


def _state_for_doctor(parts: CheckedParts) -> CheckResult:
    """Open the journal without creating or upgrading it. Raises DatabaseUnusable, HomeUnusable."""
    with home_folder.existing_database(parts.settings) as database:
        open_deposits = len(Journal(database).unfinished()) if database else None
    path = home_folder.database_path(parts.settings)
    if path and not path.exists() and home_folder.is_machine_taken(parts.settings):
        return failed(
            f"A kiosk is running, and its journal {path} is gone.",
            "Put it back, or start the kiosk again to begin a new one.",
        )
    if open_deposits is None:
        return ok("there is none yet, the kiosk makes it at its first start")
    return ok(f"answers, {open_deposits} deposit{'' if open_deposits == 1 else 's'} under way or interrupted")


def _is_old(settings: Settings) -> bool:
    """Return whether the machine is old enough to have a backup."""
    try:
        return time.time() - (settings.home / "machine_id").stat().st_mtime > _LATE_DAYS * _DAY_SECONDS
    except OSError:
        return False
