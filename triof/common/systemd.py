"""Tells systemd the state of this process, by datagrams to its socket; does nothing where systemd did not start it."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress


def notify(state: str, environ: Mapping[str, str] = os.environ) -> None:
    """Send a state such as ``READY=1`` or ``WATCHDOG=1`` to the socket in ``NOTIFY_SOCKET``."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    # A leading @ stands for the zero byte of an abstract address.
    address = "\0" + address[1:] if address.startswith("@") else address
    # systemd may be restarting; the next state reaches it.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(state.encode(), address)


def is_notified(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether systemd waits for the state of this process."""
    return bool(environ.get("NOTIFY_SOCKET"))


def watchdog_seconds(environ: Mapping[str, str] = os.environ) -> float | None:
    """Return the seconds within which systemd wants ``WATCHDOG=1`` again; None if it does not watch this process."""
    said, owner = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not said.isdecimal() or not int(said) or owner not in ("", str(os.getpid())):
        return None
    return int(said) / 1e6
