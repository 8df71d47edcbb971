"""The web server among slow, silent and hasty clients, and what is left of it when it is told to stop."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from tests.conftest import Clock
from tools.running_kiosk import RunningKiosk
from triof.cli import main
from triof.home import open_journal
from triof.keys import Keys
from triof.server_settings import ServerSettings
from triof.serving import Server
from triof.settings import Settings

PATIENCE = 20
"""Seconds after which a test has failed; none waits so long when all is well."""


class App:
    """Answers at once, at ``/slow`` when told to."""

    def __init__(self) -> None:
        self.asked, self.go = threading.Event(), threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            self.asked.set()
            assert self.go.wait(PATIENCE)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]


@pytest.fixture
def app() -> Iterator[App]:
    app = App()
    yield app
    app.go.set()


class Served:
    """A server in a thread, and its clients."""

    def __init__(self, app: App, **settings: Any) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.clock = Clock()
        self.server = Server(app, ServerSettings(port=self.port, threads=2, **settings), 1_000_000, self.clock)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        self.clients: list[socket.socket] = []

    def client(self, said: bytes = b"") -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        self.clients.append(client)
        client.sendall(said)
        return client

    def takes_no_more(self) -> bool:
        try:
            self.client().close()
        except ConnectionRefusedError:
            return True
        return False

    def ended(self) -> bool:
        self.thread.join(PATIENCE)
        return not self.thread.is_alive()


@pytest.fixture
def serve(app: App) -> Iterator[Callable[..., Served]]:
    all_served: list[Served] = []

    def start(**settings: Any) -> Served:
        all_served.append(Served(app, **settings))
        return all_served[-1]

    yield start
    app.go.set()
    for served in all_served:
        for client in served.clients:
            client.close()
        served.server.stop()
        assert served.ended()


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.005)
    return holds()


def answer(client: socket.socket) -> bytes:
    """All of it, which may come in pieces; empty where none comes."""
    got = b""
    while not got.endswith(b"done"):
        if not (chunk := client.recv(1000)):
            return b""
        got += chunk
    return got


GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
BEGUN = (b"GET / HT", b"GET / HTTP/1.1\r\nX-Slow: 1", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab")


def test_a_hundred_who_dribble_keep_nobody_waiting(serve: Callable[..., Served]) -> None:
    served = serve()
    for number in range(100):
        served.client(BEGUN[number % len(BEGUN)])
    assert answer(served.client(GET % b""))


def test_a_request_has_only_so_long_to_arrive(serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> None:
    now = Clock()
    monkeypatch.setattr("waitress.channel.time", SimpleNamespace(time=now))
    served = serve(request_seconds=60)
    (listener,) = served.server._listeners
    dribbling, later = served.client(BEGUN[1]), served.client()

    def received(count: int) -> Callable[[], bool]:
        return lambda: sum(c.request is not None for c in listener.active_channels.values()) == count

    assert eventually(received(1))
    now.pass_(50)
    later.sendall(BEGUN[1])
    dribbling.sendall(b"23")
    assert eventually(received(2))
    listener.maintenance(now() + 11)
    listener.pull_trigger()
    assert dribbling.recv(100) == b"", "the second drop of it has bought it time"
    later.sendall(b"\r\nHost: x\r\n\r\n")
    assert answer(later)


def test_told_to_stop_it_finishes_what_it_was_asked(app: App, serve: Callable[..., Served]) -> None:
    served = serve()
    idle = served.client(GET % b"")
    assert answer(idle)
    half_sent, asking = served.client(BEGUN[2]), served.client(GET % b"slow")
    assert app.asked.wait(PATIENCE)
    served.server.stop()
    assert idle.recv(100) == b""
    assert eventually(served.takes_no_more)
    half_sent.sendall(b"cdefghi")
    assert answer(half_sent)
    assert served.thread.is_alive()
    app.go.set()
    assert b"Connection: close" in answer(asking)
    assert served.ended()


def test_what_takes_too_long_is_cut_off(
    app: App, serve: Callable[..., Served], caplog: pytest.LogCaptureFixture
) -> None:
    served = serve(stop_seconds=30)
    stuck = served.client(GET % b"slow")
    assert app.asked.wait(PATIENCE)
    served.server.stop()
    assert eventually(served.takes_no_more)
    assert served.thread.is_alive()
    served.clock.pass_(31)
    assert served.ended()
    assert stuck.recv(100) == b""
    assert "server.cut_off requests=1 seconds=30" in caplog.messages


def test_told_twice_it_stops_at_once(app: App, serve: Callable[..., Served]) -> None:
    served = serve(stop_seconds=30)
    served.client(GET % b"slow")
    assert app.asked.wait(PATIENCE)
    served.server.stop()
    served.server.stop()
    assert served.ended()


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for command in ("serve", "kiosk"):
            ran = CliRunner().invoke(main, [command, "--port", port])
            assert ran.exit_code == 1
            assert f"Cannot listen on 127.0.0.1:{port}" in ran.stderr
            assert "--port" in ran.stderr
            assert isinstance(ran.exception, SystemExit)


def test_a_server_that_a_service_manager_ends_answers_first(tmp_path: Path, jpeg: bytes) -> None:
    home = tmp_path / "home"
    journal = open_journal(Settings(home=home))
    keys = Keys(journal, 60)
    secret = keys.create("test", ["predict"])
    keys.close()
    journal.close()
    environ = {
        "TRIOF_ROUTES__WASTE_TYPE": "tests.patient:Patient",
        "TRIOF_ROUTES__CLEANLINESS": "fake",
        "PATIENT_FOLDER": str(tmp_path),
    }
    answers: list[requests.Response] = []
    with RunningKiosk(home, environ, "serve") as server:

        def ask() -> None:
            headers = {"Authorization": f"Bearer {secret}", "Content-Type": "image/jpeg"}
            answers.append(requests.post(f"{server.url}/api/v2/predict", jpeg, headers=headers, timeout=PATIENCE))

        asking = threading.Thread(target=ask)
        asking.start()
        assert eventually((tmp_path / "asked").exists)
        nowhere = requests.get(server.url, timeout=PATIENCE)
        assert nowhere.status_code == 404, "there is no touchscreen"
        assert 'href="/dashboard"' in nowhere.text
        server.send(signal.SIGTERM)
        assert eventually(lambda: _refused(server.port))
        (tmp_path / "answer").touch()
        asking.join(PATIENCE)
        assert server.wait() == 0
    assert [answer.status_code for answer in answers] == [200]
    assert secret not in (home / "logs" / "serve.log").read_text()


def _refused(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0
