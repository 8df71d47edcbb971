"""Connections that end in public networks only: nobody's list of addresses may look around in ours."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from triof.curation.collecting.fetch_errors import KeptOut

_EMBEDDING = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
"""NAT64, and what was called IPv4-compatible: their last 32 bits are an IPv4 address."""
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")


def kept_out(host: str) -> KeptOut:
    """The error that says so."""
    return KeptOut(f"{host} lies in a private network: --allow-private lets such addresses in.")


def is_private(host: str) -> bool:
    """Whether a name or an address is certainly not of the public Internet."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
    reached = _reached(address)
    return reached.is_multicast or not reached.is_global or reached in _LOCAL_NAT64


def _reached(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The address itself, or the IPv4 address to which a gateway translates it."""
    if isinstance(address, IPv4Address):
        return address
    if any(address in network for network in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _refuse_private_peer(sock: socket.socket, host: str) -> socket.socket:
    # Asking the connection rather than the name leaves no gap in which the name may change its mind.
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
"""For urllib3's PoolManager, by scheme."""
