"""A client of the API in the test's time, with `triof keys` beside it."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

from click.testing import CliRunner, Result
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.clock import Clock
from tests.support.compiled_templates import compiled_once
from tests.support.machines import Machine
from triof.access.api_keys import Keys
from triof.app import create_app
from triof.cli import main
from triof.predictions import results
from triof.predictions.queue import Jobs
from triof.settings.sections.server import ServerSettings
from triof.web.server import Server


def run_at_once(write: Callable[[], None]) -> None:
    write()


START = datetime(2026, 11, 1, 8, tzinfo=UTC)


def form(*images: bytes) -> dict[str, Any]:
    """A form with these photos, as a client sends it."""
    return {"image": [(BytesIO(image), f"{number}.jpg") for number, image in enumerate(images)]}


class Desk:
    """A machine whose keys and jobs live in the test's time; its clients have every key they ask for."""

    def __init__(self, machine: Machine, home: Path) -> None:
        self.clock = Clock()
        self.machine = machine
        around = machine.services.operations
        self.keys = Keys(
            around.journal.database, around.settings.api.per_minute, clock=self.clock, now=self.now, note=run_at_once
        )
        ask = partial(results.ask, machine.services.sorter)
        self.jobs = Jobs(home, around.settings.api, around.journal.database, ask, now=self.now)
        services = replace(machine.services, operations=replace(around, keys=self.keys, jobs=self.jobs))
        self.app = compiled_once(create_app(around.settings, services, self.clock))
        self.client: FlaskClient = self.app.test_client()
        self._home = home
        self._secrets: dict[str, str] = {}

    def now(self) -> datetime:
        return START + timedelta(seconds=self.clock.seconds - 1000)

    def triof(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, [f"--set=home={self._home}", "--set=machine_id=machine-1", "keys", *arguments])

    def get(self, key: str, path: str = "/api/v2/machine") -> TestResponse:
        return self.client.get(path, headers={"Authorization": f"Bearer {key}"})

    def told(self, key: str) -> tuple[int, str]:
        """Status and problem, if any, of a question with this key."""
        answer = self.get(key)
        return answer.status_code, answer.json.get("code", "") if answer.json else ""

    def ask(
        self,
        path: str = "/api/v2/predict",
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        who: str = "erp",
        method: str = "POST",
    ) -> TestResponse:
        """A request of ``who``, who has a key that opens everything; bytes are sent as a JPEG."""
        if who not in self._secrets:
            self._secrets[who] = self.keys.create(who, ["admin"])
            self.clock.pass_(2)
        sent = {"Authorization": f"Bearer {self._secrets[who]}", **(headers or {})}
        if isinstance(data, bytes):
            sent.setdefault("Content-Type", "image/jpeg")
        return self.app.test_client().open(path, method=method, data=data, headers=sent)


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The address of a real server of ``app`` on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(app, ServerSettings(port=port), 100_000_000)
    thread = Thread(target=server.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        thread.join()
