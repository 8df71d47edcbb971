"""What a person at the touchscreen notices while clients attack: ``make attack``.

A real ``triof kiosk`` in a process of its own, the attackers in another one. Prints a table and exits with 1 where a
goal is missed. docs/resilience.md shows what was measured.

``idle``: so many connections that are opened and left idle, a quarter each without a byte, with half a header, with
half a body, and with one answered request. What the server closes is opened again within half a second. Meanwhile the
touchscreen's first page, ``/livez``, and ``/livez`` from another address are asked for, each time by a new connection.
"""

import argparse
import resource
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import Process
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import requests

from tools.running_kiosk import RunningKiosk

GOAL_SECONDS = 1.0
"""For every answer during an attack."""
_CONNECTIONS = (520, 1000)
_PAUSE_SECONDS = 0.05
_REOPEN_SECONDS = 0.5
_IDLE = (
    b"",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    b"POST /start HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nab",
    b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
)
"""What a connection says before it falls silent."""


class Measured(NamedTuple):
    """The answers of one address during an attack; the longest took ``worst`` seconds, ``lost`` ones never came."""

    name: str
    asked: int
    lost: int
    worst: float

    @property
    def is_met(self) -> bool:
        """Whether every answer came in time."""
        return bool(self.asked) and not self.lost and self.worst < GOAL_SECONDS


def own_address() -> str | None:
    """An address of this computer that is not loopback; None where it has no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        # Sends nothing: it only asks which address would be used.
        probe.connect(("192.0.2.1", 9))
        address = str(probe.getsockname()[0])
        return None if address.startswith("127.") else address
    return None


def hold(address: str, port: int, connections: int) -> None:
    """Open ``connections`` idle connections to a server, and again those that it closes, until killed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, connections + 100)), hard))
    with selectors.DefaultSelector() as watched:
        opened = 0
        while True:
            while len(watched.get_map()) < connections:
                client = socket.socket()
                client.settimeout(5)
                with suppress(OSError):
                    client.connect((address, port))
                    client.sendall(_IDLE[opened % len(_IDLE)])
                client.setblocking(False)
                watched.register(client, selectors.EVENT_READ)
                opened += 1
            for key, _ in watched.select(_REOPEN_SECONDS):
                assert isinstance(key.fileobj, socket.socket)
                try:
                    is_open = bool(key.fileobj.recv(4096))
                except OSError:
                    is_open = False
                if not is_open:
                    watched.unregister(key.fileobj)
                    key.fileobj.close()
            time.sleep(_REOPEN_SECONDS)


@contextmanager
def attackers(*arguments: object, target: Callable[..., None] = hold) -> Iterator[None]:
    """``target`` at work in a process of its own."""
    process = Process(target=target, args=arguments, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def asked(urls: Mapping[str, str], seconds: float) -> list[Measured]:
    """Ask for every one of ``urls`` in turn, each time by a new connection, for so many seconds."""
    taken: dict[str, list[float]] = {name: [] for name in urls}
    lost = dict.fromkeys(urls, 0)
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for name, url in urls.items():
            began = time.perf_counter()
            try:
                requests.get(url, timeout=10).raise_for_status()
            except requests.RequestException:
                lost[name] += 1
            taken[name].append(time.perf_counter() - began)
        time.sleep(_PAUSE_SECONDS)
    return [Measured(name, len(times), lost[name], max(times)) for name, times in taken.items()]


def idle(seconds: float) -> Iterator[tuple[str, list[Measured]]]:
    """Each attack by idle connections with what was measured during ``seconds`` of it."""
    elsewhere = own_address()
    for connections in _CONNECTIONS:
        for where, address in (("elsewhere", elsewhere), ("loopback", "127.0.0.1")):
            if not address:
                continue
            with (
                TemporaryDirectory(prefix="triof-") as home,
                RunningKiosk(Path(home), {"TRIOF_SERVER__HOST": "0.0.0.0"}) as kiosk,
            ):
                urls = {"touchscreen": f"{kiosk.url}/", "/livez": f"{kiosk.url}/livez"}
                if elsewhere:
                    urls["/livez from elsewhere"] = f"http://{elsewhere}:{kiosk.port}/livez"
                asked(urls, 0.1)
                with attackers(address, kiosk.port, connections):
                    yield f"{connections} idle connections, {where}", asked(urls, seconds)


ATTACKS: Mapping[str, Callable[[float], Iterator[tuple[str, list[Measured]]]]] = {"idle": idle}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=ATTACKS, action="append", help="this attack alone; may be repeated")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each attack")
    options = parser.parse_args()
    is_met = True
    for name in options.only or ATTACKS:
        for attack, measured in ATTACKS[name](options.seconds):
            for each in measured:
                is_met &= each.is_met
                print(
                    f"{'ok  ' if each.is_met else 'MISS'} {attack:<36} {each.name:<22} asked {each.asked:>3}, lost"
                    f" {each.lost:>2}   worst {each.worst:6.3f} s (goal < {GOAL_SECONDS:.0f})",
                    flush=True,
                )
    sys.exit(not is_met)


if __name__ == "__main__":
    main()
