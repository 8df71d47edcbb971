"""A whole machine whose time, camera and providers the test controls, and a visitor at its touchscreen."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import UUID, uuid4

from filelock import FileLock
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from testing.azure.custom_vision_server import CustomVisionServer
from tests.support.clock import Clock
from tests.support.compiled_templates import compiled_once
from triof.app import create_app
from triof.deposits.deposit import Deposits
from triof.deposits.deposit_journal import DepositJournal
from triof.deposits.housekeeping import Housekeeper
from triof.deposits.kept_photos import KeptPhotos
from triof.deposits.slot_watch import SlotWatch
from triof.journal.journal import Journal
from triof.judging.sorter import Sorter
from triof.machine.cameras.base import Camera
from triof.machine.hardware.base import Hardware
from triof.machine.hardware.simulated import SimulatedHardware
from triof.machine.slot import Slot
from triof.operations import operations
from triof.services import KioskServices
from triof.settings.sections.machine.slot import SimulatedSeconds
from triof.settings.tree import Settings
from triof.storage.database import Database
from triof.storage.disk_reserve import DiskRoom
from triof.storage.photo_store import PhotoStore
from triof.storage.tables import Event


class Visitor:
    """A person at the touchscreen: reads the page and presses its buttons."""

    def __init__(self, client: FlaskClient, deposits: Deposits) -> None:
        self.client = client
        self.page: TestResponse
        self._deposits = deposits

    def wait_idle(self) -> "Visitor":
        """Wait until the machine has judged and sorted the item."""
        self._deposits.wait_idle()
        return self

    def open(self, path: str) -> "Visitor":
        self.page = self.client.get(path, follow_redirects=True)
        return self

    def press(self, path: str, **form: Any) -> "Visitor":
        """Send the form that leads to ``path``, and wait until a photo is judged."""
        self.touch(path, **form)
        return self.wait_idle().open("/") if 'data-page="judging"' in self.page.text else self

    def touch(self, path: str, **form: Any) -> "Visitor":
        """Send the form that leads to ``path``, with the token of the page shown."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.page.text)
        assert token, f"the page has no form:\n{self.page.text}"
        form["csrf_token"] = token[1]
        self.page = self.client.post(path, data=form, follow_redirects=True)
        return self

    @property
    def at(self) -> str:
        """The address of the page shown."""
        return self.page.request.path

    @property
    def shown(self) -> str:
        """Which page it is, by its own word."""
        found = re.search(r'data-page="(\w+)"', self.page.text)
        assert found, self.page.text
        return found[1]

    @property
    def ticked(self) -> str | None:
        """The type whose tile is ticked."""
        found = re.search(r'value="(\w+)"[^>]* checked', self.page.text)
        return found[1] if found else None


class ScriptedHardware(SimulatedHardware):
    """Simulated hardware; what ``instead`` holds under the name of a step is called in its place."""

    def __init__(self, path: Path, seconds: SimulatedSeconds, wait: Callable[[float], None]) -> None:
        super().__init__(path, seconds, wait)
        self.instead: dict[str, Callable[..., object]] = {}

    def open_slot(self) -> None:
        self.instead.get("open_slot", super().open_slot)()

    def close_slot(self) -> None:
        self.instead.get("close_slot", super().close_slot)()

    def move_box(self, number: int) -> None:
        self.instead.get("move_box", super().move_box)(number)

    def shred(self) -> None:
        self.instead.get("shred", super().shred)()

    def slot_is_open(self) -> bool:
        return bool(self.instead.get("slot_is_open", super().slot_is_open)())


@dataclass(frozen=True)
class Machine:
    """A whole machine in memory, but for its journal and the slot's file."""

    clock: Clock
    hardware: ScriptedHardware
    services: KioskServices
    client: Callable[[], FlaskClient]

    def visitor(self) -> Visitor:
        """A person with a touchscreen of their own, who looks at the first page."""
        return Visitor(self.client(), self.services.deposits).open("/")

    def events(self, *kinds: str) -> list[Event]:
        """What the journal holds, oldest first."""
        from sqlalchemy import select
        from sqlalchemy.orm import Session

        self.services.sorter.router.wait_idle()
        with self.services.journal.database.read() as connection, Session(connection) as session:
            rows = session.scalars(select(Event).order_by(Event.at)).all()
        return [row for row in rows if not kinds or row.kind in kinds]

    def happened(self) -> list[tuple[str, str | None, str | None]]:
        """Kind, waste type and reason of the deposits' events."""
        return [
            (row.kind.removeprefix("deposit."), row.waste_type, row.reason)
            for row in self.events()
            if row.deposit_id is not None
        ]


BuildMachine = Callable[..., Machine]
BuildCloudMachine = Callable[..., Machine]


def assemble(
    settings: Settings,
    sorter: Sorter,
    camera: Camera,
    moving: Callable[[], None] = lambda: None,
    hardware_class: type[ScriptedHardware] = ScriptedHardware,
    new_id: Callable[[], UUID] = uuid4,
    driver: Hardware | None = None,
    watching: Callable[[Clock], SlotWatch] | None = None,
) -> Machine:
    """A machine on the home folder of the settings, whose journal must exist; ``moving`` is called as parts move.

    A ``driver`` takes the place of the simulated hardware.
    """
    clock = Clock()
    at_once = SimulatedSeconds(slot=0, box=0, shred=0)
    hardware = hardware_class(settings.home / "simulated_machine.json", at_once, lambda _: moving())
    # No test waits five seconds for another writer in a test.
    journal = Journal(Database(f"sqlite:///{settings.home / 'journal.db'}?timeout=0.05", "machine-1"))
    photo_store = PhotoStore.of(settings)
    room = DiskRoom(settings.home, [photo_store.make_room], reserve_bytes=65_536)
    deposit_journal = DepositJournal(journal, settings.home, room, machine_name=settings.machine.name)
    slot_watch = watching(clock) if watching else None
    if slot_watch:
        sorter.observe(slot_watch.observe)
    around = operations.build(settings, sorter, journal, clock)
    deposits = Deposits(
        sorter=sorter,
        camera=camera,
        slot=Slot(driver or hardware),
        boxes=settings.slot.boxes.model_dump(),
        journal=deposit_journal,
        photos=KeptPhotos(photo_store, settings.privacy),
        settings=settings.deposit,
        judging_seconds=2 * settings.deadline_seconds,
        maintenance_seconds=60 * settings.technician.maintenance_minutes,
        clock=clock,
        new_id=new_id,
        item_is_there=slot_watch.item_is_there if slot_watch else lambda: None,
        camera_failed=around.metrics.camera_failed,
    )
    deposits.recover()
    lock = FileLock(settings.home / "machine.lock")
    around.monitoring.journal_fault = deposit_journal.fault
    around.health.add_machine(camera, deposits.slot, slot_watch)
    watch = Housekeeper(deposits, photo_store, room, clock=clock, slot_watch=slot_watch)
    services = KioskServices(sorter, journal, around, camera, photo_store, deposits, watch, lock, slot_watch=slot_watch)

    building = Lock()

    @cache
    def app() -> Flask:
        return compiled_once(create_app(settings, services, clock))

    def client() -> FlaskClient:
        """The app is built for the first one, as many machines have none."""
        with building:
            return app().test_client()

    return Machine(clock, hardware, services, client)


def cloud_settings(cloud: CustomVisionServer, home: Path, **changes: object) -> Settings:
    """The settings of a machine whose cloud is the loopback server, and which loses patience soon."""
    custom_vision = {
        "prediction_endpoint": cloud.endpoint,
        "prediction_key": cloud.key,
        "project_id": cloud.project_id,
        "published_name": cloud.published_name,
        "calls_per_second": 1000,
    }
    patience = {"cloud_seconds": 1.5, "deadline_seconds": 4.0}
    settings = {"home": home, "language": "en", "custom_vision": custom_vision, **patience, **changes}
    return Settings.model_validate(settings)
