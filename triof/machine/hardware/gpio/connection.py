"""The kiosk's end of the connection to the driver's process. Thread-safe."""

import json
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from threading import Event, Lock, Thread
from typing import Any

from triof.machine.hardware.gpio.messages import line, value_of

_READY = 0
"""The id of the line by which the process says that it has the pins, or why not."""


class Connection:
    """Sends requests and waits for their replies; with ``beat_seconds`` it also gives signs of life.

    ``lost`` is called, in a thread of this object, if the other end closes the connection.
    """

    def __init__(
        self, connected: socket.socket, beat_seconds: float | None = None, lost: Callable[[], None] = lambda: None
    ) -> None:
        self._socket = connected
        self._lost = lost
        self._numbers = count(_READY + 1)
        self._sending = Lock()
        self._waiting: dict[int, Future[dict[str, Any]]] = {_READY: Future()}
        self._ended = Event()
        self._beat_seconds = beat_seconds
        self.is_lost = False
        Thread(target=self._read, name="driver", daemon=True).start()
        if beat_seconds:
            Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def wait_ready(self, seconds: float) -> None:
        """Return when the process has the pins. Raises SlotError if it cannot have them, OSError."""
        try:
            value_of(self._waiting[_READY].result(seconds))
        except Exception:
            self.close()
            raise

    def ask(self, call: str, arguments: Sequence[object], seconds: float) -> Any:
        """Return the value of the reply. Raises SlotError, and OSError if there is none within ``seconds``."""
        number, reply = next(self._numbers), Future[dict[str, Any]]()
        self._waiting[number] = reply
        try:
            if self.is_lost:
                raise ConnectionError("the driver's process has ended")
            self._send({"id": number, "call": call, "args": arguments})
            return value_of(reply.result(seconds))
        finally:
            del self._waiting[number]

    def close(self) -> None:
        """Close the connection; ``lost`` is not called."""
        self._ended.set()
        self.is_lost = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _send(self, message: dict[str, Any]) -> None:
        with self._sending:
            self._socket.sendall(line(message))

    def _beat(self) -> None:
        while not self._ended.wait(self._beat_seconds):
            with suppress(OSError):
                self._send({"beat": 1})

    def _read(self) -> None:
        with suppress(OSError, ValueError), self._socket.makefile("rb") as lines:
            for received in lines:
                reply = json.loads(received)
                if waiting := self._waiting.get(reply["id"]):
                    waiting.set_result(reply)
        self.is_lost = True
        for waiting in list(self._waiting.values()):
            if not waiting.done():
                waiting.set_exception(ConnectionError("the driver's process has ended"))
        if not self._ended.is_set():
            self._ended.set()
            self._socket.close()
            self._lost()
