"""Machines that know their empty slot."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from providers.base import TASKS
from providers.fake import FakeProvider
from tests.support.clock import Clock
from tests.support.machines import Machine, assemble
from tests.support.slot_scenes import SIZE, SlotCamera, slot
from triof.deposits.slot_watch import SlotWatch
from triof.judging.router import Router
from triof.judging.slot_view import SlotView
from triof.judging.sorter import Sorter
from triof.machine.cameras.base import Camera
from triof.machine.reference_store import ReferenceStore
from triof.settings.tree import Settings


@dataclass(frozen=True)
class WatchedMachine:
    """A machine, its camera, and what its models have seen."""

    machine: Machine
    camera: SlotCamera
    store: ReferenceStore
    models: Sequence[FakeProvider]

    @property
    def asked(self) -> int:
        """How many questions the models got."""
        return sum(len(model.history) for model in self.models)

    def show(self, picture: Image.Image | None) -> None:
        """Put this before the camera."""
        self.camera.picture = picture

    def wait(self, seconds: float) -> None:
        """Let time pass, and the machine do what is due."""
        for _ in range(round(seconds)):
            self.machine.clock.pass_(1)
            self.machine.services.watch.look()


def watched(
    settings: Settings, *, looks_empty: bool = True, learnt: bool = True, camera: Camera | None = None
) -> WatchedMachine:
    """A machine whose models see clean bottles, with a reference unless it is not ``learnt``."""
    shown = SlotCamera(slot())
    models = [FakeProvider(task, ["bottle" if task == "waste_type" else "clean"]) for task in TASKS]
    store = ReferenceStore(settings.home, settings.camera)
    if learnt:
        store.save(slot(seed=99), *SIZE)
    view = SlotView(settings.slot_view, store.current)
    router = Router(dict(zip(TASKS, ([model] for model in models), strict=True)))
    sorter = Sorter(router, settings.policy, slot_view=view, sends_items_only=settings.privacy.cut_to_item)

    def watching(clock: Clock) -> SlotWatch:
        return SlotWatch(
            settings.home,
            camera=camera or shown,
            view=view,
            store=store,
            settings=settings.slot_view,
            looks_empty=lambda _: looks_empty,
            clock=clock,
        )

    machine = assemble(settings, sorter, camera or shown, watching=watching)
    return WatchedMachine(machine, shown, store, models)


def home_with(journal: Path, folder: Path) -> Path:
    """A home folder with a copy of the empty ``journal``."""
    folder.mkdir(exist_ok=True)
    (folder / "journal.db").write_bytes(journal.read_bytes())
    return folder
