"""What a machine's own camera costs: ``make bench ARGS='--only cameras'``.

A stand-in for OpenCV's device gives 30 frames a second of 1280 x 720 pixels and decodes a JPEG for each that is wanted,
as OpenCV does. The folder camera reads the same JPEG from the disk.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import numpy as np
import psutil
from PIL import Image

from testing.scripted_pictures import scene
from testing.video_capture import ScriptedWebcam
from tools.bench import Ratio, camera_jpeg, turns
from triof import services
from triof.common.paths import DEMO_PICTURES
from triof.deposits.deposit import Deposits
from triof.deposits.deposit_journal import DepositJournal
from triof.deposits.kept_photos import KeptPhotos
from triof.journal.journal import Journal
from triof.judging.sorter import Sorter
from triof.machine.cameras.base import Camera
from triof.machine.cameras.folder import FolderCamera
from triof.machine.cameras.webcam import Webcam
from triof.machine.hardware.simulated import SimulatedHardware
from triof.machine.slot import Slot
from triof.settings.sections.machine.camera import CameraSettings
from triof.settings.tree import Settings
from triof.storage.database import Database
from triof.storage.disk_reserve import DiskRoom
from triof.storage.photo_store import PhotoStore

_RATE = 30
_IDLE_SECONDS, _IDLE_RATE = 20.0, 10
_FRAMES = 10_000
_ALIKE = 100


@contextmanager
def webcam(folder: Path, rate: float = _RATE, **changes: object) -> Iterator[tuple[ScriptedWebcam, Webcam]]:
    """A webcam in front of a demo picture, and its device."""
    import cv2

    image = np.frombuffer(camera_jpeg(), np.uint8)
    picture = np.asarray(Image.open(sorted(DEMO_PICTURES.glob("*.jpg"))[0]).convert("RGB").resize((1280, 720)))
    device = ScriptedWebcam(folder, picture, 1 / rate, lambda: cv2.imdecode(image, cv2.IMREAD_COLOR))
    settings = CameraSettings.model_validate({"kind": "webcam", "webcam": {"settle_seconds": 0}, **changes})
    camera = Webcam(settings, device, folder)
    try:
        yield device, camera
    finally:
        camera.close()


@contextmanager
def deposits(home: Path, sorter: Sorter, camera: Camera) -> Iterator[Deposits]:
    """Deposits on the simulated hardware, whose slot takes its usual time."""
    settings = Settings(home=home)
    home.mkdir()
    database = Database(f"sqlite:///{home / 'journal.db'}", "machine-1")
    database.upgrade()
    store = PhotoStore(home / "photos", 1, 100)
    built = Deposits(
        sorter=sorter,
        camera=camera,
        slot=Slot(SimulatedHardware(home / "machine.json", settings.slot.simulated_seconds)),
        boxes=settings.slot.boxes.model_dump(),
        journal=DepositJournal(Journal(database), home, DiskRoom(home, [store.make_room])),
        photos=KeptPhotos(store, settings.privacy),
        settings=settings.deposit,
    )
    built.recover()
    try:
        yield built
    finally:
        built.close()
        database.close()


def item_to_verdict(machine: Deposits) -> float:
    """Seconds from the touch "the item is in" to the verdict: the slot closes, photo, judgement, journal."""
    machine.open("a visitor")
    started = time.perf_counter()
    machine.judge("a visitor", None)
    seconds = time.perf_counter() - started
    machine.give_back("a visitor")
    machine.finish("a visitor")
    return seconds


def verdicts(rounds: int) -> Iterator[Ratio]:
    """From the item to the verdict: a webcam against the folder camera; a burst against a single frame."""
    sorter = services.build_sorter(Settings(mode="local"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        (folder / "pictures" / "one.jpg").write_bytes(camera_jpeg())
        with (
            webcam(folder / "dev") as (_, burst),
            webcam(folder / "dev1", burst_frames=1) as (_, single),
            deposits(folder / "a", sorter, burst) as with_burst,
            deposits(folder / "b", sorter, single) as with_one,
            deposits(folder / "c", sorter, FolderCamera(folder / "pictures")) as with_folder,
        ):
            three = [with_burst, with_one, with_folder]
            rows = [[item_to_verdict(machine) for machine in three] for _ in range(min(rounds, 30))]
        webcam_ms, single_ms, folder_ms = (float(np.median(column)) * 1000 for column in zip(*rows, strict=True))
    yield Ratio("item to verdict, webcam / folder", webcam_ms, folder_ms, "ms", "<= 1.25")
    yield Ratio("item to verdict, burst / one frame", webcam_ms, single_ms, "ms", "<= 1.3")


def work(rounds: int) -> Iterator[Ratio]:
    """Photo and judgement alone, without the slot and at a device that never lets one wait, against a single frame."""
    sorter = services.build_sorter(Settings(mode="local"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        with (
            webcam(folder / "dev", 1000) as (_, still),
            webcam(folder / "dev1", 1000, burst_frames=1) as (_, single),
        ):
            calls = [partial(_judged, sorter, camera) for camera in (still, single)]
            seconds, bare = turns(min(rounds, 100), *calls)
    yield Ratio("photo and judgement, burst / one frame", seconds * 1000, bare * 1000, "ms", "<= 1.3")


def _judged(sorter: Sorter, camera: Camera) -> object:
    return sorter.judge(camera.take(None))


def idle() -> Ratio:
    """Processor seconds of the reader at 10 frames a second while no picture is wanted, per second."""
    with TemporaryDirectory() as name, webcam(Path(name), _IDLE_RATE) as (_, camera):
        camera.take(None)
        before, started = time.process_time(), time.perf_counter()
        Event().wait(_IDLE_SECONDS)
        spent, passed = time.process_time() - before, time.perf_counter() - started
    return Ratio("idle reader at 10 frames/s, processor / wall", spent, passed, "s", "<= 0.05")


def memory() -> Ratio:
    """Resident memory after 10,000 decoded frames against after 100."""
    with TemporaryDirectory() as name:
        device = ScriptedWebcam(Path(name), scene(1, (1280, 720)), 0)
        settings = CameraSettings.model_validate({"kind": "webcam", "webcam": {"settle_seconds": 0}, "burst_frames": 1})
        camera = Webcam(settings, device, Path(name))
        resident: Callable[[], int] = lambda: psutil.Process().memory_info().rss  # noqa: E731
        early = 0
        for number in range(_FRAMES):
            camera.take(None)
            if number == _ALIKE:
                early = resident()
        late = resident()
        camera.close()
    return Ratio("memory after 10,000 frames / after 100", late / 1e6, early / 1e6, "MB", "<= 1.05")


def ratios(rounds: int) -> Iterator[Ratio]:
    """All rows, memory first."""
    yield memory()
    yield idle()
    yield from work(rounds)
    yield from verdicts(rounds)
