"""Limits on the connections of a server, and which one is closed when they are reached.

Idle connections of one client cannot keep another client out. A new connection is accepted as long as any
connection is idle: the longest idle connection of the address with the most connections is then closed.
A connection with a complete request is never closed for a new one.
"""

from __future__ import annotations

import errno
import select
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import WSGITask

from providers.event_log import get_logger
from triof.web.proxies import PROXY_HEADERS, address_of

log = get_logger(__name__)

PLACES = 500
"""Maximum number of connections; lower than a process's usual limit of open files."""
OWN_PLACES = 50
"""Of these, reserved for connections from this machine."""
PLACES_EACH = 100
"""Maximum per remote address; trusted proxies serve many clients and are not limited."""
_OTHER_FILES = 150
"""File descriptors reserved for the rest of the process."""
_ACCEPTED_AT_ONCE = 64
_SWEEP_SECONDS = 1.0
_TOLD_SECONDS = 60.0
_NO_FILES_LEFT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PROXY_HEADERS = frozenset(name.upper().replace("-", "_") for name in PROXY_HEADERS)
"""Names of the forwarding headers as waitress writes them."""
_MAY_WAIT = ("/api/", "/dashboard", "/metrics", "/readyz")
"""Path prefixes that do not belong to the touchscreen."""


@dataclass
class _Holder:
    """The connections of one address, ordered by the start of the latest request, most recent first."""

    is_own: bool
    is_limited: bool
    channels: dict[Channel, None] = field(default_factory=dict)

    def longest_idle(self, besides: Channel | None) -> Channel | None:
        return next((each for each in self.channels if each is not besides and not each.requests), None)


class Places:
    """The open connections by address. ``trusted`` are the proxies of the settings; ``clock`` in monotonic seconds.

    Not thread-safe: only the server's loop calls it.
    """

    def __init__(
        self, trusted: Collection[str] = (), places: int = PLACES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = clock
        self._trusted = [ip_network(each, strict=False) for each in trusted]
        self._places = places
        self._holders: dict[str, _Holder] = {}
        self._own = self._others = 0
        self._leaving: list[Channel] = []
        self._swept_at = clock()
        self._closed = 0
        self._told_at = -_TOLD_SECONDS

    def enter(self, newcomer: Channel) -> None:
        """Add ``newcomer``; if a connection must be closed for it, :meth:`tidy` does so."""
        self._add(newcomer)
        if crowd := self._crowd(self._holders[newcomer.peer]):
            self._leave(_longest_idle(crowd, newcomer) or newcomer)

    def used(self, channel: Channel) -> None:
        """Note that a request begins to arrive on ``channel``."""
        if (holder := self._holders.get(channel.peer)) and channel in holder.channels:
            holder.channels[channel] = holder.channels.pop(channel)

    def forget(self, channel: Channel) -> None:
        """Remove ``channel``, which is closed or about to be."""
        holder = self._holders.get(channel.peer)
        if not holder or channel not in holder.channels:
            return
        del holder.channels[channel]
        if not holder.channels:
            del self._holders[channel.peer]
        self._count(holder, -1)

    def make_room(self) -> bool:
        """Mark one idle connection for closing; return False if none is idle."""
        idle = _longest_idle(self._holders.values())
        if idle:
            self._leave(idle)
        return idle is not None

    def tidy(self, idle_since: float) -> None:
        """Close the marked connections, and those idle since before ``idle_since``.

        Call it between two iterations of the loop: within one, a closed socket's file descriptor may be reused.
        """
        leaving, self._leaving = self._leaving, []
        if self.clock() >= self._swept_at + _SWEEP_SECONDS:
            self._swept_at = self.clock()
            all_ = [each for holder in self._holders.values() for each in holder.channels]
            leaving += [each for each in all_ if each.quiet_since < idle_since and not each.requests]
        for channel in leaving:
            if channel.requests and channel.connected:
                # A request arrived since it was marked.
                self._add(channel)
            else:
                channel.handle_close()
        self._tell()

    def _crowd(self, newcomer: _Holder) -> list[_Holder]:
        """Return the addresses of which one must give up a connection for ``newcomer``; empty if there is room."""
        if newcomer.is_limited and len(newcomer.channels) > PLACES_EACH:
            return [newcomer]
        if not newcomer.is_own and self._others > self._places - OWN_PLACES:
            return [holder for holder in self._holders.values() if not holder.is_own]
        return list(self._holders.values()) if self._own + self._others > self._places else []

    def _add(self, channel: Channel) -> None:
        if channel.peer not in self._holders:
            address = address_of(channel.peer)
            is_proxy = address is not None and any(address in network for network in self._trusted)
            self._holders[channel.peer] = _Holder(channel.is_own, is_limited=not (channel.is_own or is_proxy))
        holder = self._holders[channel.peer]
        holder.channels[channel] = None
        self._count(holder, 1)

    def _leave(self, channel: Channel) -> None:
        self.forget(channel)
        self._leaving.append(channel)
        self._closed += 1

    def _count(self, holder: _Holder, change: int) -> None:
        self._own += change * holder.is_own
        self._others += change * (not holder.is_own)

    def _tell(self) -> None:
        """Log at most once a minute, so that an attack cannot fill the log."""
        if self._closed and self.clock() - self._told_at >= _TOLD_SECONDS:
            log.warning("server.crowded", closed=self._closed, open=self._own + self._others)
            self._closed, self._told_at = 0, self.clock()


def _longest_idle(crowd: Iterable[_Holder], besides: Channel | None = None) -> Channel | None:
    """Return the longest idle connection of the address with the most connections that has one."""
    for holder in sorted(crowd, key=lambda holder: len(holder.channels), reverse=True):
        if idle := holder.longest_idle(besides):
            return idle
    return None


class _Task(WSGITask):  # type: ignore[misc]
    def build_response_header(self) -> bytes:
        if self.channel.server.stopping:
            self.set_close_on_finish()
        header: bytes = super().build_response_header()
        return header


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection; a request's time limit counts from its first byte, so single bytes do not extend it."""

    task_class = _Task
    requests: list[Any]

    def __init__(self, server: Listener, sock: Any, addr: tuple[Any, ...], adj: Any, map: Any = None) -> None:  # noqa: A002
        self.peer = str(addr[0])
        address = address_of(self.peer)
        self.is_own = address is not None and address.is_loopback
        self.quiet_since = server.places.clock()
        """Time at which its request began to arrive, or its last response ended."""
        super().__init__(server, sock, addr, adj, map)

    @property
    def is_urgent(self) -> bool:
        """Return whether its request uses reserved threads: the touchscreen's requests, and any ``/livez``."""
        request = self.requests[0]
        path = getattr(request, "path", "")
        if path == "/livez":
            return True
        return self.is_own and _PROXY_HEADERS.isdisjoint(request.headers) and not path.startswith(_MAY_WAIT)

    def handle_read(self) -> None:
        """Read the received bytes."""
        if not self.request:
            self.quiet_since = self.server.places.clock()
            self.server.places.used(self)
        super().handle_read()

    def handle_write(self) -> None:
        """Send the pending bytes."""
        before = self.total_outbufs_len
        super().handle_write()
        if self.total_outbufs_len < before:
            self.quiet_since = self.server.places.clock()

    def service(self) -> None:
        """Answer a request; runs in a worker thread."""
        super().service()
        self.quiet_since = self.server.places.clock()

    def del_channel(self, map: Any = None) -> None:  # noqa: A002
        """Remove the closed connection."""
        super().del_channel(map)
        self.server.places.forget(self)


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """Accepts connections on one address."""

    places: Places
    stopping = False
    _resumes_at = 0.0

    def readable(self) -> bool:
        """Return whether to poll for new connections."""
        return bool(self.accepting) and self.places.clock() >= self._resumes_at

    def handle_accept(self) -> None:
        """Accept many waiting connections at once: the touchscreen's may be queued behind hundreds of others."""
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                if not (accepted := self.accept()):
                    return
                connection, address = accepted
                self.set_socket_options(connection)
            except OSError as error:
                if error.errno in _NO_FILES_LEFT and not self.places.make_room():
                    self._resumes_at = self.places.clock() + 1
                return
            self.places.enter(Channel(self, connection, address, self.adj, self._map))


def places_there_are() -> int:
    """Return PLACES, or fewer if this process may open or select fewer files."""
    if not hasattr(select, "poll"):
        # On Windows only select is available, which takes 512 sockets.
        return PLACES - 100
    import resource

    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return PLACES if files == resource.RLIM_INFINITY else max(2 * OWN_PLACES, min(PLACES, files - _OTHER_FILES))
