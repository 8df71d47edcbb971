"""Asks a server of Triof whether it answers."""

from http.client import HTTPConnection, HTTPException
from typing import Literal

LivenessAnswer = Literal["answers", "refused", "silent"]
"""``refused``: no process listens there; ``silent``: one does, but does not answer in time or not as it should."""
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}  # noqa: S104
"""Addresses that mean every one of this computer."""


def local_address(host: str) -> str:
    """Return the address under which this computer reaches a server that listens on ``host``."""
    return _LOOPBACK.get(host, host)


def local_url(host: str, port: int) -> str:
    """Return the URL under which this computer reaches a server that listens on ``host``."""
    address = local_address(host)
    return f"http://{f'[{address}]' if ':' in address else address}:{port}/"


def ask_livez(host: str, port: int, seconds: float) -> LivenessAnswer:
    """Return how the server on ``host`` and ``port`` answers ``/livez`` within ``seconds``."""
    connection = HTTPConnection(local_address(host), port, timeout=seconds)
    try:
        connection.request("GET", "/livez", headers={"User-Agent": "triof"})
        return "answers" if connection.getresponse().status == 200 else "silent"
    except ConnectionRefusedError:
        return "refused"
    except (OSError, HTTPException):
        return "silent"
    finally:
        connection.close()
