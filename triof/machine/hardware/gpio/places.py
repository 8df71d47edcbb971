"""The files in the home folder by which programs find the driver's process."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LATCH = "gpio_machine.json"
LOCK = "gpio_machine.lock"
SOCKET = "gpio_machine.sock"


@contextmanager
def _short(home: Path) -> Iterator[str]:
    """Yield a short path of the socket: the system allows about a hundred bytes."""
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET}"
    finally:
        os.close(folder)


def listen(home: Path) -> socket.socket:
    """Return a socket on which programs of this user can connect. Raises OSError."""
    with suppress(FileNotFoundError):
        (home / SOCKET).unlink()
    guests = socket.socket(socket.AF_UNIX)
    with _short(home) as path:
        guests.bind(path)
    (home / SOCKET).chmod(0o600)
    guests.listen()
    return guests


def connect(home: Path) -> socket.socket:
    """Return a connection to the running driver's process. Raises OSError."""
    found = socket.socket(socket.AF_UNIX)
    try:
        with _short(home) as path:
            found.connect(path)
    except OSError:
        found.close()
        raise
    return found
