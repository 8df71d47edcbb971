"""The web server: waitress, which reads a whole request before a thread handles it.

A slow client therefore occupies a connection but no thread (comparison: docs/measurements/servers.md). Added here: the
touchscreen and ``/livez`` have reserved threads, and a stopping server answers pending requests. The limits on
connections are in :mod:`triof.web.connections`.
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
"""Bytes per read: a photo takes one or two reads rather than twenty."""
_KEPT_IN_MEMORY_BYTES = 2_097_152
"""Larger request bodies are kept in a temporary file."""
_HEADER_BYTES = 65_536
_LOOK_SECONDS = 1


class CannotListen(TriofError):
    """The address or port is not available."""


class Server:
    """Serves ``app`` until told to stop. ``clock`` in monotonic seconds."""

    def __init__(
        self,
        app: WSGIApplication,
        settings: ServerSettings,
        max_body_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Bind the sockets. Raises CannotListen."""
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
                # Otherwise a rejected body is first stored as a whole.
                max_request_body_size=max_body_bytes,
                max_request_header_size=_HEADER_BYTES,
                inbuf_overflow=_KEPT_IN_MEMORY_BYTES,
                recv_bytes=_RECEIVE_BYTES,
                # Otherwise requests through a proxy appear to come from this machine.
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
        """Serve until :meth:`stop`; returns when pending requests are answered, or the grace period is over."""
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
        """Stop accepting requests and let :meth:`run` return; a second call ends the grace period. Thread-safe."""
        self._stop_by = self._clock() + (self._stop_seconds if self._stop_by is None else 0)
        if self._sockets:
            self._listeners[0].pull_trigger()

    def _busy(self) -> int:
        """Close idle connections and return the number of those still receiving or sending."""
        channels = [each for each in self._sockets.values() if isinstance(each, Channel)]
        idle = [each for each in channels if not (each.requests or each.request or each.total_outbufs_len)]
        for channel in idle:
            channel.handle_close()
        return len(channels) - len(idle)


@contextmanager
def stopped_by_signals(server: Server) -> Iterator[None]:
    """Stop ``server`` gracefully on SIGINT and SIGTERM."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), lambda *_: server.stop()) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


class RequestThreads(ThreadedTaskDispatcher):  # type: ignore[misc]
    """``threads`` for ordinary requests, and KEPT_THREADS reserved for urgent ones."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self.set_thread_count(threads)
        self._kept = ThreadedTaskDispatcher()
        self._kept.set_thread_count(KEPT_THREADS)

    def add_task(self, task: Channel) -> None:
        """Queue a request for the next free thread that may handle it."""
        if task.is_urgent:
            self._kept.add_task(task)
        else:
            super().add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """Stop the threads; those still busy after ``timeout`` seconds are abandoned."""
        kept: bool = self._kept.shutdown(cancel_pending, timeout)
        others: bool = super().shutdown(cancel_pending, timeout)
        return kept and others
