"""What a process tells systemd, heard by a socket of the test."""

import socket
from pathlib import Path
from types import TracebackType
from typing import Self


class NotifySocket:
    """Stands for systemd: hears the datagrams of the services whose ``environ`` it gives."""

    def __init__(self, folder: Path, watchdog_seconds: float = 0) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._path = folder / "notify"
        self._socket.bind(str(self._path))
        usec = {"WATCHDOG_USEC": f"{watchdog_seconds * 1e6:.0f}"} if watchdog_seconds else {}
        self.environ = {"NOTIFY_SOCKET": str(self._path), **usec}

    def wait(self, seconds: float = 30) -> str:
        """The next datagram."""
        self._socket.settimeout(seconds)
        return self._socket.recv(4096).decode()

    def heard(self) -> list[str]:
        """All datagrams that have come so far."""
        self._socket.setblocking(False)
        found = []
        try:
            while True:
                found.append(self._socket.recv(4096).decode())
        except BlockingIOError:
            return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
