"""Hardware of the kind ``gpiozero``, as the kiosk sees it: starts the driver's process and asks it.

The process is started by the first request, and again at once if it dies; one that hangs is killed. Where another
program runs it already, this one is its guest: it can read the sensors and clear a fault, but moves nothing.
"""

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import Any, cast

from filelock import FileLock, Timeout

from providers.event_log import get_logger
from triof.machine.hardware.base import Part, Sensors, StatusLight
from triof.machine.hardware.gpio.connection import Connection
from triof.machine.hardware.gpio.places import LOCK, connect
from triof.machine.slot import SlotError
from triof.settings.sections.machine.gpio import GpioSettings

log = get_logger(__name__)

_START_SECONDS = 20.0
_QUICK_SECONDS = 5.0
_PAUSE_SECONDS = 2.0


class GpioHardware:
    """Hardware whose pins belong to a process of their own.

    Without an answer for ``answer_seconds``, longer for a movement, the process counts as hanging.
    """

    def __init__(self, settings: GpioSettings, home: Path, answer_seconds: float = _QUICK_SECONDS) -> None:
        self._settings = settings
        self._home = home
        self._lock = RLock()
        self._connection: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._refused: SlotError | None = None
        self._try_again = 0.0
        longest = settings.slot_timeout_seconds + settings.slot_seconds
        longest = max(longest, settings.box_timeout_seconds, settings.box_seconds, settings.shredder_timeout_seconds)
        self._answer_seconds = answer_seconds
        self._movement_seconds = longest + answer_seconds

    def open_slot(self) -> None:
        """Open the slot."""
        self._ask("open_slot", seconds=self._movement_seconds)

    def close_slot(self) -> None:
        """Close the slot."""
        self._ask("close_slot", seconds=self._movement_seconds)

    def move_box(self, number: int) -> None:
        """Move box ``number`` under the slot."""
        self._ask("move_box", number, seconds=self._movement_seconds)

    def shred(self) -> None:
        """Shred the item in the slot."""
        self._ask("shred", seconds=self._movement_seconds)

    def slot_is_open(self) -> bool:
        """Return whether the slot is open, wholly or in part."""
        return bool(self._ask("slot_is_open"))

    def jammed(self) -> Part | None:
        """Return the jammed part, if any."""
        return cast("Part | None", self._ask("jammed"))

    def sensors(self) -> Sensors:
        """Return what the sensors say now."""
        return Sensors(**self._ask("sensors"))

    def set_lamp(self, on: bool) -> None:
        """Switch the lamp on or off."""
        self._ask("set_lamp", on)

    def set_status(self, status: StatusLight) -> None:
        """Show ``status`` on the status light."""
        self._ask("set_status", status)

    def clear(self) -> None:
        """Forget a jam and an emergency stop. Raises SlotError if the button is still pressed."""
        self._ask("clear")

    def close(self) -> None:
        """End the driver's process, which switches every output off."""
        with self._lock:
            self._closed = True
            connection, self._connection = self._connection, None
            process, self._process = self._process, None
        if connection:
            connection.close()
        if process:
            self._await_end(process)

    def driver_pid(self) -> int | None:
        """Return the id of the driver's process; None if this program has not started one."""
        return self._process.pid if self._process else None

    def _ask(self, call: str, *arguments: object, seconds: float | None = None) -> Any:
        connection, process = self._connected(), self._process
        try:
            return connection.ask(call, arguments, seconds or self._answer_seconds)
        except TimeoutError:
            # Its outputs may be on; the next process begins with all of them off.
            if process and process is self._process:
                log.error("driver.hangs", pid=process.pid, call=call)
                process.kill()
            raise

    def _await_end(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(self._answer_seconds)
        except subprocess.TimeoutExpired:
            log.error("driver.hangs", pid=process.pid, call="close")
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(self._answer_seconds)

    def _connected(self) -> Connection:
        with self._lock:
            if self._closed:
                raise SlotError("The hardware was released: nothing moves any more.")
            if not self._connection or self._connection.is_lost:
                self._connection = self._newly_connected()
            return self._connection

    def _newly_connected(self) -> Connection:
        if self._refused and time.monotonic() < self._try_again:
            raise self._refused
        try:
            self._refused = None
            return self._as_guest() or self._as_owner()
        except SlotError as error:
            # Otherwise each look at the machine would start a process, such as one without its library.
            self._refused, self._try_again = error.with_traceback(None), time.monotonic() + _PAUSE_SECONDS
            raise

    def _as_guest(self) -> Connection | None:
        """Return a connection to the process of another program; None if there is none."""
        lock = FileLock(self._home / LOCK, mode=0o600)
        # While it is taken, another process runs, is starting or ending.
        end = time.monotonic() + _QUICK_SECONDS
        while time.monotonic() < end:
            try:
                lock.acquire(timeout=0.05)
            except Timeout:
                with suppress(OSError):
                    return Connection(connect(self._home))
            else:
                lock.release()
                return None
        return None

    def _as_owner(self) -> Connection:
        if self._process:
            self._await_end(self._process)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "triof.machine.hardware.gpio.process", str(theirs.fileno()), str(self._home)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # lgpio writes a file for its notifications into the working directory otherwise.
                env={**os.environ, "LG_WD": str(self._home)},
            )
        ours.sendall(self._settings.model_dump_json().encode() + b"\n")
        connection = Connection(ours, self._settings.heartbeat_seconds / 4, self._lost)
        connection.wait_ready(_START_SECONDS)
        log.info("driver.started", pid=self._process.pid)
        return connection

    def _lost(self) -> None:
        """Start the process again at once, as it begins with every output off."""
        if self._closed:
            return
        log.error("driver.lost")
        with suppress(SlotError, OSError):
            self._connected()
