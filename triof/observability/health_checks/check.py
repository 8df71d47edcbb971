"""Health checks: the check, its result, and the parts that it inspects."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from triof.deposits.slot_watch import SlotWatch
    from triof.journal.journal import Journal
    from triof.judging.router import Router
    from triof.machine.cameras.base import Camera
    from triof.machine.slot import Slot
    from triof.settings.tree import Settings
    from triof.statistics.queries import Statistics
    from triof.storage.database_errors import DatabaseUnusable

Status = Literal["ok", "warning", "failed"]
"""``warning``: the machine works, but needs attention; ``failed``: the part does not work."""
_FAULT_CODE = re.compile(r"[A-Z]\d")
AlertStep = Literal["fire", "keep", "clear"]
"""Effect of a result on the check's alert: ``keep`` neither fires a new one nor clears an open one."""


@dataclass(frozen=True)
class CheckResult:
    """The result of one check, in English. ``remedy`` is empty if the message names it."""

    status: Status
    message: str
    remedy: str = ""
    value: float | None = None
    """The measured value, for the alert."""
    alert: AlertStep = "fire"
    code: str = ""
    """The fault code, if there is one: docs/reference/faults.md."""

    @property
    def text(self) -> str:
        """Message and remedy as one line."""
        return f"{self.message} {self.remedy}".strip()


def ok(message: str, alert: AlertStep = "clear") -> CheckResult:
    """Return an ok result; ``alert`` is ``keep`` close to the limit."""
    return CheckResult("ok", message, alert=alert)


def warning(message: str, remedy: str = "", value: float | None = None, alert: AlertStep = "fire") -> CheckResult:
    """Return a warning: something is wrong, but the machine works."""
    return CheckResult("warning", message, remedy, value, alert)


def failed(message: str, remedy: str = "", value: float | None = None, alert: AlertStep = "fire") -> CheckResult:
    """Return a failure: the part does not work."""
    return CheckResult("failed", message, remedy, value, alert)


@dataclass(frozen=True)
class CheckedParts:
    """The parts that checks inspect: those of a running server, or those built by `triof doctor`."""

    settings: Settings
    router: Callable[[], Router]
    journal: Callable[[], Journal | None]
    """None if there is no journal yet, or it cannot be read."""
    journal_fault: Callable[[], DatabaseUnusable | None] = lambda: None
    """Returns why a running kiosk cannot write to its journal."""
    camera: Callable[[], Camera] | None = None
    """None on a server without a machine, like ``slot``."""
    slot: Callable[[], Slot] | None = None
    slot_watch: SlotWatch | None = None
    """None as well outside of the process that runs the machine."""
    statistics: Statistics | None = None
    """Those of a running server; None: built when needed."""
    is_thorough: bool = False
    """Whether a person waits for the result: then a check may take seconds, memory and one call of the quota."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


Look = Callable[[CheckedParts], CheckResult | None]
"""Returns the result; None if the check does not apply. An exception is a failure."""


@dataclass(frozen=True)
class HealthCheck:
    """A named check."""

    name: str
    look: Look
    is_needed: bool
    """Whether the machine is not ready while it fails."""
    alert: str
    """The name of its alert; empty for none."""

    def run(self, parts: CheckedParts) -> CheckResult | None:
        """Return the result; exceptions of the check become results too."""
        try:
            return self.look(parts)
        except SQLAlchemyError as error:
            # The journal's own check reports the cause.
            return warning(f"Not known, as the journal cannot be read ({type(error).__name__}).", alert="keep")
        except OSError as error:
            where = f"{error.filename} cannot be used" if error.filename else "The system refused"
            return failed(f"{where} ({error.strerror or error}).", "Check the path, and what this user may do with it.")
        except Exception as error:
            return faulty(error)


def faulty(
    error: Exception, value: float | None = None, alert: AlertStep = "fire", status: Status = "failed"
) -> CheckResult:
    """Return a result by ``error``, whose message and code are its own."""
    code = getattr(error, "code", None)
    if not isinstance(code, str) or not _FAULT_CODE.fullmatch(code):
        return CheckResult(status, str(error) or repr(error), value=value, alert=alert)
    return CheckResult(status, f"{code}: {error}", value=value, alert=alert, code=code)


def health_check(*, needed: bool = False, alert: str = "") -> Callable[[Look], HealthCheck]:
    """Return a decorator that makes a function a check of the same name."""
    return lambda look: HealthCheck(getattr(look, "__name__", "").strip("_"), look, needed, alert)
