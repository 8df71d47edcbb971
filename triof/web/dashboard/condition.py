"""How the computer is, as numbers that somebody across the room can judge."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flask_babel import gettext as _

from triof import vitals
from triof.web.dashboard import words

Level = Literal["well", "look", "bad"]

_HOT_CELSIUS, _TOO_HOT_CELSIUS = 75, 85
"""A Raspberry Pi slows itself down from 80 on."""
_LITTLE_MEMORY = 150_000_000
_BUSY = 0.9


@dataclass(frozen=True)
class Gauge:
    """One number with its unit, and how it is; ``value`` is None where the computer does not tell."""

    key: str
    name: str
    value: str | None
    level: Level
    unit: str = ""


def gauges(home: Path) -> Iterator[Gauge]:
    """Processor, memory, temperature and the disk of ``home``; what cannot be read has no value."""
    cpu = vitals.cpu_share()
    yield Gauge("cpu", _("processor busy"), words.share(cpu), "look" if cpu > _BUSY else "well")
    memory = vitals.memory_available_bytes()
    yield _size("memory", _("memory free"), memory, "look" if memory < _LITTLE_MEMORY else "well")
    yield _temperature()
    yield _disk(lambda: vitals.disk_free_bytes(home))


def _temperature() -> Gauge:
    celsius = vitals.temperature_celsius()
    if celsius is None:
        return Gauge("temperature", _("temperature: this computer doesn't tell"), None, "well")
    level: Level = "bad" if celsius > _TOO_HOT_CELSIUS else "look" if celsius > _HOT_CELSIUS else "well"
    return Gauge("temperature", _("temperature"), words.count(celsius), level, "°C")


def _disk(read: Callable[[], int]) -> Gauge:
    with suppress(OSError):
        free = read()
        level: Level = "bad" if free < vitals.ENOUGH_BYTES else "look" if free < 5 * vitals.ENOUGH_BYTES else "well"
        return _size("disk", _("disk free"), free, level)
    return Gauge("disk", _("disk: cannot be read"), None, "bad")


def _size(key: str, name: str, size: float, level: Level) -> Gauge:
    number, unit = (size / 1e9, "GB") if size >= 1e9 else (size / 1e6, "MB")
    return Gauge(key, name, words.amount(number), level, unit)
