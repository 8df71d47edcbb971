"""Connections to public networks only, so that an untrusted list of addresses cannot reach private ones."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from triof.curation.collecting.fetch_errors import KeptOut

_EMBEDDING = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
"""NAT64 and IPv4-compatible prefixes: the last 32 bits are an IPv4 address."""
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")


def kept_out(host: str) -> KeptOut:
    """Return the error for a private host."""
    return KeptOut(f"{host} lies in a private network: --allow-private lets such addresses in.")


def is_private(host: str) -> bool:
    """Return whether a name or an address is certainly not public."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
    reached = _reached(address)
    return reached.is_multicast or not reached.is_global or reached in _LOCAL_NAT64


def _reached(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the address, or the IPv4 address to which a gateway translates it."""
    if isinstance(address, IPv4Address):
        return address
    if any(address in network for network in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _refuse_private_peer(sock: socket.socket, host: str) -> socket.socket:
    # Checking the connection instead of the name prevents DNS rebinding.
    if is_private(sock.getpeername()[0]):
        sock.close()
        raise kept_out(host)
    return sock


class _PublicHTTP(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _refuse_private_peer(super()._new_conn(), self.host)


class _PublicHTTPS(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _refuse_private_peer(super()._new_conn(), self.host)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _PublicHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPS


PUBLIC_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}
"""Connection pools for urllib3's PoolManager, by scheme."""
