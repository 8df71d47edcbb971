"""Builds every object from the settings.

Modules that only the kiosk needs (the database, the machine) are imported when it is built, so that ``triof classify``
starts fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import providers
from providers.base import TASKS, Metered, Photo, Prediction, Provider, ProviderError, ProviderMisconfigured, Task
from providers.event_log import get_logger
from providers.local_cnn.options import BundleOptions
from triof.common.errors import TriofError
from triof.common.worker_pool import Workers
from triof.drills.fault_file import FaultFile, FaultInjector, FaultyCamera
from triof.judging import cloud_providers
from triof.judging.circuit_breaker import Breaker, BreakerChange, outliving
from triof.judging.guarded_provider import Calls, GuardedProvider
from triof.judging.mode import Switch
from triof.judging.router import Member, Router
from triof.judging.sorter import Sorter
from triof.machine.cameras.registry import build_camera
from triof.machine.reference_store import ReferenceStore, SlotReference
from triof.models import bundle_store
from triof.rollout.candidates import Candidate, publishing
from triof.rollout.experiment import Experiment, RenamedProvider
from triof.settings.loader import SettingsError
from triof.settings.modes import Mode
from triof.settings.tree import Settings
from triof.storage import data_folder

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from triof.deposits.deposit import Deposits
    from triof.deposits.housekeeping import Housekeeper
    from triof.deposits.slot_watch import SlotWatch
    from triof.journal.journal import Journal, Kind
    from triof.judging.slot_view import SlotView
    from triof.machine.cameras.base import Camera
    from triof.operations.operations import Operations
    from triof.storage.disk_reserve import DiskRoom
    from triof.storage.photo_store import PhotoStore

log = get_logger(__name__)


_HANGING_SECONDS = 120.0
"""Seconds without a round of the housekeeper, after which it hangs: longer than any movement or repair."""

Line = Callable[[Task, Settings], GuardedProvider]
"""Builds a GuardedProvider; the settings may name another model of the provider."""


class _Unbuildable:
    """Placeholder in a route for a provider that could not be built, so that the rest of the machine can run."""

    needs_network = False
    needed_side = 0

    def __init__(self, name: str, error: ProviderError) -> None:
        self.name = name
        self._error = error

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        # Traceback frames would accumulate and keep the photo alive.
        raise self._error.with_traceback(None)

    def ping(self) -> None:
        raise self._error.with_traceback(None)

    def close(self) -> None:
        pass


def build_router(
    settings: Settings, mode: Callable[[], Mode] | None = None, journal: Callable[[], Journal] | None = None
) -> Router:
    """Build the router; ``mode`` returns the current mode before each photo (None: the machine's switch).

    Cloud calls are counted in the database of the ``journal``, which is opened at the first one.
    Raises SettingsError if the mode leaves a route without a provider.
    """
    return _router(settings, mode, journal)[0]


def _router(
    settings: Settings, mode: Callable[[], Mode] | None, journal: Callable[[], Journal] | None
) -> tuple[Router, Experiment]:
    """Build the router of :func:`build_router`, and the experiment with the candidates."""
    cloud = cloud_providers.in_routes(settings)
    if settings.mode == "cloud" and not cloud:
        raise SettingsError(
            ["  mode = 'cloud': no provider of the routes is in the cloud; use auto or local, or add one to routes"]
        )
    journal = journal or cache(lambda: _open_journal(settings))
    notes = ThreadPoolExecutor(1, "notes")
    line = {name: _line(name, settings, journal, notes) for name in cloud}
    left_out = cloud_providers.left_out(settings)
    routes: dict[Task, list[Member]] = {
        task: [
            line[name](task, settings) if name in line else _build(name, task, settings)
            for name in settings.routes[task]
            if name not in left_out
        ]
        for task in TASKS
    }
    experiment = _experiment(settings, journal, line, notes)
    router = Router(
        routes,
        settings.deadline_seconds,
        cloud_seconds=settings.cloud_seconds,
        cascade=settings.cascade_probability,
        mode=mode or Switch(settings.home, settings.mode).mode,
        rehearsed=FaultInjector(settings.home, settings, _built).instead_of,
        experiment=experiment,
        notes=notes,
    )
    return router, experiment


def _experiment(
    settings: Settings, journal: Callable[[], Journal], line: Mapping[str, Line], notes: Executor
) -> Experiment:
    """Build the experiment; each cloud candidate has its own circuit breaker, apart from production's."""

    def build(candidate: Candidate) -> Member:
        name, task, chosen = candidate.provider, candidate.task, candidate.settings(settings)
        if name not in line:
            return RenamedProvider(candidate.label, _built(name, task, chosen))
        return GuardedProvider(
            candidate.label,
            task,
            lambda: _built(name, task, chosen),
            breaker=Breaker(settings.breaker),
            workers=Workers(candidate.label, settings.server.all_threads),
            calls=lambda provider: _ledger(provider, journal),
            note=notes.submit,
        )

    def promoted(task: Task, name: str) -> GuardedProvider:
        return line["custom_vision"](task, publishing(settings, name))

    return Experiment(settings, journal, build, promoted, note=notes.submit)


def _line(name: str, settings: Settings, journal: Callable[[], Journal], notes: Executor) -> Line:
    """Return a factory of guarded providers; all tasks share the vendor's circuit breaker."""
    workers = Workers(name, settings.server.all_threads)
    breaker = outliving(
        settings.home / f"breaker-{name.replace(':', '.')}.json",
        settings.breaker,
        lambda change: notes.submit(_note, change, name, journal),
        of=options.allowance.resource if isinstance(options := _options(name, settings), Metered) else "",
    )

    def guard(task: Task, chosen: Settings) -> GuardedProvider:
        return GuardedProvider(
            name,
            task,
            lambda: _built(name, task, chosen),
            breaker=breaker,
            workers=workers,
            calls=lambda provider: _ledger(provider, journal),
            note=notes.submit,
        )

    return guard


def _ledger(provider: Provider, journal: Callable[[], Journal]) -> Calls | None:
    if not isinstance(provider, Metered):
        return None
    from triof.judging.quota import QuotaLedger

    try:
        return QuotaLedger(journal().database, provider.allowance)
    except TriofError as error:
        # Uncounted calls are not made; the error must not stop the local provider from answering.
        raise ProviderMisconfigured(f"The calls cannot be counted: {error}") from error


def _note(change: BreakerChange, provider: str, journal: Callable[[], Journal]) -> None:
    kind: Kind = "breaker.opened" if change.state == "open" else "breaker.closed"
    log.warning(kind, provider=provider, seconds=change.open_seconds, why=change.reason)
    try:
        journal().record(kind, reason=provider[:32], why=change.reason, seconds=change.open_seconds)
    except Exception:
        log.exception("journal.not_written", kind=kind)


def _build(name: str, task: Task, settings: Settings) -> Provider:
    try:
        return _built(name, task, settings)
    except ProviderError as error:
        return _Unbuildable(name, error)


def _built(name: str, task: Task, settings: Settings) -> Provider:
    """Build the provider. Raises ProviderError."""
    provider = providers.load(name)
    try:
        return provider(task, _options(name, settings))
    except ProviderError:
        raise
    # A third-party class may raise any exception; the other providers of the route must still work.
    except Exception as error:
        raise ProviderMisconfigured(f"Provider {name!r} cannot be built: {error!r}") from error


def _options(name: str, settings: Settings) -> Any:
    options = getattr(settings, name, None)
    return bundle_store.options_of(name, settings) if isinstance(options, BundleOptions) else options


def build_sorter(
    settings: Settings,
    mode: Callable[[], Mode] | None = None,
    journal: Callable[[], Journal] | None = None,
    slot_view: SlotView | None = None,
) -> Sorter:
    """Build the sorter with its router; see :func:`build_router`. Only a machine has a ``slot_view``."""
    router, experiment = _router(settings, mode, journal)
    return Sorter(
        router,
        settings.policy,
        settings.photo,
        compare=experiment.follow_up,
        slot_view=slot_view,
        sends_items_only=bool(slot_view) and settings.privacy.cut_to_item,
    )


def build_slot_view(settings: Settings) -> tuple[SlotView, ReferenceStore]:
    """Build the comparison with the empty slot, and the store of its reference."""
    from triof.judging.slot_view import SlotView

    store, fault_file = ReferenceStore(settings.home, settings.camera), FaultFile(settings.home)

    def references() -> Sequence[SlotReference]:
        # The slot is empty in a drill, which rehearses what the models do.
        return () if fault_file.current() else store.current()

    return SlotView(settings.slot_view, references), store


@dataclass(frozen=True)
class Services:
    """The objects of a server without a machine."""

    sorter: Sorter
    journal: Journal
    operations: Operations

    def is_alive(self) -> bool:
        """Return whether the background work goes on; a server without a machine has none that must."""
        return True

    def close(self) -> None:
        """Finish running work, then close everything."""
        self.operations.close()
        self.sorter.close()
        self.journal.database.close()


@dataclass(frozen=True)
class KioskServices(Services):
    """The objects of a running kiosk."""

    camera: Camera
    photo_store: PhotoStore
    deposits: Deposits
    watch: Housekeeper
    lock: BaseFileLock
    """Held as long as this process runs the machine; the operating system releases it if the process dies."""
    room: DiskRoom | None = None
    slot_watch: SlotWatch | None = None

    def is_alive(self) -> bool:
        """Return whether ``watch`` does its rounds, each of which looks at the disk."""
        return not self.room or self.room.seconds_since_look() < _HANGING_SECONDS

    def close(self) -> None:
        """Finish the current deposit, then close everything."""
        self.watch.close()
        self.deposits.close()
        self.camera.close()
        super().close()
        self.lock.release()


def build(settings: Settings) -> Services:
    """Build the services of a server without a machine. Raises HomeUnusable, DatabaseUnusable."""
    return _around(settings, _open_journal(settings))


def _open_journal(settings: Settings) -> Journal:
    from triof.journal.journal import Journal

    return Journal(data_folder.open_database(settings))


def _around(settings: Settings, journal: Journal, slot_view: SlotView | None = None) -> Services:
    from triof.operations import operations

    sorter = build_sorter(settings, journal=lambda: journal, slot_view=slot_view)
    return Services(sorter, journal, operations.build(settings, sorter, journal))


def build_kiosk(settings: Settings) -> KioskServices:
    """Build the kiosk's services, recover from an interrupted deposit, and start monitoring.

    Raises MachineTaken if another process runs the machine of this home folder, HomeUnusable, DatabaseUnusable.
    """
    lock = data_folder.take_machine(settings)
    try:
        return _machine(settings, lock)
    except Exception:
        lock.release()
        raise


def _machine(settings: Settings, lock: BaseFileLock) -> KioskServices:
    from triof.deposits.deposit import Deposits
    from triof.deposits.deposit_journal import DepositJournal
    from triof.deposits.housekeeping import Housekeeper
    from triof.deposits.kept_photos import KeptPhotos
    from triof.deposits.lamp import lamp_on
    from triof.deposits.slot_watch import SlotWatch, emptiness
    from triof.journal.journal import Journal
    from triof.machine.hardware.registry import build_hardware
    from triof.machine.slot import Slot
    from triof.storage.photo_store import PhotoStore

    photo_store = PhotoStore.of(settings)
    # Before anything is written, so that the machine starts with a full disk.
    room = _make_room(settings, photo_store)
    Switch(settings.home, settings.mode).reconcile()
    with suppress(OSError):  # not a file, so not a drill
        FaultFile(settings.home).clear()
    journal = Journal(data_folder.find_database(settings))
    slot_view, store = build_slot_view(settings)
    around = _around(settings, journal, slot_view)
    camera = FaultyCamera(build_camera(settings.camera), settings.home)
    deposit_journal = DepositJournal(journal, settings.home, room, machine_name=settings.machine.name)
    around.operations.monitoring.journal_fault = deposit_journal.fault
    slot = Slot(build_hardware(settings))
    slot_watch = SlotWatch(
        settings.home,
        camera=camera,
        view=slot_view,
        store=store,
        settings=settings.slot_view,
        looks_empty=emptiness(around.sorter.router, settings.deadline_seconds),
        limits=settings.photo,
        lit=partial(lamp_on, slot),
    )
    around.sorter.observe(slot_watch.observe)
    deposits = Deposits(
        sorter=around.sorter,
        camera=camera,
        slot=slot,
        boxes=settings.slot.boxes.model_dump(),
        journal=deposit_journal,
        photos=KeptPhotos(photo_store, settings.privacy),
        settings=settings.deposit,
        judging_seconds=len(TASKS) * settings.deadline_seconds,
        maintenance_seconds=60 * settings.technician.maintenance_minutes,
        item_is_there=slot_watch.item_is_there,
        camera_failed=around.operations.metrics.camera_failed,
    )
    around.operations.health.add_machine(camera, slot, slot_watch)
    deposits.recover()
    watch = Housekeeper(deposits, photo_store, room, slot_watch=slot_watch)
    watch.start()
    return KioskServices(
        around.sorter, around.journal, around.operations, camera, photo_store, deposits, watch, lock, room, slot_watch
    )


def _make_room(settings: Settings, photo_store: PhotoStore) -> DiskRoom:
    """Remove photos and backups that are too old, and more where the disk is full; return what goes on doing so."""
    from triof.journal.backups import JournalBackups
    from triof.storage.disk_reserve import DiskRoom

    photo_store.prune()
    path = data_folder.database_path(settings)
    room = DiskRoom(
        settings.home, [photo_store.make_room, *([JournalBackups(settings, path).make_room] if path else [])]
    )
    with suppress(OSError):
        room.look()
    return room
