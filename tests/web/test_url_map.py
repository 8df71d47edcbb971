"""Every address of the app: none answers without the right login, role, key or token."""

import re

import pytest
from flask.testing import FlaskClient

from tests.support.dashboard import PASSWORD, create
from tests.support.machines import Machine
from tests.support.url_map import Door, doors

pytestmark = pytest.mark.slow

ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}

PUBLIC = {
    "static": "style, scripts and pictures, which are in the repository too",
    "health.livez": "says that the process answers, and nothing else",
    "health.readyz": "says why it could not work; for whoever watches many machines",
    "login.form": "the login itself",
    "api.document": "how to use the API, which is in the repository too",
    "api.docs": "the same as a page",
    "tenant": "the company's colours, logo and bins, which anybody sees who stands before the machine",
}
FOR_THIS_MACHINE = {
    "kiosk": "the touchscreen, whose visitors have no login; served to the machine itself alone",
    **dict.fromkeys(
        ("technician", "technician_login", "technician_actions", "technician_live"),
        "the technician's page; tests/web/test_technician.py tries each of its addresses without a login",
    ),
    "health.metrics": "for a collector on this machine; from elsewhere it takes a key",
}
ENTRANCE = {"login.log_in", "login.log_out"}
"""Open to all as a login must be, but only with the token of our own page."""


def is_open(door: Door) -> bool:
    return any(door.endpoint == name or door.endpoint.startswith(f"{name}.") for name in (*PUBLIC, *FOR_THIS_MACHINE))


def token(client: FlaskClient, path: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)
    assert found
    return found[1]


@pytest.fixture
def doorkeeper(machine: Machine) -> Machine:
    """A machine with two users, whose passwords cost nothing to check."""
    create(machine)
    create(machine, "paul", "operator")
    return machine


def logged_in(machine: Machine, name: str) -> FlaskClient:
    client = machine.client()
    form = {"csrf_token": token(client, "/dashboard/login"), "name": name, "password": PASSWORD}
    assert client.post("/dashboard/login", data=form).status_code == 303
    return client


def test_every_address_is_behind_a_login_a_key_or_on_the_list(doorkeeper: Machine) -> None:
    found = list(doors(doorkeeper))
    assert {door.endpoint.split(".")[0] for door in found} >= {
        "kiosk",
        "dashboard",
        "actions",
        "login",
        "health",
        "api",
    }
    for door in found:
        if is_open(door) or door.endpoint in ENTRANCE:
            continue
        client = doorkeeper.client()
        form = {"csrf_token": token(client, "/dashboard/login")} if door.method != "GET" else {}
        answer = door.knock(client, data=form)
        if door.path.startswith("/api/"):
            assert answer.status_code == 401, door
        else:
            assert answer.status_code == 303, door
            assert answer.headers["Location"].startswith("/dashboard/login"), door


def test_a_login_is_no_key(doorkeeper: Machine) -> None:
    client = logged_in(doorkeeper, "marie")
    for door in doors(doorkeeper):
        if door.path.startswith("/api/") and not is_open(door):
            assert door.knock(client).status_code == 401, door


def test_what_is_for_this_machine_is_not_for_others(doorkeeper: Machine) -> None:
    for door in doors(doorkeeper):
        if door.endpoint.split(".")[0] in FOR_THIS_MACHINE or door.endpoint in FOR_THIS_MACHINE:
            client = doorkeeper.client()
            form = {"csrf_token": token(client, "/dashboard/login")} if door.method != "GET" else {}
            answer = door.knock(client, environ_overrides=ELSEWHERE, data=form)
            assert answer.status_code in (401, 403), door


def test_no_form_works_without_its_token(doorkeeper: Machine) -> None:
    client = logged_in(doorkeeper, "marie")
    client.get("/")
    before = len(doorkeeper.events())
    for door in doors(doorkeeper):
        if door.method != "GET" and not door.path.startswith("/api/"):
            for form in ({}, {"csrf_token": "0" * 91}):
                assert door.knock(client, data=form).status_code == 400, door
    assert len(doorkeeper.events()) == before
    assert client.get("/dashboard").status_code == 200, "still logged in"


def test_an_operator_looks_and_a_technician_acts(doorkeeper: Machine) -> None:
    operator, technician = logged_in(doorkeeper, "paul"), logged_in(doorkeeper, "marie")
    for door in doors(doorkeeper):
        if door.endpoint.startswith("dashboard."):
            assert door.method == "GET"
            assert door.knock(operator).status_code == 200, door
        if door.endpoint.startswith("actions."):
            assert door.method == "POST"
            form = {"csrf_token": token(operator, "/dashboard/machine"), "why": "x"}
            assert door.knock(operator, data=form).status_code == 403, door
            # The form is empty: whoever may act is told so.
            form["csrf_token"] = token(technician, "/dashboard/machine")
            assert door.knock(technician, data=form).status_code == 400, door
    assert not doorkeeper.events("mode.changed", "quota.resumed", "alert.acknowledged", "candidate.ended")
