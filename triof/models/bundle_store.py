"""The installed bundles of each provider that runs some: storage, activation, rollback, removal.

Those of ``local_cnn`` lie in ``home/bundles``, those of ``onnx`` in ``home/bundles/onnx``.

The pointer (``providers/local_cnn/pointer.py``) names the active bundle. The file is replaced atomically, so that a
running kiosk sees the old or the new bundle. It also lists the previous bundles of each task, for rollbacks; the
last resort is the one that ships with Triof.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from providers.base import TASKS, ProviderMisconfigured, Task
from providers.local_cnn import bundle as folders
from providers.local_cnn.engine import Format
from providers.local_cnn.options import BundleOptions, LocalCnnOptions
from providers.local_cnn.pointer import SHIPPED, Pointer, serving
from triof.common.atomic_files import read_json, replace_file
from triof.models import training_outcome
from triof.models.errors import BundleRefused
from triof.storage import data_folder

if TYPE_CHECKING:
    from providers.local_cnn.bundle import Bundle, BundleCard
    from providers.local_cnn.isolated import Isolation
    from triof.journal.journal import Journal
    from triof.settings.tree import Settings

LOCAL, ONNX = "local_cnn", "onnx"
PROVIDERS: Mapping[Format, str] = {"tflite": LOCAL, "onnx": ONNX}
"""The provider that runs the bundles with a network of each format."""
_LOCK_SECONDS = 30.0
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class BundleChange(NamedTuple):
    """The active bundle of a task, and the previous one."""

    task: Task
    version: str
    before: str


@dataclass(frozen=True)
class BundleEntry:
    """A bundle that can be activated, or is damaged."""

    task: Task
    version: str
    """Its name in commands; SHIPPED for the one that ships with Triof."""
    active: bool
    previous: bool
    """Whether ``triof bundles rollback`` would activate it."""
    card: BundleCard | None
    fault: str = ""


def options(settings: Settings) -> LocalCnnOptions:
    """Return the options of the local network, with this home's folder of bundles."""
    return settings.local_cnn.installed_in(settings.home / "bundles")


def cards(settings: Settings, task: Task) -> dict[str, BundleCard]:
    """Return the readable bundle cards of ``task`` by version: shipped, installed, or in the settings."""
    chosen = settings.local_cnn.chosen(task)
    found = []
    with suppress(ProviderMisconfigured):
        found += [entry.card for entry in Store(settings).entries(task) if entry.card]
    with suppress(ProviderMisconfigured):
        found += [folders.load(chosen, task).card] if chosen else []
    return {card.version: card for card in found}


def options_of(provider: str, settings: Settings) -> BundleOptions:
    """Return the options of a provider that runs bundles, with its folder of bundles in this home."""
    return settings.onnx.installed_in(settings.home / "bundles" / ONNX) if provider == ONNX else options(settings)


def holding(name: str, settings: Settings) -> Store:
    """Return the store with the bundle that a person calls ``name``; that of LOCAL if there is none."""
    stores = [Store(settings, provider) for provider in PROVIDERS.values()]
    return next((store for store in stores if store.holds(name)), stores[0])


class Store:
    """The bundles of one provider in one home folder; changes hold a process lock."""

    def __init__(self, settings: Settings, provider: str = LOCAL) -> None:
        self.provider = provider
        self._settings = settings
        self._options = options_of(provider, settings)
        assert self._options.bundles
        self._folder = self._options.bundles
        self._pointer = Pointer(self._options)

    def isolation(self) -> Isolation:
        """The isolated process for loading models not tested on this computer yet."""
        from providers.local_cnn.isolated import Isolation

        return Isolation(self._folder, self._options.engine)

    def chosen(self, task: Task) -> Path | None:
        """Return the folder that the settings name for ``task``, which overrides the active bundle."""
        return self._options.chosen(task)

    def holds(self, name: str) -> bool:
        """Return whether ``name`` is the version of an installed bundle, or TASK/VERSION."""
        return any(name in (version, f"{task}/{version}") for task in TASKS for version in self._versions(task))

    def entries(self, task: Task) -> list[BundleEntry]:
        """Return the shipped bundle, then the installed ones by name. Raises ProviderMisconfigured for a bad file."""
        active, before = self._pointer.version(task), self._before(task)
        previous = before[-1] if before else ""
        return [self._entry(task, version, active, previous) for version in self._versions(task)]

    def check_active(self, task: Task) -> str:
        """Run the active bundle and return its version. Raises ProviderError and others; then a shipped one runs."""
        from providers.local_cnn.provider import LocalModel, try_first

        loaded = folders.load(serving(task, self._options), task)
        try_first(loaded, self._options)
        model = LocalModel(loaded, engine=self._options.engine)
        try:
            model.warm_up()
        finally:
            model.close()
        return self._pointer.version(task)

    def same(self, found: Bundle) -> Path | None:
        """Return the folder of the same bundle, if it is installed for all its tasks.

        Raises BundleRefused if another bundle has its version.
        """
        version = found.card.version
        if version == SHIPPED or not _VERSION.fullmatch(version):
            raise BundleRefused(f"{version!r} cannot be the name of a folder: give the bundle another version.")
        there = [self._same(found.card.of(task)) for task in found.card.tasks]
        return there[0] if all(there) else None

    def add(self, tried: Bundle) -> Path:
        """Write a bundle atomically to the folder of each of its tasks.

        Returns the first folder. Raises BundleRefused, HomeUnusable.
        """
        places = [self._folder / task / tried.card.version for task in tried.card.tasks]
        with self._alone():
            if not self.same(tried):
                for place in places:
                    folders.save(place, tried.card, tried.model, tried.eight_bit, folders.rehearsal_of(tried))
        return places[0]

    def mend(self, tried: Bundle, journal: Journal, actor: str, comment: str) -> None:
        """Change the input format of an installed bundle, at once in a running kiosk. Raises BundleRefused."""
        version = tried.card.version
        with self._alone():
            for task in tried.card.tasks:
                journal.record("bundle.mended", reason=task, version=version, who=actor, why=comment)
                folders.rewrite(self._pointer.folder(task, version), tried.card)
                if version == self._active(task):
                    # Rewritten, so that a kiosk reloads it.
                    self._point(task, version, self._before(task))

    def folder(self, task: Task, version: str) -> Path:
        """Return the folder of the bundle of that version."""
        return self._pointer.folder(task, version)

    def activate(
        self, name: str, journal: Journal, actor: str, comment: str, *, anyway: bool = False
    ) -> list[BundleChange]:
        """Activate a bundle for the tasks that ``name`` means, after a test run.

        Raises NotBetter (its training did not improve it, and not ``anyway``), BundleRefused, ProviderError.
        """
        with self._alone():
            found = self.find(name)
            if not anyway:
                self._check_better(found)
            return [self._activated(task, version, journal, actor, comment) for task, version in found]

    def rollback(self, task: Task, journal: Journal, actor: str, comment: str) -> BundleChange:
        """Activate the previous bundle again. Raises BundleRefused if there is none, ProviderError."""
        with self._alone():
            active, before = self._active(task), self._before(task)
            if not before:
                raise BundleRefused(
                    f"Nothing was in service for {task} before {active or 'now'}: `triof bundles list` shows what there"
                    " is."
                )
            change = BundleChange(task, before[-1], active)
            self._turn(change, before[:-1], journal, actor, comment)
            return change

    def remove(self, name: str, journal: Journal, actor: str) -> list[BundleChange]:
        """Delete a bundle for the tasks that ``name`` means.

        Raises BundleRefused for the active one and the shipped one, HomeUnusable.
        """
        with self._alone():
            found = [BundleChange(task, version, self._active(task)) for task, version in self.find(name)]
            for task, version, active in found:
                if version == SHIPPED:
                    raise BundleRefused("What ships with Triof stays: remove one of those that were installed.")
                if version == active:
                    remedy = f"activate another one, or `triof bundles rollback {task}`"
                    raise BundleRefused(f"{version} answers now: {remedy}.")
            for change in found:
                self._removed(change, journal, actor)
            return found

    def check(self, task: Task, version: str) -> BundleCard:
        """Run the bundle on the demo pictures and return its card. Raises BundleRefused, ProviderError."""
        from triof.models import acceptance

        found = folders.load(self._pointer.folder(task, version), task)
        with self.isolation() as isolation:
            acceptance.check(found, isolation)
            isolation.remember(found.model)
        return found.card

    def find(self, name: str) -> list[tuple[Task, str]]:
        """Find a bundle by its version, for every task it has, or by TASK/VERSION for one.

        Raises BundleRefused.
        """
        there = [(task, version) for task in TASKS for version in self._versions(task)]
        found = [(task, version) for task, version in there if name in (version, f"{task}/{version}")]
        if not found:
            found = [(task, SHIPPED) for task in TASKS if name == self._shipped(task)]
        if not found:
            raise BundleRefused(f"No bundle is called {name!r}: `triof bundles list` shows those that are installed.")
        if len(found) > 1 and not self._are_one(found):
            choices = " or ".join(f"{task}/{version}" for task, version in found)
            raise BundleRefused(f"{name!r} is a bundle of each task: say {choices}.")
        return found

    def _same(self, wanted: BundleCard) -> Path | None:
        task, version = wanted.task, wanted.version
        for there in dict.fromkeys(self._pointer.folder(task, each) for each in (SHIPPED, version)):
            try:
                card = folders.whole(folders.load(there, task)).card
            except ProviderMisconfigured:
                continue  # a damaged or missing bundle may be overwritten
            if card.identity == wanted.identity:
                return there
            if card.version == version:
                raise BundleRefused(
                    f"Another bundle is installed as {version}: remove it first, with `triof bundles remove {version}`."
                )
        return None

    def _are_one(self, found: list[tuple[Task, str]]) -> bool:
        """Return whether the bundles of several tasks are one bundle."""
        tasks = {task for task, _ in found}
        cards = [self._entry(task, version, "", "").card for task, version in found]
        models = {card.sha256 for card in cards if card and set(card.tasks) == tasks}
        return None not in cards and len(models) == 1

    def _activated(self, task: Task, version: str, journal: Journal, actor: str, comment: str) -> BundleChange:
        change, before = BundleChange(task, version, self._active(task)), self._before(task)
        if version == change.before:
            # Rewritten, so that a kiosk that could not load it tries again.
            self._point(task, version, before)
        else:
            self._turn(change, [*before, change.before], journal, actor, comment)
        return change

    def _check_better(self, found: list[tuple[Task, str]]) -> None:
        """Check that no bundle to activate is worse than its predecessor. Raises NotBetter."""
        for task, version in found:
            card = self._entry(task, version, "", "").card
            if card and version not in (SHIPPED, self._active(task)):
                training_outcome.check(card)

    def _removed(self, change: BundleChange, journal: Journal, actor: str) -> None:
        task, version, active = change
        journal.record("bundle.removed", reason=task, version=version, who=actor)
        # The pointer first, so that it never names a removed folder.
        kept = [before for before in self._before(task) if before != version]
        if kept != self._before(task):
            self._point(task, active, kept)
        folders.clear(self._folder / task / version)

    def _turn(self, change: BundleChange, before: list[str], journal: Journal, actor: str, comment: str) -> None:
        self.check(change.task, change.version)
        # Journaled first, so that no change is missing from the journal.
        journal.record(
            "bundle.activated", reason=change.task, version=change.version, before=change.before, who=actor, why=comment
        )
        self._point(change.task, change.version, before)

    def _point(self, task: Task, active: str, before: list[str]) -> None:
        pairs = pairwise([*before, active])
        once = [version for version, after in pairs if version not in ("", after)]
        kept = {**read_json(self._pointer.path), task: {"active": active, "before": once}}
        replace_file(self._pointer.path, json.dumps(kept, indent=2).encode() + b"\n")

    def _active(self, task: Task) -> str:
        try:
            return self._pointer.version(task)
        except ProviderMisconfigured:
            return ""  # unreadable; the next activation replaces it

    def _before(self, task: Task) -> list[str]:
        kept = read_json(self._pointer.path).get(task)
        before = kept.get("before") if isinstance(kept, dict) else None
        return [version for version in before if isinstance(version, str)] if isinstance(before, list) else []

    def _versions(self, task: Task) -> list[str]:
        shipped = [SHIPPED] if self._options.shipped(task) else []
        return [*shipped, *sorted(path.name for path in (self._folder / task).glob("[!.]*") if path.is_dir())]

    def _shipped(self, task: Task) -> str:
        card = self._entry(task, SHIPPED, "", "").card if self._options.shipped(task) else None
        return card.version if card else SHIPPED

    def _entry(self, task: Task, version: str, active: str, previous: str) -> BundleEntry:
        marks = (version == active, version == previous)
        try:
            return BundleEntry(task, version, *marks, folders.load(self._pointer.folder(task, version), task).card)
        except ProviderMisconfigured as error:
            return BundleEntry(task, version, *marks, None, str(error))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / ".lock", timeout=_LOCK_SECONDS):
                yield
        except Timeout as error:
            raise BundleRefused(f"Another command is at work in {self._folder}: try again when it is done.") from error
        except OSError as error:
            raise data_folder.unusable(self._settings, error) from error
