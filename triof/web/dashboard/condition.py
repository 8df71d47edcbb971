"""Gauges of the computer: processor, memory, temperature and disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flask_babel import gettext as _

from triof.observability import system_stats
from triof.observability.health_checks.check import Status
from triof.observability.health_checks.runner import HealthReport
from triof.web.dashboard import labels

Level = Literal["well", "look", "bad"]

LEVELS: dict[Status | None, Level] = {None: "well", "ok": "well", "warning": "look", "failed": "bad"}
"""CSS class of each health check status."""
_BUSY = 0.9
"""Share of processor load shown as busy; no health check watches it, as a busy processor is no fault."""


@dataclass(frozen=True)
class Gauge:
    """One reading with its unit and status; ``value`` is None if the computer does not report it."""

    key: str
    name: str
    value: str | None
    level: Level
    unit: str = ""


def gauges(home: Path, report: HealthReport) -> Iterator[Gauge]:
    """Yield processor, memory, temperature and the disk of ``home``, with their status in ``report``."""
    cpu = system_stats.cpu_share()
    yield Gauge("cpu", _("processor busy"), labels.share(cpu), "look" if cpu > _BUSY else "well")
    memory, temperature, disk = (LEVELS[report.status(name)] for name in ("memory", "temperature", "disk"))
    yield _size("memory", _("memory free"), system_stats.memory_available_bytes(), memory)
    celsius = system_stats.temperature_celsius()
    if celsius is None:
        yield Gauge("temperature", _("temperature: not measured"), None, temperature)
    else:
        yield Gauge("temperature", _("temperature"), labels.count(celsius), temperature, "°C")
    try:
        yield _size("disk", _("disk free"), system_stats.disk_free_bytes(home), disk)
    except OSError:
        yield Gauge("disk", _("disk: cannot be read"), None, disk)


def _size(key: str, name: str, size: float, level: Level) -> Gauge:
    number, unit = (size / 1e9, _("GB")) if size >= 1e9 else (size / 1e6, _("MB"))
    return Gauge(key, name, labels.amount(number), level, unit)
