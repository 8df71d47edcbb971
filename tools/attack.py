"""What a person at the touchscreen notices while clients attack: ``make attack``.

A real ``triof kiosk`` in a process of its own, the attackers in another one. Prints a table and exits with 1 where a
goal is missed. docs/measurements/resilience.md shows what was measured.

``idle``: so many connections that are opened and left idle, a quarter each without a byte, with half a header, with
half a body, and with one answered request. What the server closes is opened again within half a second. Meanwhile the
touchscreen's first page, ``/livez``, and ``/livez`` from another address are asked for, each time by a new connection.

``photos``: eight clients of the API, each with a key, send small files that open to many pixels or take long to decode,
as fast as they are answered. Meanwhile one deposit follows the other, ``/livez`` is asked for, and the memory of the
process is watched.
"""

import argparse
import os
import resource
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from multiprocessing import Process
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import NamedTuple

import psutil
import requests
from PIL import Image

from testing.image_files import JPEGS, encoded, flat_png, flat_webp, many_scans
from tools.running_kiosk import QUICK, RunningKiosk
from triof.drills.visitor import Visitor

GOAL_SECONDS = 1.0
"""For every answer during an attack."""
GOAL_PEAK_MB, GOAL_LEFT_MB = 400, 50
"""Of memory over that of an idle machine: during an attack, and after it."""
_CLIENTS = 8
_SETTLE_SECONDS = 5.0
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


class AttackMeasurement(NamedTuple):
    """One row: what was measured, in words, and whether the goal is met."""

    name: str
    told: str
    is_met: bool


def answers(name: str, seconds: Sequence[float], lost: int) -> AttackMeasurement:
    """The answers of one address during an attack, which took so long each; ``lost`` ones never came."""
    worst = max(seconds, default=0.0)
    told = f"asked {len(seconds):>4}, lost {lost:>2}   worst {worst:6.3f} s (goal < {GOAL_SECONDS:.0f})"
    return AttackMeasurement(name, told, bool(seconds) and not lost and worst < GOAL_SECONDS)


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


def asked(urls: Mapping[str, str], seconds: float) -> list[AttackMeasurement]:
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
    return [answers(name, times, lost[name]) for name, times in taken.items()]


def idle(seconds: float) -> Iterator[tuple[str, list[AttackMeasurement]]]:
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


def costly() -> list[bytes]:
    """Small files that take much memory or time to decode, if they are let."""
    pixels = [flat_png(8000, 6250, *kind) for kind in ((4,), (6,), (2,), (3,), (0, 16), (6, 16))]
    big = encoded(Image.new("RGB", (8160, 6144), "grey"), progressive=True)
    pictures = [encoded(Image.new("P", (7000, 7000)), "GIF"), flat_webp(9000, 5500), flat_webp(3900, 3900)]
    return [*pixels, *pictures, big, many_scans(big, 80), many_scans(big, 600), many_scans(JPEGS["progressive"], 90)]


def send(url: str, key: str, images: Sequence[bytes]) -> None:
    """Eight clients that send ``images`` in turn, each as soon as the last one is answered, until killed."""

    def client(number: int) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        with requests.Session() as session:
            for turn in count(number):
                with suppress(requests.RequestException):
                    session.post(f"{url}/api/v2/predict", images[turn % len(images)], headers=headers, timeout=60)

    threads = [Thread(target=client, args=[number]) for number in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class MemoryWatch(Thread):
    """Looks at the memory of a process until told to stop; in megabytes."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._stopped = Event()
        self.peak = 0.0

    @property
    def now(self) -> float:
        """At this moment."""
        return float(self._process.memory_info().rss) / 1e6

    def run(self) -> None:
        """Watch."""
        while not self._stopped.wait(0.02):
            self.peak = max(self.peak, self.now)

    def stop(self) -> None:
        """End watching."""
        self._stopped.set()
        self.join()


def deposits(url: str, seconds: float) -> tuple[int, int]:
    """How many deposits were begun within ``seconds``, and how many of them were done to the end."""
    begun, done = 0, 0
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        begun += 1
        person = Visitor(url)
        # A page without the button that comes next, or no page, is a deposit that was not done.
        with suppress(requests.RequestException, LookupError):
            person.press("/start")
            person.press("/waste/pick-type")
            if person.shown == "pick_type":
                person.press("/confirmation", waste_type=person.ticked or "cup", sure="1")
                while person.shown == "sorting":
                    time.sleep(_PAUSE_SECONDS)
                    person.open("/confirmation")
            is_over = person.shown in ("thanks", "returned")
            done += is_over
            person.press("/done" if is_over else "/return")
    return begun, done


def photos(seconds: float) -> Iterator[tuple[str, list[AttackMeasurement]]]:
    """The attack by costly photos, with what was measured during ``seconds`` of it and after it."""
    with TemporaryDirectory(prefix="triof-") as home:
        command = [sys.executable, "-m", "triof.cli", "keys", "create", "attack", "--scope", "predict"]
        environ = {**os.environ, "TRIOF_HOME": home}
        made = subprocess.run([*command, "--per-minute", "100000"], env=environ, capture_output=True, check=True)
        key = next(word for word in made.stdout.decode().split() if word.startswith("triof_"))
        with RunningKiosk(Path(home), QUICK) as kiosk:
            asked({"/livez": f"{kiosk.url}/livez"}, 0.1)
            # A machine that has worked: its models have as many interpreters as there are cores.
            with attackers(kiosk.url, key, [encoded(Image.new("RGB", (1280, 720), "grey"))], target=send):
                deposits(kiosk.url, 5)
            time.sleep(_SETTLE_SECONDS)
            watch = MemoryWatch(kiosk.pid)
            before = watch.now
            watch.start()
            with ThreadPoolExecutor() as pool, attackers(kiosk.url, key, costly(), target=send):
                visits = pool.submit(deposits, kiosk.url, seconds)
                lives = pool.submit(asked, {"/livez": f"{kiosk.url}/livez"}, seconds)
                (begun, done), (alive,) = visits.result(), lives.result()
            time.sleep(_SETTLE_SECONDS)
            watch.stop()
            peak, left = watch.peak - before, watch.now - before
        yield (
            f"{_CLIENTS} clients with costly photos",
            [
                AttackMeasurement("deposits", f"{done} of {begun} done", bool(done) and done == begun),
                alive,
                AttackMeasurement(
                    "peak memory", f"{peak:+.0f} MB over idle (goal <= {GOAL_PEAK_MB})", peak <= GOAL_PEAK_MB
                ),
                AttackMeasurement("memory after", f"{left:+.0f} MB (goal <= {GOAL_LEFT_MB})", left <= GOAL_LEFT_MB),
            ],
        )


ATTACKS: Mapping[str, Callable[[float], Iterator[tuple[str, list[AttackMeasurement]]]]] = {
    "idle": idle,
    "photos": photos,
}


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
                print(f"{'ok  ' if each.is_met else 'MISS'} {attack:<36} {each.name:<22} {each.told}", flush=True)
    sys.exit(not is_met)


if __name__ == "__main__":
    main()
