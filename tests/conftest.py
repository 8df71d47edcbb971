"""Fixtures: the real photos, and a machine whose time, camera and judges are in the test's hand."""

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from providers.base import Task
from providers.fake import FakeProvider, Step
from tests.browsing import launched
from tests.custom_vision_server import CustomVisionServer
from triof import services as factory
from triof.app import create_app
from triof.common.paths import DEMO_PICTURES
from triof.deposits.deposit import Deposits
from triof.deposits.deposit_journal import DepositJournal
from triof.deposits.housekeeping import Housekeeper
from triof.journal.journal import Journal
from triof.judging.router import Router
from triof.judging.sorter import Sorter
from triof.machine.cameras import BrowserCamera, Camera, FolderCamera
from triof.machine.simulated import SimulatedHardware
from triof.machine.slot import Slot
from triof.operations import operations
from triof.services import KioskServices
from triof.settings.sections.slot import SimulatedSeconds
from triof.settings.tree import Settings
from triof.storage.database import Database
from triof.storage.disk_reserve import DiskRoom
from triof.storage.photo_store import PhotoStore
from triof.storage.tables import Event

ROOT = Path(__file__).resolve().parent.parent

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell starts what runs in its background, and the processes of the tests would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; whoever needs it is skipped where there is none."""
    with launched() as browser:
        yield browser


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads or writes what belongs to the machine it runs on."""
    for name in os.environ:
        if name.startswith("TRIOF_") and name != "TRIOF_DATASET":
            monkeypatch.delenv(name)
    monkeypatch.setenv("TRIOF_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def dataset() -> Path:
    """The real labelled photos, which are not part of the repository."""
    folder = Path(os.environ.get("TRIOF_DATASET", ROOT.parent / "shared" / "data"))
    if not (folder / "manifest.csv").exists():
        pytest.skip(f"no labelled photos in {folder}: set TRIOF_DATASET")
    return folder


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def pass_(self, seconds: float) -> None:
        self.seconds += seconds


def encoded(picture: Image.Image, format_: str = "JPEG", **options: Any) -> bytes:
    """The bytes of a picture as a file."""
    buffer = BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


@pytest.fixture
def jpeg() -> bytes:
    """A plain grey photo of the machine's camera."""
    return encoded(Image.new("RGB", (640, 480), "grey"))


class Visitor:
    """A person at the touchscreen: reads the page and presses its buttons."""

    def __init__(self, client: FlaskClient, deposits: Deposits) -> None:
        self.client = client
        self.page: TestResponse
        self._deposits = deposits

    def wait_idle(self) -> "Visitor":
        """Wait until the machine has sorted the item."""
        self._deposits.wait_idle()
        return self

    def open(self, path: str) -> "Visitor":
        self.page = self.client.get(path, follow_redirects=True)
        return self

    def press(self, path: str, **form: Any) -> "Visitor":
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


@dataclass(frozen=True)
class Machine:
    """A whole machine in memory, but for its journal and the slot's file."""

    clock: Clock
    hardware: SimulatedHardware
    services: KioskServices
    client: Callable[[], FlaskClient]

    def visitor(self) -> Visitor:
        """Somebody with a touchscreen of their own, who looks at the first page."""
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


@pytest.fixture(scope="session")
def new_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty journal to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    database = Database(f"sqlite:///{path}", "machine-1")
    database.upgrade()
    database.close()
    return path


@pytest.fixture
def build_machine(tmp_path: Path, jpeg: bytes, new_journal: Path) -> Iterator[BuildMachine]:
    """Builds machines whose judges answer by script (``waste_type``, ``cleanliness``: steps of the fake provider)."""
    machines: list[Machine] = []
    (tmp_path / "home").mkdir(exist_ok=True)
    shutil.copy(new_journal, tmp_path / "home" / "journal.db")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "grey.jpg").write_bytes(jpeg)

    def build(
        waste_type: Sequence[Step] = ("bottle",),
        cleanliness: Sequence[Step] = ("clean",),
        camera: Camera | None = None,
        moving: Callable[[], object] = lambda: None,
        hardware: type[SimulatedHardware] = SimulatedHardware,
        **changes: Any,
    ) -> Machine:
        settings = Settings(home=tmp_path / "home", language="en", **changes)
        scripts: dict[Task, Sequence[Step]] = {"waste_type": waste_type, "cleanliness": cleanliness}
        router = Router({task: [FakeProvider(task, script)] for task, script in scripts.items()})
        sorter = Sorter(router, settings.policy, settings.photo)
        machine = assemble(settings, sorter, camera or FolderCamera(tmp_path / "pictures"), moving, hardware)
        machines.append(machine)
        return machine

    yield build
    for machine in machines:
        machine.services.deposits.close()
        machine.services.journal.database.close()


def assemble(
    settings: Settings,
    sorter: Sorter,
    camera: Camera,
    moving: Callable[[], object] = lambda: None,
    hardware_class: type[SimulatedHardware] = SimulatedHardware,
) -> Machine:
    """A machine on the home folder of the settings, whose journal must exist; ``moving`` is called as parts move."""
    clock = Clock()
    at_once = SimulatedSeconds(slot=0, box=0, shred=0)
    hardware = hardware_class(settings.home / "simulated_machine.json", at_once, lambda _: moving())
    # Nobody waits five seconds for another writer in a test.
    journal = Journal(Database(f"sqlite:///{settings.home / 'journal.db'}?timeout=0.05", "machine-1"))
    photo_store = PhotoStore(settings.home / "photos", keep_days=30, keep_megabytes=100)
    room = DiskRoom(settings.home, [photo_store.make_room], reserve_bytes=65_536)
    deposit_journal = DepositJournal(journal, settings.home, room)
    deposits = Deposits(
        sorter=sorter,
        camera=camera,
        slot=Slot(hardware),
        boxes=settings.slot.boxes.model_dump(),
        journal=deposit_journal,
        photo_store=photo_store,
        settings=settings.deposit,
        clock=clock,
    )
    deposits.recover()
    lock = FileLock(settings.home / "machine.lock")
    around = operations.build(settings, sorter, journal, clock)
    around.monitoring.journal_fault = deposit_journal.fault
    around.health.add_machine(camera, deposits.slot)
    watch = Housekeeper(deposits, photo_store, room, clock=clock)
    services = KioskServices(sorter, journal, around, camera, photo_store, deposits, watch, lock)
    app = create_app(settings, services, clock)
    return Machine(clock, hardware, services, app.test_client)


@pytest.fixture
def machine(build_machine: BuildMachine) -> Machine:
    """A machine that sees one clean bottle after the other."""
    return build_machine()


@pytest.fixture
def browser_camera() -> BrowserCamera:
    """The touchscreen's own camera."""
    return BrowserCamera()


@pytest.fixture
def cloud() -> Iterator[CustomVisionServer]:
    """Azure Custom Vision on loopback, which sees bottles."""
    with CustomVisionServer() as server:
        yield server


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


BuildCloudMachine = Callable[..., Machine]


@pytest.fixture
def cloud_machine(cloud: CustomVisionServer, tmp_path: Path, new_journal: Path) -> Iterator[BuildCloudMachine]:
    """Builds machines that show clean bottles to the loopback cloud and to the real local models."""
    machines: list[Machine] = []
    home = tmp_path / "home"
    home.mkdir()
    (home / "journal.db").write_bytes(new_journal.read_bytes())
    (tmp_path / "bottle").mkdir()
    (tmp_path / "bottle" / "1.jpg").write_bytes((DEMO_PICTURES / "bottle-clean-1.jpg").read_bytes())

    def build(**changes: object) -> Machine:
        settings = cloud_settings(cloud, home, **changes)
        sorter = factory.build_sorter(settings)
        sorter.router.prepare()
        machines.append(assemble(settings, sorter, FolderCamera(tmp_path / "bottle")))
        return machines[-1]

    yield build
    for machine in machines:
        machine.services.deposits.close()
        machine.services.sorter.close()
        machine.services.journal.database.close()
