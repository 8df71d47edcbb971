"""Keeps a browser on the touchscreen: restarts it when it dies, and shows a page of ours while the server is away.

A browser that meets a server which does not answer shows its own error page and stays there. So each browser starts on
our page, which goes on to the touchscreen once the server answers; after an outage it is ended and starts there again.
"""

import subprocess
import time
from collections.abc import Callable, Sequence
from os import getpgid, killpg
from pathlib import Path
from signal import SIGKILL, SIGTERM
from threading import Event

from triof.common.liveness import LivenessAnswer
from triof.installation.chromium import free_profile
from triof.installation.waiting_page import WaitingPage

_LOOK_SECONDS = 1.0
_SILENT_ROUNDS = 3
"""Answers in a row that may be late: a busy server is not away."""
_LONGEST_PAUSE = 60.0
_WELL_SECONDS = 60.0
"""A browser that ran for so long was well: the next pause is short again."""


class TouchscreenBrowser:
    """Runs ``command`` until stopped. ``tell`` says what happened; ``clock`` in monotonic seconds."""

    def __init__(
        self,
        command: Sequence[str],
        profile: Path,
        page: WaitingPage,
        ask: Callable[[], LivenessAnswer],
        *,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        end_seconds: float = 5.0,
    ) -> None:
        self._command = command
        self._profile = profile
        self._page = page
        self._ask = ask
        self._tell = tell
        self._clock = clock
        self._end_seconds = end_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._began = clock()
        self._start_at = clock()
        self._deaths = 0
        self._late = 0
        self._is_up = False
        self._left_page = False
        """Whether this browser may have gone on to the touchscreen."""
        self._stopped = Event()

    def run(self) -> None:
        """Look after the browser until :meth:`stop`, then end it."""
        try:
            while not self._stopped.is_set():
                self.look()
                self._stopped.wait(_LOOK_SECONDS)
        finally:
            self.close()

    def stop(self) -> None:
        """Let :meth:`run` return. Safe in signal handlers."""
        self._stopped.set()

    def look(self) -> None:
        """Do one round: ask the server, then start, restart or end the browser. Raises OSError if it cannot start."""
        self._heed(self._ask())
        if self._process and self._process.poll() is not None:
            self._note_death(self._process.returncode)
        if not self._process and self._clock() >= self._start_at:
            free_profile(self._profile)
            self._process = subprocess.Popen(  # noqa: S603
                self._command, stdin=subprocess.DEVNULL, start_new_session=True
            )
            self._began, self._left_page = self._clock(), self._is_up

    def close(self) -> None:
        """End the browser with all its processes."""
        process, self._process, self._left_page = self._process, None, False
        if not process:
            return
        _signal(process, SIGTERM)
        try:
            process.wait(self._end_seconds)
        except subprocess.TimeoutExpired:
            _signal(process, SIGKILL)
            process.wait()

    def _heed(self, answer: LivenessAnswer) -> None:
        self._late = self._late + 1 if answer == "silent" else 0
        if answer == "answers":
            self._is_up = True
        elif answer == "refused" or self._late >= _SILENT_ROUNDS:
            self._is_up = False
        self._page.show(server_answers=self._is_up)
        self._left_page |= self._is_up
        if self._process and self._left_page and not self._is_up:
            self._tell("The server does not answer: the browser starts again and waits for it.")
            self.close()

    def _note_death(self, code: int) -> None:
        seconds = self._clock() - self._began
        self._deaths = 1 if seconds >= _WELL_SECONDS else self._deaths + 1
        pause = min(2.0 ** (self._deaths - 1), _LONGEST_PAUSE)
        self._tell(f"The browser ended after {seconds:.0f} s (exit code {code}): it starts again in {pause:.0f} s.")
        self._process, self._left_page = None, False
        self._start_at = self._clock() + pause


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        killpg(getpgid(process.pid), number)
    except ProcessLookupError:  # it has ended
        return
