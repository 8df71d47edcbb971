"""The web server: waitress, which takes a request in as a whole before a thread looks at it.

So whoever sends slowly takes a connection and none of the threads (docs/serving.md compares it with others). Added
here: a request has a limited time to arrive, and a server that is told to stop finishes what it was asked.
"""

from __future__ import annotations

import logging
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import waitress
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.task import WSGITask

from triof.errors import TriofError
from triof.server_settings import ServerSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = logging.getLogger(__name__)

_RECEIVE_BYTES = 262_144
"""A photo in one piece or two rather than in twenty."""
_KEPT_IN_MEMORY_BYTES = 2_097_152
"""A larger body waits in a temporary file."""
_HEADER_BYTES = 65_536
_CONNECTIONS = 500
"""Beyond that nobody is let in before somebody leaves; fewer than the files that a process may open."""
_LOOK_SECONDS = 1
_SWEEP_SECONDS = 5
"""How often connections whose time is up are closed."""


class CannotListen(TriofError):
    """The address or the port cannot be had."""


class Server:
    """Serves ``app`` until told to stop. ``clock`` in monotonic seconds."""

    def __init__(
        self,
        app: WSGIApplication,
        settings: ServerSettings,
        max_body_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Listen. Raises CannotListen."""
        self._clock = clock
        self._stop_seconds = settings.stop_seconds
        self._stop_by: float | None = None
        self._sockets: dict[int, Any] = {}
        try:
            listening = waitress.create_server(
                app,
                self._sockets,
                host=settings.host,
                port=settings.port,
                threads=settings.threads,
                ident=None,
                # Otherwise a body that the app refuses is first stored as a whole.
                max_request_body_size=max_body_bytes,
                max_request_header_size=_HEADER_BYTES,
                inbuf_overflow=_KEPT_IN_MEMORY_BYTES,
                recv_bytes=_RECEIVE_BYTES,
                connection_limit=_CONNECTIONS,
                channel_timeout=settings.request_seconds,
                cleanup_interval=_SWEEP_SECONDS,
                # What came through a proxy must not look as if it came from this machine.
                clear_untrusted_proxy_headers=False,
            )
        except (OSError, ValueError) as error:
            raise CannotListen(
                f"Cannot listen on {settings.host}:{settings.port} ({getattr(error, 'strerror', None) or error}): end"
                " the other program there, or choose another port with --port or another address with --host."
            ) from error
        self._dispatcher = listening.task_dispatcher
        self._listeners = [each for each in self._sockets.values() if isinstance(each, BaseWSGIServer)]
        for listener in self._listeners:
            listener.channel_class = _Channel
            listener.stopping = False

    def run(self) -> None:
        """Serve; returns when all that was asked before :meth:`stop` is answered, or its time is up."""
        use_poll = hasattr(select, "poll")
        while self._stop_by is None:
            wasyncore.loop(_LOOK_SECONDS, use_poll, self._sockets, count=1)
        for listener in self._listeners:
            listener.stopping = True
            wasyncore.dispatcher.close(listener)
        while (busy := self._busy()) and self._clock() < self._stop_by:
            wasyncore.loop(min(_LOOK_SECONDS, self._stop_by - self._clock()), use_poll, self._sockets, count=1)
        if busy:
            log.warning("server.cut_off requests=%d seconds=%.0f", busy, self._stop_seconds)
        self._dispatcher.shutdown(timeout=0 if busy else _LOOK_SECONDS)
        wasyncore.close_all(self._sockets)

    def stop(self) -> None:
        """Take nothing new and let :meth:`run` return; told twice, at once. May be called from anywhere."""
        self._stop_by = self._clock() + (self._stop_seconds if self._stop_by is None else 0)
        if self._sockets:
            self._listeners[0].pull_trigger()

    def _busy(self) -> int:
        """The connections on which something is still to be received or answered; the others are closed."""
        channels = [each for each in self._sockets.values() if isinstance(each, HTTPChannel)]
        idle = [each for each in channels if not (each.requests or each.request or each.total_outbufs_len)]
        for channel in idle:
            channel.handle_close()
        return len(channels) - len(idle)


@contextmanager
def stopped_by_signals(server: Server) -> Iterator[None]:
    """Let Ctrl-C, and a service manager's way of ending a program, stop ``server`` in order."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), lambda *_: server.stop()) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


class _Task(WSGITask):  # type: ignore[misc]
    def build_response_header(self) -> bytes:
        if self.channel.server.stopping:
            self.set_close_on_finish()
        header: bytes = super().build_response_header()
        return header


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection whose requests' time counts from their first byte: who dribbles is as good as silent."""

    task_class = _Task
    last_activity: float

    def handle_read(self) -> None:
        began: float | None = self.last_activity if self.request else None
        super().handle_read()
        if began and self.request:
            self.last_activity = began
