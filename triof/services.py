"""Builds every object from the settings; the only place that knows how the parts fit together.

What only the kiosk needs (the database, the machine) is imported when it is built, so that ``triof classify``
starts fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import providers
from providers.base import TASKS, Photo, Prediction, Provider, ProviderError, ProviderMisconfigured, Task
from triof import capture
from triof.durable import replace_file
from triof.errors import TriofError
from triof.router import Router
from triof.settings import Mode, Settings, SettingsError
from triof.sorter import Sorter

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from sqlalchemy import URL

    from triof.capture import Camera
    from triof.deposit import Deposits
    from triof.journal import Journal
    from triof.photo_store import PhotoStore
    from triof.simulated import SimulatedHardware
    from triof.watch import Watch


class MachineTaken(TriofError):
    """There is one machine, and another process runs it."""


class HomeUnusable(TriofError):
    """The home folder cannot be made or written to."""


class JournalUnusable(TriofError):
    """The database of the journal cannot be reached, read or brought to the newest version."""


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
    routes = {task: build_route(settings, task, mode) for task in TASKS}
    if mode == "cloud" and not any(provider.needs_network for route in routes.values() for provider in route):
        raise SettingsError(
            ["  mode = 'cloud': no provider of the routes is in the cloud; use auto or local, or add one to routes"]
        )
    return Router(routes, settings.deadline_seconds)


def build_route(settings: Settings, task: Task, mode: Mode | None = None) -> list[Provider]:
    """The providers of one route that ``mode`` allows (None: the mode of the settings)."""
    built = [_build(name, task, settings, mode or settings.mode) for name in settings.routes[task]]
    return [provider for provider in built if provider]


def _build(name: str, task: Task, settings: Settings, mode: Mode) -> Provider | None:
    try:
        provider = providers.load(name)
        # Asked of the class: what needs the network is not even built where there shall be none.
        if mode == "local" and provider.needs_network:
            return None
        return provider(task, getattr(settings, name, None))
    except ProviderError as error:
        return _Unbuildable(name, error)
    # A foreign class may raise anything; the machine goes on with the rest of the route.
    except Exception as error:
        return _Unbuildable(name, ProviderMisconfigured(f"Provider {name!r} cannot be built: {error!r}"))


def build_sorter(settings: Settings, mode: Mode | None = None) -> Sorter:
    """The sorter with its router, ready to judge."""
    return Sorter(build_router(settings, mode), settings.policy, settings.photo)


def build_hardware(settings: Settings) -> SimulatedHardware:
    """The machine's hardware."""
    from triof.simulated import SimulatedHardware

    return SimulatedHardware(settings.home / "simulated_machine.json", settings.slot.simulated_seconds)


def build_journal(settings: Settings) -> Journal:
    """The journal, its tables at the newest version. Raises HomeUnusable, JournalUnusable."""
    make_home(settings)
    with _journal_faults(settings):
        journal = _journal(settings)
        journal.upgrade()
        return journal


def interrupted_deposits(settings: Settings) -> int | None:
    """How many deposits of this machine have not ended; None where there is no journal yet.

    Makes and changes nothing, unlike :func:`build_journal`. Raises JournalUnusable.
    """
    from sqlalchemy import create_engine, inspect

    with _journal_faults(settings):
        url = _journal_url(settings)
        if _is_file(url) and not Path(str(url.database)).exists():
            return None
        engine = create_engine(url)
        try:
            if not inspect(engine).has_table("events"):
                return None
        finally:
            engine.dispose()
        journal = _journal(settings)
        try:
            return len(journal.unfinished())
        finally:
            journal.close()


def make_home(settings: Settings) -> None:
    """Make sure that there is a home folder. Raises HomeUnusable."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise _home_unusable(settings, error) from error


def _home_unusable(settings: Settings, error: Exception) -> HomeUnusable:
    return HomeUnusable(
        f"The home folder {settings.home} cannot be used ({getattr(error, 'strerror', None) or error}): set TRIOF_HOME"
        " to a folder that this user may write."
    )


def _journal(settings: Settings) -> Journal:
    from triof.journal import Journal

    return Journal(_journal_url(settings), settings.machine_id or _own_machine_id(settings.home))


def _own_machine_id(home: Path) -> str:
    """The id that the machine got at its first start; a host's name may change from one day to the next."""
    path = home / "machine_id"
    if not path.exists() or not path.read_text().strip():
        replace_file(path, f"{uuid4()}\n".encode())
    return path.read_text().strip()


def _journal_url(settings: Settings) -> URL:
    from sqlalchemy import URL, make_url

    if settings.journal.url:
        url = make_url(settings.journal.url.get_secret_value())
    else:
        url = URL.create("sqlite", database=str(settings.home / "journal.db"))
    if _is_file(url) and not (folder := Path(str(url.database)).parent).is_dir():
        raise JournalUnusable(f"There is no folder {folder} for the journal: make it, or mend journal.url.")
    return url


def _is_file(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:") and "uri" not in url.query


@contextmanager
def _journal_faults(settings: Settings) -> Iterator[None]:
    try:
        yield
    except TriofError:
        raise
    # Each driver has errors of its own, and a malformed URL leads to whatever it leads to.
    except Exception as error:
        remedy = (
            "mend journal.url, install its driver, or start its database"
            if settings.journal.url
            else f"make {settings.home / 'journal.db'} readable and writable, or move it away to begin a new one"
        )
        # Without the chain: what the driver says may hold the password.
        raise JournalUnusable(f"The journal cannot be used ({_cause(error, settings)}): {remedy}.") from None


def _cause(error: Exception, settings: Settings) -> str:
    """What can be told of ``error``: a part of the password may have been taken for the host or the port."""
    from sqlalchemy.exc import NoSuchModuleError

    url = settings.journal.url
    if (
        url
        and not url.get_secret_value().startswith("sqlite")
        and not isinstance(error, ImportError | NoSuchModuleError)
    ):
        return type(error).__name__
    return str(getattr(error, "orig", None) or error).partition("\n")[0]


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
    from triof.deposit import Deposits
    from triof.photo_store import PhotoStore
    from triof.slot import Slot
    from triof.watch import Watch

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

    make_home(settings)
    lock = FileLock(settings.home / "machine.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise MachineTaken(
            f"Another kiosk runs the machine of {settings.home}: end it first, or set TRIOF_HOME to another folder."
        ) from error
    except OSError as error:
        raise _home_unusable(settings, error) from error
    return lock
