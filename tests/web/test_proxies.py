"""What a proxy says of a request: believed where the settings name the proxy, without effect where they do not."""

from typing import Any

import pytest
import requests
from werkzeug.test import TestResponse

from tests.support.api_desk import served
from tests.support.dashboard import LOGIN, PASSWORD, Person, create
from tests.support.machines import BuildMachine, Machine
from triof.settings.loader import SettingsError, load

pytestmark = pytest.mark.slow

PROXY, CLIENT = "10.0.0.5", "203.0.113.9"
PROXIES = ["10.0.0.0/24", "2001:db8::/48", "127.0.0.1"]


@pytest.fixture
def machine(build_machine: BuildMachine) -> Machine:
    machine = build_machine(server={"trusted_proxies": PROXIES, "trusted_hosts": ["triof.example"]})
    create(machine)
    return machine


def ask(machine: Machine, peer: str, path: str = LOGIN, host: str = "10.0.0.7", **headers: str) -> TestResponse:
    sent = {"Host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return machine.client().get(path, headers=sent, environ_overrides={"REMOTE_ADDR": peer})


def is_secure(answer: TestResponse) -> bool:
    return "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("peer", "believed"),
    [
        ("10.0.0.5", True),
        ("::ffff:10.0.0.5", True),
        ("2001:db8::7", True),
        ("127.0.0.1", True),
        ("10.0.1.5", False),
        ("2001:db9::7", False),
        ("127.0.0.2", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_scheme_and_host_are_believed_of_the_proxies_alone(machine: Machine, peer: str, believed: bool) -> None:
    assert is_secure(ask(machine, peer, X_Forwarded_Proto="https")) is believed
    assert not is_secure(ask(machine, peer, X_Forwarded_Proto="http"))
    named = ask(machine, peer, host="10.0.0.7", X_Forwarded_Host="evil.example")
    assert named.status_code == (403 if believed else 200)
    named = ask(machine, peer, host="internal", X_Forwarded_Host="triof.example")
    assert named.status_code == (200 if believed else 403)


@pytest.mark.parametrize(
    ("said", "sender"),
    [
        (CLIENT, CLIENT),
        (f"127.0.0.1, {CLIENT}", CLIENT),
        ("2001:db8:7::1", "2001:db8:7::1"),
        ("unknown", PROXY),
        ("_hidden", PROXY),
        ("", PROXY),
    ],
)
def test_the_sender_is_whom_the_proxy_names_last(
    machine: Machine, caplog: pytest.LogCaptureFixture, said: str, sender: str
) -> None:
    client = machine.client()
    client.environ_base |= {"REMOTE_ADDR": PROXY, "HTTP_X_FORWARDED_FOR": said}
    Person(client).log_in("marie", "guess")
    assert f"login.refused address={sender}" in caplog.messages


def test_a_sender_that_nobody_vouches_for_is_the_peer(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    client = machine.client()
    client.environ_base |= {"REMOTE_ADDR": CLIENT, "HTTP_X_FORWARDED_FOR": "192.0.2.1"}
    Person(client).log_in("marie", "guess")
    assert f"login.refused address={CLIENT}" in caplog.messages


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via"])
@pytest.mark.parametrize("peer", ["127.0.0.1", PROXY, CLIENT])
def test_no_word_of_a_proxy_opens_the_touchscreen(machine: Machine, peer: str, header: str) -> None:
    for said in ("127.0.0.1", "::1", "http", "for=127.0.0.1"):
        assert ask(machine, peer, "/", **{header: said}).status_code == 403
        assert ask(machine, peer, "/metrics", **{header: said}).status_code == 401
    assert ask(machine, "127.0.0.1", "/").status_code == 200


def test_a_login_over_https_works_behind_a_proxy_on_the_same_computer(machine: Machine) -> None:
    headers = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "triof.example"}
    with served(machine.client().application) as url, requests.Session() as browser:
        browser.headers.update({**headers, "Referer": "https://triof.example/dashboard/login"})
        page = browser.get(url + LOGIN, timeout=5)
        cookie = page.headers["Set-Cookie"]
        assert "Secure" in cookie
        token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
        # requests keeps a Secure cookie from a connection without TLS, which the proxy's client has not.
        browser.headers["Cookie"] = cookie.partition(";")[0]
        form: dict[str, Any] = {"csrf_token": token, "name": "marie", "password": PASSWORD}
        done = browser.post(url + LOGIN, data=form, timeout=5, allow_redirects=False)
        assert (done.status_code, done.headers["Location"]) == (303, "/dashboard")


@pytest.mark.parametrize("wrong", ["proxy.example", "10.0.0.0/33", "0.0.0.0/0", "::/0", "10.0.0.5:80"])
def test_what_is_no_address_is_a_mistake_of_the_settings(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"server\.trusted_proxies"):
        load(environ={"TRIOF_SERVER__TRUSTED_PROXIES": f"127.0.0.1, {wrong}"})
