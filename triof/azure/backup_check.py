"""Verifies a backup offline: everything that the cloud had is there, every photo decodes, every export loads.

An export must give the recorded predictions of its iteration, if there are any.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from providers.base import ProviderMisconfigured
from providers.custom_vision.errors import TrainingRefused
from providers.custom_vision.records import TFLITE, Kind
from providers.local_cnn import azure_export, package
from providers.local_cnn.isolated import Isolation
from triof.azure.backup import EXPORTS, RECORD
from triof.azure.downloads import check_export, check_photo
from triof.common.atomic_files import read_json
from triof.common.errors import TriofError
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import LabelledPhoto
from triof.evaluation import collected_photos
from triof.models import acceptance
from triof.models.errors import BundleRefused
from triof.settings.tree import Settings

_THREADS = 4


class NoBackup(TriofError):
    """The folder has no backup."""


@dataclass
class Verified:
    """The result of a verification."""

    photos: int = 0
    """Number of intact photos."""
    exports: list[str] = field(default_factory=list)
    """Intact exports, each with its details."""
    left_out: list[str] = field(default_factory=list)
    """What was left out of the backup on request."""
    wrong: list[str] = field(default_factory=list)
    """Missing or damaged files, each with the reason."""


def verify(
    folder: Path, settings: Settings, on_photo: Callable[[int, int], None] = lambda done, total: None
) -> Verified:
    """Check the backup in ``folder``; ``on_photo`` is called with the number of checked photos and the total.

    Raises NoBackup, DatasetError, HomeUnusable, DatabaseUnusable.
    """
    record = read_json(folder / RECORD)
    manifest = folder / photo_dataset.MANIFEST
    if not record or not manifest.exists():
        raise NoBackup(f"{folder} holds no backup: name its folder, or make one with `triof azure backup DIR`.")
    found = Verified()
    there = {item.notes.get("image_id", ""): item for item in photo_dataset.read(manifest).photos}
    _check_photos(record, there, found, on_photo)
    if "photos" not in record:
        found.wrong.append(f"{RECORD} does not list what the cloud had: the backup was not finished.")
    copies = {item.group: item.path for item in there.values()}
    for entry in _entries(record):
        _check_export(folder / EXPORTS / entry["file"], _kind(entry), settings, copies, found)
    if "exports" not in record and record.get("iterations"):
        found.left_out.append("The models were left out (--no-exports).")
    return found


def _check_photos(
    record: Mapping[str, Any], there: Mapping[str, LabelledPhoto], found: Verified, on_photo: Callable[[int, int], None]
) -> None:
    listed = record.get("photos")
    missing = sorted(set(map(str, listed if isinstance(listed, list) else ())) - there.keys())
    found.wrong += [f"photo {image_id}: it was never fetched." for image_id in missing]
    with ThreadPoolExecutor(_THREADS, "verify") as pool:
        for done, fault in enumerate(pool.map(_fault, there.values()), 1):
            on_photo(done, len(there))
            if fault:
                found.wrong.append(fault)
            else:
                found.photos += 1


def _fault(item: LabelledPhoto) -> str:
    """Return the fault of a photo; empty if it is intact and has the downloaded contents."""
    try:
        content = item.path.read_bytes()
        check_photo(content)
    except OSError as error:
        return f"{item.path}: it cannot be read ({error.strerror})."
    except TrainingRefused as error:
        return f"{item.path}: {error}"
    same = hashlib.sha256(content).hexdigest() == item.group
    return "" if same else f"{item.path}: its contents have changed since it was fetched."


def _entries(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    exports = record.get("exports")
    for entry in exports if isinstance(exports, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("file"), str):
            yield entry


def _kind(entry: Mapping[str, Any]) -> Kind:
    platform, flavor = entry["kind"]
    return str(platform), None if flavor is None else str(flavor)


def _check_export(path: Path, kind: Kind, settings: Settings, copies: Mapping[str, Path], found: Verified) -> None:
    if not path.is_file():
        found.wrong.append(f"{path}: it was never fetched.")
        return
    try:
        check_export(path, kind)
        found.exports.append(f"{path}: {_agreement(path, settings, copies) if kind == TFLITE else 'it is whole'}.")
    except OSError as error:
        found.wrong.append(f"{path}: it cannot be read ({error.strerror}).")
    except (TrainingRefused, BundleRefused) as error:
        found.wrong.append(f"{path}: {error}")


def _agreement(path: Path, settings: Settings, copies: Mapping[str, Path]) -> str:
    """Return how the model agrees with the cloud's records. Raises BundleRefused if it contradicts them."""
    with Isolation(None) as isolation:
        try:
            files = package.read(path, (azure_export.MANIFEST_FILE,))
            bundle = azure_export.bundle_of(path, files, settings.custom_vision.tags, isolation)
        except ProviderMisconfigured as error:
            return f"its model loads, but cannot be asked here ({error})"
        shown = collected_photos.gather(bundle.card, settings, None, copies)
        _, outcome, note = acceptance.run(bundle, shown, isolation, anyway=True)
    if outcome.distance is not None and outcome.distance > acceptance.NEAR:
        raise BundleRefused(f"It is not the model that the cloud asked: it {outcome.agreement}.")
    return f"its model loads; {outcome.agreement}{f' ({note})' if note else ''}"
