"""The driver's process: owns the pins as long as the program that started it gives signs of life.

It ends, with every output off, when its owner's connection closes (as by ``kill -9``) or is silent for
``heartbeat_seconds``. Other programs of this user may connect to read the sensors and to clear a fault.
"""

import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, is_dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from filelock import FileLock, Timeout

from triof.machine.hardware.gpio.driver import PinDriver
from triof.machine.hardware.gpio.messages import FOR_GUESTS, MOVEMENTS, QUICK, failure, line
from triof.machine.hardware.gpio.parts import pin_factory
from triof.machine.hardware.gpio.places import LATCH, LOCK, listen
from triof.machine.slot import SlotError
from triof.settings.sections.machine.gpio import GpioSettings

_TAKE_SECONDS = 5.0
"""For so long a process before this one may still be switching its pins off."""
_GUEST_SECONDS = 0.2
_BYTES = 65_536


class DriverProcess:
    """Answers the owner and guests until the owner is gone."""

    def __init__(
        self, driver: PinDriver, owner: socket.socket, guests: socket.socket, heartbeat_seconds: float
    ) -> None:
        self._driver = driver
        self._owner = owner
        self._heartbeat_seconds = heartbeat_seconds
        self._selector = selectors.DefaultSelector()
        self._selector.register(owner, selectors.EVENT_READ, bytearray())
        self._selector.register(guests, selectors.EVENT_READ)
        self._guests = guests
        self._sending = Lock()
        self._movements = ThreadPoolExecutor(1, "movement")
        self._heard = time.monotonic()

    def run(self) -> None:
        """Return when the owner is gone or silent."""
        while (left := self._heard + self._heartbeat_seconds - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                if key.fileobj is self._guests:
                    guest, _ = self._guests.accept()
                    # One that reads nothing must not keep this process from its owner.
                    guest.settimeout(_GUEST_SECONDS)
                    self._selector.register(guest, selectors.EVENT_READ, bytearray())
                elif not self._read(key.fileobj, key.data) and key.fileobj is self._owner:  # type: ignore[arg-type]
                    return

    def _read(self, connection: socket.socket, rest: bytearray) -> bool:
        """Answer what came on ``connection``; return False once it is closed, as for what makes no sense."""
        try:
            received = connection.recv(_BYTES)
            if not received:
                raise ConnectionError
            rest += received
            *lines, left = bytes(rest).split(b"\n")
            rest[:] = left
            for request in map(json.loads, lines):
                if "call" in request:
                    self._begin(connection, request)
        except (OSError, ValueError, KeyError, TypeError):
            self._selector.unregister(connection)
            connection.close()
            return False
        if connection is self._owner:
            self._heard = time.monotonic()
        return True

    def _begin(self, connection: socket.socket, request: Mapping[str, Any]) -> None:
        if request["call"] in MOVEMENTS and connection is self._owner:
            self._movements.submit(self._answer, connection, request)
        else:
            self._answer(connection, request)

    def _answer(self, connection: socket.socket, request: Mapping[str, Any]) -> None:
        """Call and reply. Raises OSError if the other end does not take the reply."""
        number = request["id"]
        try:
            reply = {"value": self._called(connection, request)}
        except Exception as error:
            reply = failure(error)
        with self._sending:
            connection.sendall(line({"id": number, **reply}))

    def _called(self, connection: socket.socket, request: Mapping[str, Any]) -> Any:
        name = request["call"]
        if connection is not self._owner and name not in FOR_GUESTS:
            raise SlotError("Another program runs the machine, and moves its parts alone: stop that one first.")
        if name not in (*QUICK, *MOVEMENTS):
            raise SlotError(f"The driver knows no {name}.")
        value = getattr(self._driver, name)(*request["args"])
        return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def main(descriptor: int, home: Path) -> None:
    """Run the driver on the pins in the first line that the owner sends."""
    # An orderly stop sends these to all processes of the service; the kiosk still has to close the slot.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    owner = socket.socket(fileno=descriptor)
    with owner.makefile("rb") as file:
        settings = GpioSettings.model_validate_json(file.readline())
    lock = FileLock(home / LOCK, mode=0o600)
    try:
        lock.acquire(timeout=_TAKE_SECONDS)
        driver = PinDriver(settings, home / LATCH, pin_factory(settings.pin_factory))
    except Timeout:
        owner.sendall(line({"id": 0, **failure(SlotError("Another program holds the pins: stop it first."))}))
        return
    except Exception as error:
        owner.sendall(line({"id": 0, **failure(error)}))
        return
    try:
        with listen(home) as guests:
            owner.sendall(line({"id": 0, "value": os.getpid()}))
            DriverProcess(driver, owner, guests, settings.heartbeat_seconds).run()
    finally:
        driver.close()
        lock.release()
        # A movement's thread may still be asleep; nothing is left to do for it.
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
