"""Installs a model: reads an Azure export or a bundle, tests and stores it. Activation is a separate step."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from providers.base import TASKS
from providers.local_cnn import azure_export, package
from providers.local_cnn import bundle as folders
from providers.local_cnn.bundle import Bundle, BundleCard
from providers.local_cnn.engine import Format
from providers.local_cnn.isolated import Isolation
from providers.local_cnn.package import Files
from triof.datasets.photo_dataset import Dataset
from triof.evaluation import collected_photos
from triof.journal.journal import Journal
from triof.models import acceptance, bundle_store
from triof.models.bundle_store import Store
from triof.settings.tree import Settings
from triof.storage import data_folder


class Installed(NamedTuple):
    """The result of an installation, or of a check of an installed bundle."""

    card: BundleCard
    """Its card has the acceptance result of each task (:meth:`triof.models.acceptance.AcceptanceResult.of`)."""
    folder: Path
    note: str
    """The fault of its stated input format; empty if it was right."""
    already: bool
    """Whether it was installed before; then it was only tested, and its input format corrected if needed."""


def install(
    source: Path, settings: Settings, actor: str, *, photos: Dataset | None = None, anyway: bool = False
) -> Installed:
    """Test the export or bundle in the zip or folder ``source``, and install it without activating it.

    ``actor`` is the name for the journal, ``photos`` are labelled ones to test it on besides the demo pictures. Raises
    BundleRefused, ProviderError, HomeUnusable, DatabaseUnusable.
    """
    files = package.read(source, (folders.CARD_FILE, azure_export.MANIFEST_FILE))
    store = Store(settings, bundle_store.PROVIDERS[_format(source, files)])
    with store.isolation() as isolation:
        found = _bundle(source, files, settings, isolation)
        there = store.same(found)
        if there:
            found = folders.load(there)
        tried, note = _try(found, settings, isolation, photos, anyway=anyway)
    if there:
        return _mended(found, tried, note, store, settings, actor=actor)
    return Installed(tried.card, store.add(tried), note, already=False)


def check(name: str, settings: Settings, actor: str, *, photos: Dataset | None = None) -> Installed:
    """Test the bundle ``name`` again, and correct its input format if the cloud's predictions contradict it.

    Raises the errors of :func:`install`.
    """
    store = bundle_store.holding(name, settings)
    found = folders.load(store.folder(*store.find(name)[0]))
    with store.isolation() as isolation:
        tried, note = _try(found, settings, isolation, photos)
    return _mended(found, tried, note, store, settings, actor=actor)


def _mended(found: Bundle, tried: Bundle, note: str, store: Store, settings: Settings, *, actor: str) -> Installed:
    """Return the installed bundle with the input format of ``tried``."""
    if tried.card.input != found.card.input:
        with data_folder.database(settings) as database:
            store.mend(tried, Journal(database), actor, note)
    return Installed(tried.card, found.folder, note, already=True)


def _try(
    found: Bundle, settings: Settings, isolation: Isolation, photos: Dataset | None, *, anyway: bool = False
) -> tuple[Bundle, str]:
    """Return the bundle with its input format and acceptance results, and the fault of the stated format."""
    told = ""
    for task in found.card.tasks:
        asked = replace(found, card=found.card.of(task))
        shown = collected_photos.gather(asked.card, settings, photos)
        tried, outcome, note = acceptance.run(asked, shown, isolation, anyway=anyway)
        isolation.remember(tried.model)
        card = tried.card.model_copy(update={"metrics": {**tried.card.metrics, "trial": asdict(outcome)}})
        found, told = replace(tried, card=card), told or note
    return replace(found, card=found.card.of(min(found.card.tasks, key=TASKS.index))), told


def _format(source: Path, files: Files) -> Format:
    if folders.CARD_FILE in files:
        return folders.format_of(source, files)
    return azure_export.format_of(source, files)


def _bundle(source: Path, files: Files, settings: Settings, isolation: Isolation) -> Bundle:
    if folders.CARD_FILE in files:
        return folders.whole(folders.assemble(source, files))
    if azure_export.format_of(source, files) == "onnx":
        from providers.onnx.azure_export import prepared

        files = prepared(source, files)
    return azure_export.bundle_of(source, files, settings.custom_vision.tags, isolation)
