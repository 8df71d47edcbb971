"""Fixtures: the real photos, and a machine whose time, camera and judges are in the test's hand."""

import gc
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from providers.base import Task
from providers.fake import FakeProvider, Step
from providers.local_cnn.backbone import LITE0
from testing.azure.custom_vision_server import CustomVisionServer
from testing.image_files import encoded
from tests.support import postgresql
from tests.support.browsing import launched, served
from tests.support.machines import BuildCloudMachine, BuildMachine, Machine, ScriptedHardware, assemble, cloud_settings
from tests.support.paths import SHARED
from tests.support.postgresql import PostgresServer
from triof import services as factory
from triof.common.paths import DEMO_PICTURES
from triof.judging.router import Router
from triof.judging.sorter import Sorter
from triof.machine.cameras.base import Camera
from triof.machine.cameras.browser import BrowserCamera
from triof.machine.cameras.folder import FolderCamera
from triof.machine.hardware.base import Hardware
from triof.settings.tree import Settings
from triof.storage.database import Database

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell starts what runs in its background, and the processes of the tests would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


UrlOf = Callable[[Path], str]
LONGEST_FIRST = ("train", "browser", "slow")
"""Markers of tests that take long."""
MISSING_FOR_TRAINING = [name for name in ("tensorflow", "cv2", LITE0.package) if find_spec(name) is None]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from looking again and again at the modules and tests, which all stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes the ``browser`` fixture, skip what cannot train here, and begin with what takes longest."""
    skip = pytest.mark.skip(reason=f"the train extra is not installed: {', '.join(MISSING_FOR_TRAINING)}")
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
        if MISSING_FOR_TRAINING and item.get_closest_marker("train"):
            item.add_marker(skip)
    # Of several processes none shall begin with minutes of work when the others have nothing left to do.
    slow_tests: Counter[tuple[Path, str]] = Counter()
    for item in items:
        slow_tests.update((item.path, name) for name in LONGEST_FIRST if item.get_closest_marker(name))
    items.sort(key=lambda item: [-slow_tests[item.path, name] for name in LONGEST_FIRST])


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; a test that needs it is marked ``browser``, and skipped where there is none."""
    with launched() as browser:
        yield browser


@pytest.fixture
def serve() -> Iterator[Callable[[Machine], str]]:
    """Serves machines over real HTTP; gives their address."""
    with ExitStack() as servers:
        yield lambda machine: servers.enter_context(served(machine.client().application))


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
    folder = Path(os.environ.get("TRIOF_DATASET", SHARED / "data"))
    if not (folder / "manifest.csv").exists():
        pytest.skip(f"no labelled photos in {folder}: set TRIOF_DATASET")
    return folder


@pytest.fixture
def jpeg() -> bytes:
    """A plain grey photo of the machine's camera."""
    return encoded(Image.new("RGB", (640, 480), "grey"))


@pytest.fixture(scope="session")
def new_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty journal to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    database = Database(f"sqlite:///{path}", "machine-1")
    database.upgrade()
    database.close()
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server, with a copy of the new journal for each test that asks."""
    programs = postgresql.programs()
    if not programs:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgresql.running(programs) as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url_of(request: pytest.FixtureRequest, new_journal: Path) -> Iterator[UrlOf]:
    """Gives the URL of the database that stands for the file at a path, with the tables of a journal.

    A test that takes it runs with each database.
    """
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgresql_server")
        yield server.url
        server.drop()
        return

    def file(path: Path) -> str:
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            shutil.copy(new_journal, path)
        return f"sqlite:///{path}"

    yield file


@pytest.fixture
def journal_url(url_of: UrlOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the journal of the home folder, which commands read from their environment."""
    (tmp_path / "home").mkdir(exist_ok=True)
    url = url_of(tmp_path / "home" / "journal.db")
    monkeypatch.setenv("TRIOF_JOURNAL__URL", url)
    return url


@pytest.fixture
def build_machine(tmp_path: Path, jpeg: bytes, new_journal: Path) -> Iterator[BuildMachine]:
    """Builds machines whose judges answer by script (``waste_type``, ``cleanliness``: steps of the fake provider)."""
    machines: list[Machine] = []
    (tmp_path / "home").mkdir(exist_ok=True)
    shutil.copy(new_journal, tmp_path / "home" / "journal.db")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "grey.jpg").write_bytes(jpeg)

    def build(
        waste_type: Sequence[Step] | FakeProvider = ("bottle",),
        cleanliness: Sequence[Step] | FakeProvider = ("clean",),
        camera: Camera | None = None,
        moving: Callable[[], None] = lambda: None,
        hardware: type[ScriptedHardware] = ScriptedHardware,
        driver: Hardware | None = None,
        **changes: Any,
    ) -> Machine:
        settings = Settings(home=tmp_path / "home", language="en", **changes)
        scripts: dict[Task, Sequence[Step] | FakeProvider] = {"waste_type": waste_type, "cleanliness": cleanliness}
        router = Router(
            {
                task: [script if isinstance(script, FakeProvider) else FakeProvider(task, script)]
                for task, script in scripts.items()
            }
        )
        sorter = Sorter(router, settings.policy, settings.photo)
        machine = assemble(
            settings, sorter, camera or FolderCamera(tmp_path / "pictures"), moving, hardware, driver=driver
        )
        machines.append(machine)
        return machine

    yield build
    for machine in machines:
        machine.services.deposits.close()
        machine.services.journal.database.close()


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
