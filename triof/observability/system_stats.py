"""System stats: processor, memory, temperature, disk and network."""

import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

_IP_FAMILIES = (socket.AF_INET, socket.AF_INET6)


def cpu_share() -> float:
    """Return the processor load since the last call: 0 to 1 over all cores."""
    return float(psutil.cpu_percent(interval=None)) / 100


def memory_available_bytes() -> int:
    """Return the memory available to programs, in bytes."""
    return int(psutil.virtual_memory().available)


def temperature_celsius() -> float | None:
    """Return the temperature of the hottest sensor in °C; None if no sensor can be read."""
    read = getattr(psutil, "sensors_temperatures", dict)
    try:
        return max((sensor.current for sensors in read().values() for sensor in sensors), default=None)
    except (OSError, RuntimeError):
        return None


def disk_free_bytes(folder: Path) -> int:
    """Return the free bytes on the disk of ``folder``. Raises OSError."""
    return shutil.disk_usage(folder).free


def own_address() -> str | None:
    """Return the address of this computer in its network; None without a way to other networks. Sends nothing."""
    # Addresses of documentation: no computer has them, but the system chooses the way to them.
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as datagrams:
            datagrams.connect((elsewhere, 9))
            return str(datagrams.getsockname()[0])
    return None


def denied_devices(patterns: Sequence[str], folder: Path = Path("/dev")) -> list[Path]:
    """Return the devices of ``folder`` that match and that this user may not use, if there is none that it may."""
    found = sorted(path for pattern in patterns for path in folder.glob(pattern))
    effective = os.access in os.supports_effective_ids
    denied = [path for path in found if not os.access(path, os.R_OK | os.W_OK, effective_ids=effective)]
    return denied if len(denied) == len(found) else []


def network_addresses() -> Mapping[str, Sequence[str]]:
    """Return the IP addresses of each network interface but the loopback one; none for one that is down."""
    statuses = psutil.net_if_stats()
    return {
        name: [
            each.address.partition("%")[0]
            for each in addresses
            if each.family in _IP_FAMILIES and name in statuses and statuses[name].isup
        ]
        for name, addresses in psutil.net_if_addrs().items()
        if not any(each.address in ("127.0.0.1", "::1") for each in addresses)
    }


class OwnProcess:
    """Resource usage of this process."""

    def __init__(self) -> None:
        self._process = psutil.Process()

    def cpu_seconds(self) -> float:
        """Return the processor time of all threads since the start, in seconds."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def resident_bytes(self) -> int:
        """Return the resident memory in bytes."""
        return int(self._process.memory_info().rss)

    def threads(self) -> int:
        """Return the number of threads."""
        return int(self._process.num_threads())

    def open_files(self) -> int | None:
        """Return the number of open files and connections; None if the system does not report it."""
        count = getattr(self._process, "num_fds", None)
        return int(count()) if count else None
