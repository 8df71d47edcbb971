"""Requests that came through one of the proxies in the settings: their real sender, scheme and host.

Werkzeug's ProxyFix believes ``X-Forwarded-For``, ``-Proto`` and ``-Host`` of any sender. Here only a proxy that the
settings name is believed; what others send in these headers has no effect.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
"""A request with one of these came through a proxy, or says so."""


class TrustedProxies:
    """WSGI middleware around ``app``; ``trusted`` are addresses and networks, as the settings hold them."""

    def __init__(self, app: WSGIApplication, trusted: Collection[str]) -> None:
        self._app = app
        self._behind_proxy = ProxyFix(self._with_valid_sender, x_for=1, x_proto=1, x_host=1)
        self._networks = [ip_network(each, strict=False) for each in trusted]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, with the proxy's word where it came from one."""
        peer = address_of(environ.get("REMOTE_ADDR", ""))
        is_trusted = peer is not None and any(peer in network for network in self._networks)
        return (self._behind_proxy if is_trusted else self._app)(environ, start_response)

    def _with_valid_sender(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # A proxy may write "unknown" (RFC 7239): then the sender is the proxy itself.
        if not address_of(environ["REMOTE_ADDR"]):
            environ["REMOTE_ADDR"] = environ["werkzeug.proxy_fix.orig"]["REMOTE_ADDR"]
        return self._app(environ, start_response)


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """The address in ``text`` without its zone, IPv4 where it is mapped into IPv6; None if it is no address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
