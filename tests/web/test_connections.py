"""Crowds of connections at one server: who keeps a place, and who is answered whatever the others do."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.raw_clients import BEGUN, GET, PATIENCE, App, Serve, answer, eventually, serving
from tools.attack import own_address
from triof.web.connections import OWN_PLACES, PLACES, PLACES_EACH

FEW_FILES = """
import resource
from tools.running_kiosk import free_port
from triof.settings.sections.server import ServerSettings
from triof.web.server import Server
resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    return [b"done"]

port = free_port()
server = Server(app, ServerSettings(port=port), 1_000_000)
print(port, flush=True)
server.run()
"""


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def serve(app: App) -> Iterator[Serve]:
    with serving(app) as start:
        yield start


def is_open(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        while client.recv(1000):
            pass
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False


@pytest.fixture
def many_files() -> Iterator[None]:
    """Clients and server are one process here, which may open enough files for both."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip(f"this process may open {hard} files alone")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("said", [b"", *BEGUN, GET % b""])
def test_idle_connections_keep_nobody_out(serve: Serve, said: bytes) -> None:
    served = serve()
    crowd = [served.client(said) for _ in range(700)]
    for _ in range(3):
        assert answer(served.client(GET % b""))
    served.round()
    left = [is_open(client) for client in crowd]
    assert 400 < sum(left) <= PLACES
    assert left == sorted(left), "the ones that were idle for longest went"


@pytest.mark.usefixtures("many_files")
def test_a_connection_with_a_whole_request_is_not_closed_for_others(app: App, serve: Serve) -> None:
    served = serve()
    first = served.client(GET % b"slow")
    assert app.asked.wait(PATIENCE)
    for _ in range(600):
        served.client()
    assert answer(served.client(GET % b"livez"))
    app.go.set()
    assert answer(first)


@pytest.mark.usefixtures("many_files")
def test_one_address_elsewhere_holds_a_share_and_leaves_the_rest_to_others(serve: Serve) -> None:
    elsewhere = own_address()
    if not elsewhere:
        pytest.skip("this computer has no address besides loopback")
    served = serve(host="0.0.0.0")
    here = [served.client(GET % b"") for _ in range(20)]
    assert all(map(answer, here))
    crowd = [served.client(host=elsewhere) for _ in range(300)]
    assert answer(served.client(GET % b"", host=elsewhere)), "also at the address of the crowd"
    served.round()
    assert sum(map(is_open, crowd)) < PLACES_EACH
    assert all(map(is_open, here))


@pytest.mark.usefixtures("many_files")
def test_a_proxy_of_the_settings_stands_for_many(serve: Serve) -> None:
    elsewhere = own_address()
    if not elsewhere:
        pytest.skip("this computer has no address besides loopback")
    served = serve(host="0.0.0.0", trusted_proxies=[elsewhere])
    crowd = [served.client(host=elsewhere) for _ in range(600)]
    here = [served.client(GET % b"") for _ in range(OWN_PLACES)]
    assert all(map(answer, here))
    served.round()
    assert PLACES_EACH < sum(map(is_open, crowd)) <= PLACES - OWN_PLACES
    assert all(map(is_open, here))


@pytest.mark.slow
def test_where_few_files_may_be_opened_idle_connections_keep_nobody_out() -> None:
    pytest.importorskip("resource")
    served = subprocess.Popen([sys.executable, "-c", FEW_FILES], stdout=subprocess.PIPE, text=True)
    try:
        assert served.stdout
        port = int(served.stdout.readline())
        crowd = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(200)]
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
            client.sendall(GET % b"")
            assert answer(client)
        for client in crowd:
            client.close()
    finally:
        served.kill()
        served.communicate()


def test_the_touchscreen_and_livez_do_not_wait_for_others(app: App, serve: Serve) -> None:
    served = serve()
    for _ in range(4):
        served.client(GET % b"api/slow")
    assert app.asked.wait(PATIENCE)
    by_proxy = b"GET /%s HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
    may_wait, may_not = ("api/", "dashboard", "metrics", "readyz"), ("", "start", "static/kiosk.css", "livez")
    waiting = [served.client(GET % path.encode()) for path in may_wait] + [served.client(by_proxy % b"")]
    for path in may_not:
        assert answer(served.client(GET % path.encode())), path
    assert answer(served.client(by_proxy % b"livez"))
    assert app.answered == 5
    app.go.set()
    assert all(map(answer, waiting))


def test_who_does_not_read_the_answer_is_closed_too(serve: Serve) -> None:
    served = serve(request_seconds=60)
    reader = served.client(GET % b"huge")
    assert reader.recv(1, socket.MSG_PEEK)

    def is_closed() -> bool:
        served.clock.pass_(61)
        served.round()
        try:
            reader.send(b"x")
        except OSError:
            return True
        return False

    assert eventually(is_closed)
