"""The web server among slow, silent and hasty clients, and what is left of it when it is told to stop."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from tests.support.raw_clients import BEGUN, GET, PATIENCE, App, Serve, answer, eventually, serving
from tools.running_kiosk import RunningKiosk
from triof.access.api_keys import Keys
from triof.cli import main
from triof.settings.tree import Settings
from triof.storage.data_folder import open_database


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def serve(app: App) -> Iterator[Serve]:
    with serving(app) as start:
        yield start


def test_a_hundred_who_dribble_keep_nobody_waiting(serve: Serve) -> None:
    served = serve()
    for number in range(100):
        served.client(BEGUN[number % len(BEGUN)])
    assert answer(served.client(GET % b""))


def test_a_request_has_only_so_long_to_arrive(serve: Serve) -> None:
    served = serve(request_seconds=60)
    silent, dribbling, later = served.client(), served.client(BEGUN[1]), served.client(GET % b"")
    assert answer(later)
    served.clock.pass_(50)
    later.sendall(BEGUN[1])
    dribbling.sendall(b"23")
    served.round()
    served.clock.pass_(11)
    served.round()
    assert silent.recv(100) == b""
    assert dribbling.recv(100) == b"", "the second drop of it has bought it time"
    later.sendall(b"\r\nHost: x\r\n\r\n")
    assert answer(later)


def test_the_wall_clock_closes_nothing(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve()
    begun = served.client(BEGUN[1])
    served.round()
    turned = time.time() + 86_400
    monkeypatch.setattr(time, "time", lambda: turned)
    served.clock.pass_(2)
    served.round()
    begun.sendall(b"\r\nHost: x\r\n\r\n")
    assert answer(begun)


def test_told_to_stop_it_finishes_what_it_was_asked(app: App, serve: Serve) -> None:
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


@pytest.mark.slow
def test_what_takes_too_long_is_cut_off(app: App, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
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


def test_told_twice_it_stops_at_once(app: App, serve: Serve) -> None:
    served = serve(stop_seconds=30)
    served.client(GET % b"slow")
    assert app.asked.wait(PATIENCE)
    served.server.stop()
    served.server.stop()
    assert served.ended()


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_server_that_a_service_manager_ends_answers_first(tmp_path: Path, jpeg: bytes) -> None:
    home = tmp_path / "home"
    database = open_database(Settings(home=home))
    keys = Keys(database, 60)
    secret = keys.create("test", ["predict"])
    keys.close()
    database.close()
    environ = {
        "TRIOF_ROUTES__WASTE_TYPE": "tests.support.patient:Patient",
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
