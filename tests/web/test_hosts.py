"""The Host check: foreign names open no address of a server, its own names and every IP address do."""

import json
import socket
from collections.abc import Callable, Iterator
from itertools import cycle

import pytest
import requests
from flask.testing import FlaskClient

from tests.support.api_desk import served
from tests.support.machines import BuildMachine, Machine
from tests.support.url_map import doors
from triof.settings.loader import SettingsError, load
from triof.settings.tree import Settings

HERE = ["localhost", "127.0.0.1", "[::1]", "192.168.1.20", "10.0.0.7", "[fe80::1]", "[2001:db8::7]", "kiosk.localhost"]
FOREIGN = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil-localhost", "triof", "a" * 300]


def written(name: str) -> Iterator[str]:
    """Ways to write one host."""
    yield from (name, name.upper(), f"{name}:8080", f"{name}:1")
    if not name.endswith("]"):
        yield from (f"{name}.", f"{name.title()}.:8080")


def mistaken(name: str) -> Iterator[str]:
    """What a foreign host looks like that tries to look like ``name``."""
    yield from (f"{name}@evil.example", f"evil.example@{name}", f"{name}, evil.example", f"evil.example, {name}")
    yield from (
        f"{name} evil.example",
        f"{name}/evil.example",
        f"http://{name}",
        f"{name}:80:80",
        f"{name}\t.evil.example",
    )
    yield from (f"{name}#", f"{name}?", f".{name}.evil.example", f"{name}:", f"{name}:80x")


NO_HOST = [
    "",
    ":8080",
    ".",
    "..",
    "[",
    "[]",
    "[::1",
    "::1]",
    "[evil.example]",
    "0x7f.1",
    "2130706433",
    "127.1",
    "é.example",
]
REFUSED = [
    *(way for name in FOREIGN for way in written(name)),
    *(way for name in ("localhost", "127.0.0.1", "[::1]") for way in mistaken(name)),
    *NO_HOST,
]


def status(client: FlaskClient, host: str, path: str = "/livez") -> int:
    return client.get(path, headers={"Host": host}).status_code


@pytest.mark.slow
@pytest.mark.parametrize("host", [way for name in HERE for way in written(name)])
def test_loopback_and_ip_addresses_are_answered(machine: Machine, host: str) -> None:
    assert status(machine.client(), host, "/") == 200


def test_foreign_and_broken_hosts_are_refused_with_the_name_of_the_setting(machine: Machine) -> None:
    client = machine.client()
    for host in REFUSED:
        refused = client.get("/", headers={"Host": host})
        assert refused.status_code == 403, host
        assert refused.mimetype == "text/plain"
        assert "server.trusted_hosts" in refused.text


def test_no_address_answers_to_a_foreign_name(machine: Machine) -> None:
    client = machine.client()
    for door, host in zip(doors(machine), cycle(REFUSED), strict=False):
        answer = door.knock(client, headers={"Host": host})
        assert answer.status_code == 403, door
        assert "server.trusted_hosts" in answer.text, door
        if door.path.startswith("/api/"):
            assert answer.mimetype == "application/problem+json"
            assert json.loads(answer.text)["code"] == "host_unknown"
    nowhere = client.get("/nowhere", headers={"Host": "evil.example"})
    assert (nowhere.status_code, "Set-Cookie" in nowhere.headers) == (403, False)
    assert not machine.events("deposit.opened")


def test_names_of_the_settings_are_answered(build_machine: BuildMachine) -> None:
    trusted = ["Triof.Example.", ".office.example", "bücher.example", "kiosk_1", "[2001:db8::1]"]
    client = build_machine(server={"trusted_hosts": trusted}).client()
    for name in ("triof.example", "office.example", "kiosk.Office.example", "xn--bcher-kva.example", "kiosk_1"):
        assert {status(client, way) for way in written(name)} == {200}, name
    for name in ("below.triof.example", "myoffice.example", "office.example.evil.example", "example"):
        assert status(client, name) == 403, name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("listening", "own"), [("0.0.0.0", 200), ("::", 200), ("192.168.1.20", 200), ("localhost", 403), ("127.0.0.1", 403)]
)
def test_a_server_for_others_answers_to_the_name_of_its_computer(
    build_machine: BuildMachine, listening: str, own: int
) -> None:
    client, name = build_machine(server={"host": listening}).client(), socket.gethostname()
    assert status(client, name) == own
    assert status(client, f"{name.split('.')[0]}.LOCAL:8080") == own
    assert status(client, "evil.example") == 403
    named = build_machine(server={"host": "kiosk.lan"}).client()
    assert status(named, "kiosk.lan") == 200


@pytest.mark.parametrize(
    "wrong", ["https://triof.example", "triof.example:443", "a/b", "a b", "*", "", ".", "*.example"]
)
def test_what_is_no_name_is_a_mistake_of_the_settings(wrong: str) -> None:
    with pytest.raises(SettingsError, match="without scheme, port and path"):
        load(environ={"TRIOF_SERVER__TRUSTED_HOSTS": f"fine.example, {wrong or '.'}"})


def test_names_come_from_the_environment() -> None:
    settings: Settings = load(environ={"TRIOF_SERVER__TRUSTED_HOSTS": "A.example, b.example"}).settings
    assert settings.server.trusted_hosts == ("a.example", "b.example")


@pytest.fixture
def ask(machine: Machine) -> Iterator[Callable[[str], tuple[str, str]]]:
    """Sends bytes to a real server; gives the status and the body of its answer."""
    with served(machine.client().application) as url:
        assert requests.get(f"{url}/livez", timeout=5).status_code == 200

        def send(request: str) -> tuple[str, str]:
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 5) as client:
                client.sendall(request.encode())
                client.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: client.recv(65_536), b"")).decode()
            return answer.split()[1], answer.partition("\r\n\r\n")[2]

        yield send


def test_whatever_the_request_line_says(ask: Callable[[str], tuple[str, str]]) -> None:
    last = "Connection: close\r\n\r\n"
    for good in (
        f"GET /livez HTTP/1.1\r\nHost: localhost\r\n{last}",
        f"GET /livez HTTP/1.0\r\nHost: 10.0.0.7\r\n{last}",
        f"GET http://LOCALHOST:8080/livez HTTP/1.1\r\nHost: localhost:8080\r\n{last}",
    ):
        assert ask(good) == ("200", "ok\n")
    for bad in (
        f"GET / HTTP/1.0\r\n{last}",
        f"GET / HTTP/1.1\r\n{last}",
        f"GET / HTTP/1.1\r\nHost:\r\n{last}",
        f"GET / HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1\r\n{last}",
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n{last}",
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n{last}",
        f"GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\n{last}",
        f"GET HTTP://127.0.0.1@evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\n{last}",
        f"GET http://127.0.0.1/ HTTP/1.1\r\nHost: evil.example\r\n{last}",
        f"GET / HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\n{last}",
        f"OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n{last}",
    ):
        code, told = ask(bad)
        assert code == "403", bad
        assert "server.trusted_hosts" in told
