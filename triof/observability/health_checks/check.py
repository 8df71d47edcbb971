"""What a health check is, what it finds, and what it looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from triof.journal.journal import Journal
    from triof.judging.router import Router
    from triof.machine.cameras import Camera
    from triof.machine.slot import Slot
    from triof.settings.tree import Settings
    from triof.storage.database_errors import DatabaseUnusable

Status = Literal["ok", "warning", "failed"]
"""``warning``: the machine goes on, but somebody should look; ``failed``: the part does not work."""
AlertStep = Literal["fire", "keep", "clear"]
"""What a result does to the alert of its check: ``keep`` neither fires a new one nor clears one that is open."""


@dataclass(frozen=True)
class CheckResult:
    """What one check found, in English. ``remedy`` is empty where the message names it already."""

    status: Status
    message: str
    remedy: str = ""
    value: float | None = None
    """The number behind it, for the alert."""
    alert: AlertStep = "fire"

    @property
    def text(self) -> str:
        """Message and remedy in one line."""
        return f"{self.message} {self.remedy}".strip()


def ok(message: str, alert: AlertStep = "clear") -> CheckResult:
    """Nothing is wrong; ``alert`` is ``keep`` where it is only just so."""
    return CheckResult("ok", message, alert=alert)


def warning(message: str, remedy: str = "", value: float | None = None, alert: AlertStep = "fire") -> CheckResult:
    """Something is wrong, and the machine goes on without it."""
    return CheckResult("warning", message, remedy, value, alert)


def failed(message: str, remedy: str = "", value: float | None = None, alert: AlertStep = "fire") -> CheckResult:
    """The part does not work."""
    return CheckResult("failed", message, remedy, value, alert)


@dataclass(frozen=True)
class CheckedParts:
    """What the checks look at: the parts of a running server, or those that `triof doctor` builds."""

    settings: Settings
    router: Callable[[], Router]
    journal: Callable[[], Journal | None]
    """None where there is none yet, or where it cannot be read."""
    journal_fault: Callable[[], DatabaseUnusable | None] = lambda: None
    """Why a running kiosk cannot write to its journal."""
    camera: Callable[[], Camera] | None = None
    """None on a server without a machine, as is ``slot``."""
    slot: Callable[[], Slot] | None = None
    is_thorough: bool = False
    """Whether a person waits for it: then a check may take seconds, memory and one call of the quota."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


Look = Callable[[CheckedParts], CheckResult | None]
"""Finds the result; None where the check does not apply. What it raises is a failure."""


@dataclass(frozen=True)
class HealthCheck:
    """One named check."""

    name: str
    look: Look
    is_needed: bool
    """Whether the machine is not ready as long as it fails."""
    alert: str
    """The name of the alert that it fires; empty: none."""

    def run(self, parts: CheckedParts) -> CheckResult | None:
        """The result, whatever the check raises."""
        try:
            return self.look(parts)
        except SQLAlchemyError as error:
            # The check of the journal says what is wrong with it.
            return warning(f"Not known, as the journal cannot be read ({type(error).__name__}).", alert="keep")
        except OSError as error:
            where = f"{error.filename} cannot be used" if error.filename else "The system refused"
            return failed(f"{where} ({error.strerror or error}).", "Check the path, and what this user may do with it.")
        except Exception as error:
            return failed(str(error) or repr(error))


def health_check(*, needed: bool = False, alert: str = "") -> Callable[[Look], HealthCheck]:
    """Make a function a check, which is called like it. ``needed``: the machine is not ready while it fails."""
    return lambda look: HealthCheck(getattr(look, "__name__", "").strip("_"), look, needed, alert)
