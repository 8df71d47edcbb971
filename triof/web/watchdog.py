"""The watchdog: tells systemd that the server is ready and works, as long as it does.

systemd ends and restarts a service that it has not heard of for ``WatchdogSec``. It hears of this one only while the
server answers ``/livez`` and the background thread of the machine does its rounds, so a process that hangs is replaced.
"""

from __future__ import annotations

import faulthandler
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING

from providers.event_log import get_logger
from triof.common import systemd
from triof.common.liveness import LivenessAnswer, ask_livez

if TYPE_CHECKING:
    from triof.services import Services
    from triof.settings.sections.server import ServerSettings

log = get_logger(__name__)

_ROUNDS = 3
"""Rounds within ``WatchdogSec``, so that one lost round changes nothing."""
_IDLE_SECONDS = 20.0
_START_SECONDS = 0.1
_ANSWER_SECONDS = 10.0


class Watchdog:
    """Sends ``READY=1`` with the first round in which all is well, and ``WATCHDOG=1`` with each further one."""

    def __init__(
        self, ask: Callable[[], LivenessAnswer], is_alive: Callable[[], bool], environ: Mapping[str, str]
    ) -> None:
        self._ask = ask
        self._is_alive = is_alive
        self._environ = environ
        self._is_ready = False
        self._closed = Event()
        self._thread = Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread, and tell systemd that the service ends."""
        systemd.notify("STOPPING=1", self._environ)
        self._closed.set()
        self._thread.join(_ANSWER_SECONDS)

    def look(self) -> None:
        """Do one round."""
        answer, is_alive = self._ask(), self._is_alive()
        if answer == "answers" and is_alive:
            systemd.notify("WATCHDOG=1" if self._is_ready else "READY=1", self._environ)
            self._is_ready = True
        elif self._is_ready:
            log.error("watchdog.not_fed", server=answer, background="works" if is_alive else "hangs")

    def _run(self) -> None:
        seconds = systemd.watchdog_seconds(self._environ)
        pause = seconds / _ROUNDS if seconds else _IDLE_SECONDS
        while not self._closed.wait(pause if self._is_ready else _START_SECONDS):
            self.look()


@contextmanager
def watched(settings: ServerSettings, services: Services, environ: Mapping[str, str]) -> Iterator[None]:
    """Keep systemd informed within the context, if it started this process."""
    if not systemd.is_notified(environ):
        yield
        return
    # systemd ends a hanging service by SIGABRT: then the journal shows where each thread hung.
    faulthandler.enable()
    ask = partial(ask_livez, settings.host, settings.port, _ANSWER_SECONDS)
    watchdog = Watchdog(ask, services.is_alive, environ)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.close()
