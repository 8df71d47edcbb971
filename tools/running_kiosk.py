"""A kiosk, or another server, in a process of its own."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from types import TracebackType
from typing import Self

QUICK = {
    "TRIOF_SLOT__SIMULATED_SECONDS__SLOT": "0.05",
    "TRIOF_SLOT__SIMULATED_SECONDS__BOX": "0.1",
    "TRIOF_SLOT__SIMULATED_SECONDS__SHRED": "0.15",
}
"""Movements short enough that fifty deposits take no hour, and long enough to be killed in."""
_START_SECONDS = 120.0
_END_SECONDS = 120.0


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class RunningKiosk:
    """``triof kiosk``, or another ``command``, on a free port; ready when the context is entered."""

    def __init__(self, home: Path, environ: Mapping[str, str] | None = None, command: str = "kiosk") -> None:
        self.port = free_port()
        self._command = command
        self.url = f"http://127.0.0.1:{self.port}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIOF_")}
        self._environ = {**clean, "TRIOF_HOME": str(home), **(environ or {})}
        self.greeting = ""
        """The line that it begins with."""
        self.complaints = ""
        """What it wrote to stderr; known once it has ended."""
        self._process: subprocess.Popen[str] | None = None
        # A pipe that is not read would stop the process once it is full.
        self._stderr = TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "triof.cli", self._command, "--port", str(self.port)],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        assert self._process.stdout
        impatience = Timer(_START_SECONDS, self._process.kill)
        impatience.start()
        self.greeting = self._process.stdout.readline()
        impatience.cancel()
        if "ready" not in self.greeting:
            self._end()
            raise RuntimeError(f"the kiosk did not start: {self.greeting}{self.complaints}")
        return self

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process
        return self._process.pid

    def send(self, signal: int) -> None:
        """Send the process a signal."""
        assert self._process
        self._process.send_signal(signal)

    def wait(self) -> int:
        """The exit code, once it has ended."""
        assert self._process
        return self._process.wait(60)

    def kill(self) -> None:
        """``kill -9``: nothing gets a chance to tidy up."""
        assert self._process
        self._process.kill()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process
        self._process.terminate()
        self._end()

    def _end(self) -> None:
        """Wait for the end, which is also that of the driver's process, as it holds the same pipe."""
        assert self._process
        try:
            self._process.communicate(timeout=_END_SECONDS)
        finally:
            self._process.kill()
            with self._stderr as written:
                written.seek(0)
                self.complaints = written.read()
