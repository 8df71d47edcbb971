"""The web server: waitress, which takes a request in as a whole before a thread looks at it.

So a slow sender takes a connection and none of the threads (others: docs/measurements/servers.md). Added here: the
touchscreen and ``/livez`` have threads of their own, and a server that is told to stop finishes what it was asked. What
connections may take is in :mod:`triof.web.connections`.
"""

from __future__ import annotations

import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.task import ThreadedTaskDispatcher

from providers.event_log import get_logger
from triof.common.errors import TriofError
from triof.settings.sections.server import KEPT_THREADS, ServerSettings
from triof.web.connections import Channel, Listener, Places, places_there_are

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = get_logger(__name__)

_RECEIVE_BYTES = 262_144
"""A photo in one piece or two rather than in twenty."""
_KEPT_IN_MEMORY_BYTES = 2_097_152
"""A larger body waits in a temporary file."""
_HEADER_BYTES = 65_536
_LOOK_SECONDS = 1


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
        self._idle_seconds = settings.request_seconds
        self._stop_seconds = settings.stop_seconds
        self._stop_by: float | None = None
        self._sockets: dict[int, Any] = {}
        self._places = Places(settings.trusted_proxies, places_there_are(), clock)
        self._threads = RequestThreads(settings.threads)
        try:
            adjustments = Adjustments(
                host=settings.host,
                port=settings.port,
                ident=None,
                # Otherwise a body that the app refuses is first stored as a whole.
                max_request_body_size=max_body_bytes,
                max_request_header_size=_HEADER_BYTES,
                inbuf_overflow=_KEPT_IN_MEMORY_BYTES,
                recv_bytes=_RECEIVE_BYTES,
                # What came through a proxy must not look as if it came from this machine.
                clear_untrusted_proxy_headers=False,
            )
            self._listeners = [
                Listener(app, self._sockets, dispatcher=self._threads, adj=adjustments, sockinfo=sockinfo)
                for sockinfo in adjustments.listen
            ]
        except (OSError, ValueError) as error:
            raise CannotListen(
                f"Cannot listen on {settings.host}:{settings.port} ({getattr(error, 'strerror', None) or error}): end"
                " the other program there, or choose another port with --port or another address with --host."
            ) from error
        for listener in self._listeners:
            listener.places = self._places

    def run(self) -> None:
        """Serve; returns when all that was asked before :meth:`stop` is answered, or its time is up."""
        use_poll = hasattr(select, "poll")
        while self._stop_by is None:
            wasyncore.loop(_LOOK_SECONDS, use_poll, self._sockets, count=1)
            self._places.tidy(self._clock() - self._idle_seconds)
        for listener in self._listeners:
            listener.stopping = True
            wasyncore.dispatcher.close(listener)
        while (busy := self._busy()) and self._clock() < self._stop_by:
            wasyncore.loop(min(_LOOK_SECONDS, self._stop_by - self._clock()), use_poll, self._sockets, count=1)
        if busy:
            log.warning("server.cut_off", requests=busy, seconds=self._stop_seconds)
        self._threads.shutdown(timeout=0 if busy else _LOOK_SECONDS)
        wasyncore.close_all(self._sockets)

    def stop(self) -> None:
        """Take nothing new and let :meth:`run` return; told twice, at once. May be called from anywhere."""
        self._stop_by = self._clock() + (self._stop_seconds if self._stop_by is None else 0)
        if self._sockets:
            self._listeners[0].pull_trigger()

    def _busy(self) -> int:
        """The connections on which something is still to be received or answered; the others are closed."""
        channels = [each for each in self._sockets.values() if isinstance(each, Channel)]
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


class RequestThreads(ThreadedTaskDispatcher):  # type: ignore[misc]
    """``threads`` that answer requests, and KEPT_THREADS for those that must not wait for them."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self.set_thread_count(threads)
        self._kept = ThreadedTaskDispatcher()
        self._kept.set_thread_count(KEPT_THREADS)

    def add_task(self, task: Channel) -> None:
        """Have a request answered as soon as one of its threads is free."""
        if task.is_urgent:
            self._kept.add_task(task)
        else:
            super().add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """End the threads; those that are still busy after ``timeout`` seconds are left alone."""
        kept: bool = self._kept.shutdown(cancel_pending, timeout)
        others: bool = super().shutdown(cancel_pending, timeout)
        return kept and others
