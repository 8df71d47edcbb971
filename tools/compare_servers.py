"""The API on four web servers, for docs/measurements/servers.md: ``.venv/bin/python -m tools.compare_servers``.

Needs ``pip install gunicorn cheroot granian``. Each serves the same application in one process with eight threads
(gunicorn: in its one worker). In turns: requests a second of ``POST /api/v2/predict`` by 1, 8 and 64 clients, medians;
and of as many bytes that are no photo, which is what the server itself costs. Then, for each, what one client
waits while 64 others dribble their headers, or their bodies, a byte a second.
"""

import argparse
import base64
import os
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from subprocess import DEVNULL
from tempfile import TemporaryDirectory
from threading import Event, Thread

import psutil

from tools.bench import camera_jpeg
from tools.load import Order, load_of, put_on
from tools.running_kiosk import free_port
from tools.serving import CLIENTS, key
from triof import services
from triof.app import create_app
from triof.settings.sections.server import ServerSettings
from triof.settings.tree import Settings

SERVERS = ("waitress", "gunicorn", "cheroot", "granian")
_THREADS = 8
_WAIT_SECONDS = 10.0
_DRIBBLING = {"headers": "X-Slow: ", "bodies": "Content-Length: 1000\r\n\r\n"}


def application() -> object:
    """The app of ``triof serve``, on the home folder of the environment."""
    settings = Settings(home=Path(os.environ["TRIOF_HOME"]))
    return create_app(settings, services.build(settings))


def serve(name: str, port: int) -> None:
    """Serve by ``name`` until killed."""
    if name == "waitress":
        from triof.web.server import Server

        Server(application(), ServerSettings(port=port, threads=_THREADS), 21_000_000).run()  # type: ignore[arg-type]
    elif name == "gunicorn":
        from gunicorn.app.wsgiapp import run

        sys.argv = ["gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", str(_THREADS)]
        sys.argv += ["--keep-alive", "30", "tools.compare_servers:application()"]
        run()
    elif name == "cheroot":
        from cheroot.wsgi import Server as Cheroot

        Cheroot(("127.0.0.1", port), application(), numthreads=_THREADS).start()
    else:
        from granian import Granian
        from granian.constants import Interfaces

        where = {"target": "tools.compare_servers:application", "factory": True, "address": "127.0.0.1", "port": port}
        Granian(**where, interface=Interfaces.WSGI, workers=1, blocking_threads=_THREADS).serve()


@contextmanager
def running(name: str, home: Path) -> Iterator[int]:
    """The server in a process of its own; its port."""
    port = free_port()
    command = [sys.executable, "-m", "tools.compare_servers", "--serve", name, "--port", str(port)]
    process = psutil.Popen(command, env={**os.environ, "TRIOF_HOME": str(home)}, stdout=DEVNULL, stderr=DEVNULL)
    try:
        until = time.monotonic() + 60
        while not _answers(port, 5) and time.monotonic() < until:
            time.sleep(0.2)
        yield port
    finally:
        for each in (*process.children(recursive=True), process):
            each.kill()
        process.wait()


def _answers(port: int, seconds: float) -> float | None:
    """After how long ``/livez`` is answered to somebody new; None if it is not."""
    began = time.monotonic()
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), seconds) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if client.recv(100).startswith(b"HTTP/1.1 200"):
            return time.monotonic() - began
    return None


def beside_slow_ones(port: int, headers: Mapping[str, str], end: str) -> str:
    """What somebody new waits while 64 others dribble what follows ``end``."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    begun = f"POST /api/v2/predict HTTP/1.1\r\nHost: localhost\r\n{lines}{end}".encode()
    ended = Event()
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(64)]

        def dribble() -> None:
            while not ended.wait(1):
                for client in slow:
                    with suppress(OSError):
                        client.sendall(b"x")

        for client in slow:
            client.sendall(begun)
        dribbling = Thread(target=dribble)
        dribbling.start()
        time.sleep(1)
        waited = _answers(port, _WAIT_SECONDS)
        ended.set()
        dribbling.join()
    return f"{waited:.2f} s" if waited else f"> {_WAIT_SECONDS:.0f} s"


def compare(turns: int, seconds: float) -> None:
    """Print the table."""
    photo = camera_jpeg()
    rates: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    with TemporaryDirectory(prefix="triof-") as folder, ExitStack() as stack:
        headers = {"Authorization": f"Bearer {key(Path(folder))}", "Content-Type": "image/jpeg"}
        ports = {name: stack.enter_context(running(name, Path(folder))) for name in SERVERS}
        asked = [("no photo, 8 clients", 8, bytes(len(photo)), seconds / 4)]
        asked += [(f"photo, {clients} clients", clients, photo, seconds) for clients in CLIENTS]
        for _ in range(turns):
            for what, clients, body, each in asked:
                encoded = base64.b64encode(body).decode()
                for name, port in ports.items():
                    order = Order(port, "/api/v2/predict", clients, each, encoded, headers)
                    rates[name, what].append(load_of(put_on(order)).per_second)
        print(
            f"| server | {' | '.join(what for what, *_ in asked)} | beside slow {' | beside slow '.join(_DRIBBLING)} |"
        )
        print("|---" * (1 + len(asked) + len(_DRIBBLING)) + "|")
        for name, port in ports.items():
            cells = [f"{median(rates[name, what]):.1f}/s" for what, *_ in asked]
            cells += [beside_slow_ones(port, headers, end) for end in _DRIBBLING.values()]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.port)
    else:
        compare(options.turns, options.seconds)


if __name__ == "__main__":
    main()
