"""Builds every object from the settings; the only place that knows how the parts fit together.

What only the kiosk needs (the database, the machine) is imported when it is built, so that ``triof classify``
starts fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import providers
from providers.base import TASKS, Photo, Prediction, Provider, ProviderError, Task
from triof import capture
from triof.errors import TriofError
from triof.router import Router
from triof.settings import Mode, Settings, SettingsError
from triof.sorter import Sorter

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from triof.capture import Camera
    from triof.deposit import Deposits, Watch
    from triof.journal import Journal
    from triof.photo_store import PhotoStore
    from triof.simulated import SimulatedHardware


class MachineTaken(TriofError):
    """There is one machine, and another process runs it."""


class _Unbuildable:
    """Stands in a route for a provider that could not be built, so that the rest of the machine can run."""

    needs_network = False
    needed_side = 0

    def __init__(self, name: str, error: ProviderError) -> None:
        self.name = name
        self._error = error

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        raise self._error

    def ping(self) -> None:
        raise self._error

    def close(self) -> None:
        pass


def build_router(settings: Settings, mode: Mode | None = None) -> Router:
    """The routes of the settings with the providers that ``mode`` allows (None: the mode of the settings).

    Raises SettingsError where the mode leaves a route without sense.
    """
    mode = mode or settings.mode
    routes = {task: [*_route(settings, task, mode)] for task in TASKS}
    if mode == "cloud" and not any(provider.needs_network for route in routes.values() for provider in route):
        raise SettingsError(
            ["  mode = 'cloud': no provider of the routes is in the cloud; use auto or local, or add one to routes"]
        )
    return Router(routes, settings.deadline_seconds)


def _route(settings: Settings, task: Task, mode: Mode) -> list[Provider]:
    classes = {name: providers.load(name) for name in settings.routes[task]}
    allowed = [name for name, provider in classes.items() if not (mode == "local" and provider.needs_network)]
    return [_build(name, classes[name], task, settings) for name in allowed]


def _build(name: str, provider: type[Provider], task: Task, settings: Settings) -> Provider:
    try:
        return provider(task, getattr(settings, name, None))
    except ProviderError as error:
        return _Unbuildable(name, error)


def build_sorter(settings: Settings, mode: Mode | None = None) -> Sorter:
    """The sorter with its router, ready to judge."""
    return Sorter(build_router(settings, mode), settings.policy, settings.photo)


def build_hardware(settings: Settings) -> SimulatedHardware:
    """The machine's hardware."""
    from triof.simulated import SimulatedHardware

    return SimulatedHardware(settings.home / "simulated_machine.json", settings.slot.simulated_seconds)


def build_journal(settings: Settings) -> Journal:
    """The journal, its tables at the newest version."""
    from triof.journal import Journal

    settings.home.mkdir(parents=True, exist_ok=True)
    url = settings.journal.url
    journal = Journal(
        url.get_secret_value() if url else f"sqlite:///{settings.home / 'journal.db'}", settings.machine_id
    )
    journal.upgrade()
    return journal


@dataclass(frozen=True)
class Services:
    """Everything a running kiosk is made of."""

    sorter: Sorter
    camera: Camera
    journal: Journal
    photo_store: PhotoStore
    deposits: Deposits
    watch: Watch
    lock: BaseFileLock
    """Held as long as this process runs the machine; the system takes it back from a dead one."""

    def close(self) -> None:
        """Finish what is being sorted, then close everything."""
        self.watch.close()
        self.deposits.close()
        self.sorter.router.close()
        self.journal.close()
        self.lock.release()


def build(settings: Settings) -> Services:
    """The kiosk's services: recovered from whatever came before, and watching.

    Raises MachineTaken if another process runs the machine of this home folder.
    """
    from triof.deposit import Deposits, Watch
    from triof.photo_store import PhotoStore
    from triof.slot import Slot

    lock = _take_machine(settings)
    sorter = build_sorter(settings)
    camera = capture.build(settings.camera)
    journal = build_journal(settings)
    keep = settings.journal
    photo_store = PhotoStore(settings.home / "photos", keep.keep_photo_days, keep.keep_photo_megabytes)
    deposits = Deposits(
        sorter=sorter,
        camera=camera,
        slot=Slot(build_hardware(settings)),
        boxes=settings.slot.boxes.model_dump(),
        journal=journal,
        photo_store=photo_store,
        settings=settings.deposit,
    )
    deposits.recover()
    watch = Watch(deposits, photo_store)
    watch.start()
    return Services(sorter, camera, journal, photo_store, deposits, watch, lock)


def _take_machine(settings: Settings) -> BaseFileLock:
    from filelock import FileLock, Timeout

    settings.home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.home / "machine.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise MachineTaken(
            f"Another kiosk runs the machine of {settings.home}: end it first, or set TRIOF_HOME to another folder."
        ) from error
    return lock
