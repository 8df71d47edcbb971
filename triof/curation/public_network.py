"""Connections that end in public networks only: nobody's list of addresses may look around in ours."""

import socket
from ipaddress import ip_address

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from triof.curation.unfetched import KeptOut


def kept_out(host: str) -> KeptOut:
    """The error that says so."""
    return KeptOut(f"{host} lies in a private network: --allow-private lets such addresses in.")


def is_private(host: str) -> bool:
    """Whether a name or an address is certainly not of the public Internet."""
    try:
        address = ip_address(host.partition("%")[0])
        return not (getattr(address, "ipv4_mapped", None) or address).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


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
