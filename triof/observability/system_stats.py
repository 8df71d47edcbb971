"""How the computer is: its processor, memory, temperature and disk."""

import shutil
from pathlib import Path

import psutil

ENOUGH_BYTES = 200_000_000
"""With less free than this the journal and the photos will soon have no room."""


def cpu_share() -> float:
    """How busy the processor was since somebody asked last: 0 to 1, all its cores together."""
    return float(psutil.cpu_percent(interval=None)) / 100


def memory_available_bytes() -> int:
    """What programs can still have."""
    return int(psutil.virtual_memory().available)


def temperature_celsius() -> float | None:
    """Of the hottest sensor; None where there is none to be read."""
    read = getattr(psutil, "sensors_temperatures", dict)
    try:
        return max((sensor.current for sensors in read().values() for sensor in sensors), default=None)
    except (OSError, RuntimeError):
        return None


def disk_free_bytes(folder: Path) -> int:
    """On the disk of ``folder``. Raises OSError."""
    return shutil.disk_usage(folder).free


class OwnProcess:
    """What this process takes."""

    def __init__(self) -> None:
        self._process = psutil.Process()

    def cpu_seconds(self) -> float:
        """Of all threads since the start."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def resident_bytes(self) -> int:
        """In memory now."""
        return int(self._process.memory_info().rss)

    def threads(self) -> int:
        """How many there are."""
        return int(self._process.num_threads())

    def open_files(self) -> int | None:
        """Files and connections; None where the system does not tell."""
        count = getattr(self._process, "num_fds", None)
        return int(count()) if count else None
