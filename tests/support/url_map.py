"""Every address of the app with the methods it takes."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.machines import Machine


class Door(NamedTuple):
    """One address with one method."""

    endpoint: str
    method: str
    path: str

    def knock(self, client: FlaskClient, **options: Any) -> TestResponse:
        return client.open(self.path, method=self.method, **options)


def doors(machine: Machine) -> Iterator[Door]:
    app = machine.client().application
    values = {"uuid": "00000000-0000-0000-0000-000000000000", "default": "kiosk.css", "path": "kiosk.css"}
    named = {"name": "types"}
    for rule in app.url_map.iter_rules():
        path = re.sub(
            r"<(?:(\w+):)?(\w+)>", lambda found: named.get(found[2]) or values[found[1] or "default"], rule.rule
        )
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield Door(rule.endpoint, method, path)
