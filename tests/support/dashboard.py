"""People at the dashboard, and the machine that they see there."""

import re
from datetime import datetime
from typing import Any

from flask.testing import FlaskClient

from tests.support.machines import Machine
from triof.access.users import Role, Users

PASSWORD = "correct horse battery"


CLOUD = {
    "prediction_endpoint": "http://127.0.0.1:9",
    "prediction_key": "k" * 32,
    "project_id": "832ae6ba-15f3-4361-9105-91537df95286",
    "published_name": "triof",
}


PAGES = ("", "/over-time", "/answers", "/machine", "/models")


LOGIN = "/dashboard/login"


class Person:
    """A user of the dashboard: reads pages and sends their forms."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page = client.get(LOGIN)

    def open(self, path: str, **options: Any) -> "Person":
        self.page = self.client.get(f"/dashboard{path}", **options)
        return self

    def send(self, path: str, **form: str) -> "Person":
        """Send a form with the token of the page shown."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.page.text)
        assert token, self.page.text
        self.page = self.client.post(f"/dashboard{path}", data={"csrf_token": token[1], **form})
        return self

    def log_in(self, name: str, password: str = PASSWORD, **form: str) -> "Person":
        return self.open("/login").send("/login", name=name, password=password, **form)

    @property
    def is_in(self) -> bool:
        return self.client.get("/dashboard").status_code == 200


QUICK = "scrypt:256:1:1"
"""A digest that costs nothing, where passwords are tried often."""


def create(machine: Machine, name: str = "marie", role: Role = "technician", digest_method: str = QUICK) -> Users:
    """Create a user, whose password is checked at the cost of its digest."""
    found = Users(machine.services.journal.database, digest_method=digest_method)
    found.create(name, role, PASSWORD)
    return found


def deposit(machine: Machine, chosen: str = "bottle") -> None:
    """An employee brings an item and chooses its type."""
    visitor = machine.visitor().press("/start").press("/waste/pick-type")
    if visitor.shown == "pick_type":
        visitor.press("/confirmation", waste_type=chosen)
    if visitor.shown == "pick_type":
        visitor.press("/confirmation", waste_type=chosen, sure="1")
    visitor.wait_idle().open("/confirmation").press("/done")


def judged_elsewhere(machine: Machine, name: str, at: datetime, duration_ms: float = 300.0) -> None:
    """A deposit of another machine whose journal meets this one's."""
    from sqlalchemy import insert

    from triof.storage.tables import Event

    detail = {"action": "accept", "mode": "auto", "photo": "0" * 64, "duration_ms": duration_ms, "unanswered": {}}
    with machine.services.journal.database.write() as connection:
        row = {"machine_id": name, "at": at, "kind": "deposit.judged", "waste_type": "cup", "reason": "sure"}
        connection.execute(insert(Event), [{**row, "detail": detail}])
