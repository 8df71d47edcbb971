"""Clients that ask one address again and again, in a process of its own: ``python -m tools.load``.

One thread and bare sockets that stay open, so that the load costs as little as possible of the cores that it shares
with the server. Each client sends its next request when it has the whole answer. Reads one JSON object from standard
input (:class:`Order`, the body in Base64) and prints one (:class:`LoadResult`).
"""

import base64
import json
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import ceil
from subprocess import PIPE, Popen


@dataclass(frozen=True)
class Order:
    """What to send, how many at once, and for how many seconds after ``warm_up`` ones that do not count."""

    port: int
    path: str
    clients: int
    seconds: float
    body: str
    """Base64."""
    headers: Mapping[str, str] = field(default_factory=dict)
    warm_up: float = 1.0


@dataclass(frozen=True)
class LoadResult:
    """What came of it; times in seconds."""

    answers: int
    with_warm_up: int
    """All answers, those that do not count too."""
    seconds: float
    p50: float
    p99: float
    statuses: Mapping[str, int]
    cpu_seconds: float
    """What the clients themselves took."""

    @property
    def per_second(self) -> float:
        """Requests answered."""
        return self.answers / self.seconds


def put_on(order: Order) -> Popen[str]:
    """Begin; :func:`load_of` waits for the end."""
    clients = Popen([sys.executable, "-m", "tools.load"], stdin=PIPE, stdout=PIPE, text=True)
    assert clients.stdin
    clients.stdin.write(json.dumps(asdict(order)))
    clients.stdin.close()
    clients.stdin = None
    return clients


def load_of(clients: Popen[str]) -> LoadResult:
    """What came of clients put on before. Raises RuntimeError if they broke."""
    told, _ = clients.communicate()
    if clients.returncode:
        raise RuntimeError("the clients broke: see above")
    return LoadResult(**json.loads(told))


class _LoadClient:
    """One who asks again and again, on one connection where the server keeps it; answers must name their length."""

    def __init__(self, order: Order, request: bytes, ready: selectors.BaseSelector) -> None:
        self._port, self._request, self._ready = order.port, request, ready
        self._socket: socket.socket | None = None
        self._got = b""
        self.asked = 0.0

    def ask(self) -> None:
        self.asked, self._got = time.perf_counter(), b""
        if not self._socket:
            self._socket = socket.create_connection(("127.0.0.1", self._port), 60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ready.register(self._socket, selectors.EVENT_READ, self)
        self._socket.sendall(self._request)

    def answered(self) -> str | None:
        """The status if the answer is whole."""
        assert self._socket
        chunk = self._socket.recv(1 << 16)
        if not chunk:
            raise ConnectionError(f"the server hung up: {self._got[:200]!r}")
        self._got += chunk
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end:
            return None
        lines = head.decode("latin-1").lower().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
        if len(body) < length:
            return None
        if "connection: close" in lines:
            self._ready.unregister(self._socket)
            self._socket.close()
            self._socket = None
        return lines[0].split()[1]


def ask(order: Order) -> LoadResult:
    """Ask until the time is up."""
    body = base64.b64decode(order.body)
    headers = {"Host": "127.0.0.1", "Content-Length": str(len(body)), **order.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"POST {order.path} HTTP/1.1\r\n{lines}\r\n".encode() + body
    statuses, times, whole = Counter[str](), list[float](), 0
    with selectors.DefaultSelector() as ready:
        for _ in range(order.clients):
            _LoadClient(order, request, ready).ask()
        begin = time.perf_counter() + order.warm_up
        end = begin + order.seconds
        cpu = time.process_time()
        while (now := time.perf_counter()) < end:
            if now < begin:
                cpu = time.process_time()
            for key, _ in ready.select(end - now):
                if status := key.data.answered():
                    whole += 1
                    if time.perf_counter() >= begin:
                        statuses[status] += 1
                        times.append(time.perf_counter() - key.data.asked)
                    key.data.ask()
        cpu = time.process_time() - cpu
    times.sort()
    median, worst = (times[max(0, ceil(share * len(times)) - 1)] if times else 0.0 for share in (0.5, 0.99))
    return LoadResult(len(times), whole, order.seconds, median, worst, dict(statuses), cpu)


if __name__ == "__main__":
    print(json.dumps(asdict(ask(Order(**json.loads(sys.stdin.read()))))))
