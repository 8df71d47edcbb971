"""Forwarding headers of trusted proxies: the client's address, scheme and host.

Werkzeug's ProxyFix trusts ``X-Forwarded-For``, ``-Proto`` and ``-Host`` from any sender. Here the headers are used only
from a proxy of the settings, and ignored otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
"""A request with one of these headers may have come through a proxy."""


class TrustedProxies:
    """WSGI middleware around ``app``; ``trusted`` are addresses and networks, as the settings hold them."""

    def __init__(self, app: WSGIApplication, trusted: Collection[str]) -> None:
        self._app = app
        self._behind_proxy = ProxyFix(self._with_valid_sender, x_for=1, x_proto=1, x_host=1)
        self._networks = [ip_network(each, strict=False) for each in trusted]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Apply the headers of a trusted proxy, then call ``app``."""
        peer = address_of(environ.get("REMOTE_ADDR", ""))
        is_trusted = peer is not None and any(peer in network for network in self._networks)
        return (self._behind_proxy if is_trusted else self._app)(environ, start_response)

    def _with_valid_sender(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # RFC 7239 allows "unknown": then the proxy's own address is used.
        if not address_of(environ["REMOTE_ADDR"]):
            environ["REMOTE_ADDR"] = environ["werkzeug.proxy_fix.orig"]["REMOTE_ADDR"]
        return self._app(environ, start_response)


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in ``text`` without its zone, a mapped IPv4 address as IPv4; None if it is no address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
