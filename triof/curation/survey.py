"""Survey of every photo of a data set: file, perceptual hash and network features."""

import hashlib
import importlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from providers.local_cnn.features import FrozenBackbone
from triof.curation import near_duplicates
from triof.curation.feature_cache import FeatureCache
from triof.curation.near_duplicates import Hashes, Pairs
from triof.datasets.photo_dataset import Dataset, DatasetError, LabelledPhoto, Unreadable
from triof.judging import photo
from triof.settings.sections.photo import PhotoLimits
from triof.settings.tree import Settings
from triof.storage import data_folder

_EXTRA = ("imagehash", "sklearn", "cleanlab")


@dataclass(frozen=True)
class Survey:
    """The readable photos, in the order of the data set; arrays have one row for each."""

    items: tuple[LabelledPhoto, ...]
    digests: tuple[bytes, ...]
    """SHA-256 of the files."""
    sizes: NDArray[np.int64]
    """(photos, 2): upright width and height in pixels."""
    hashes: Hashes
    features: NDArray[np.float32]
    """(photos, features)."""
    unreadable: tuple[Unreadable, ...]

    @cached_property
    def near(self) -> Pairs:
        """The pairs of near-duplicates, including identical files."""
        return near_duplicates.find(self.hashes, self.features)

    @cached_property
    def families(self) -> NDArray[np.int64]:
        """(photos,): one number for all near-duplicates and members of a group, transitively."""
        first: dict[str, int] = {}
        grouped = [(first.setdefault(item.group, index), index) for index, item in enumerate(self.items)]
        pairs = np.array([pair for pair in grouped if pair[0] != pair[1]], np.int64).reshape(-1, 2)
        return near_duplicates.components(len(self.items), np.concatenate([self.near, pairs]))


def need_extra() -> None:
    """Raise DatasetError if the libraries for data sets are missing."""
    for name in _EXTRA:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise DatasetError(
                f"To check and split data sets {name} is needed: install Triof with its data extra,"
                " pip install 'triof[data]'."
            ) from error


def survey(dataset: Dataset, settings: Settings, console: Console) -> Survey:
    """Examine every photo: about 15 ms each on one core, 0.3 ms if cached.

    Results are cached under ``cache/`` in the home folder. Raises DatasetError if no photo can be read or the data
    extra is missing, HomeUnusable if the cache cannot be written.
    """
    need_extra()
    backbone = FrozenBackbone()
    data_folder.make(settings)
    with Progress(console=console, transient=True) as progress:
        watched = progress.track(dataset.photos, description="Looking at the photos")
        try:
            cache = FeatureCache(settings.home / "cache" / f"looks-{backbone.version}.bin", backbone.size)
            return _survey(dataset, _Eye(backbone, cache, settings.photo), watched)
        except OSError as error:
            raise data_folder.unusable(settings, error) from error


@dataclass(frozen=True)
class _Eye:
    """Computes the record of a file unless it is cached."""

    backbone: FrozenBackbone
    cache: FeatureCache
    limits: PhotoLimits

    def look(self, path: Path) -> np.void:
        """Return the record of a photo. Raises PhotoError; OSError if it cannot be cached."""
        image = _read(path, self.limits)
        digest = hashlib.sha256(image).digest()
        known = self.cache.get(digest)
        if known is not None and _is_within(known["size"].tolist(), self.limits):
            return known
        seen = photo.load(image, self.limits, needed_side=self.backbone.needed_side)
        hash_ = near_duplicates.perceptual_hash(seen.picture)
        return self.cache.add(digest, (seen.width, seen.height), hash_, self.backbone(seen))


def _survey(dataset: Dataset, eye: _Eye, photos: Iterable[LabelledPhoto]) -> Survey:
    items, records, unreadable = [], [], []
    for item in photos:
        try:
            records.append(eye.look(item.path))
            items.append(item)
        except photo.PhotoError as error:
            unreadable.append(Unreadable(item.path, str(error)))
    if not items:
        raise DatasetError(
            f"None of the {len(dataset.photos)} photos of {dataset.source} can be read: check its paths."
        )
    looks = np.array(records)
    digests = tuple(digest.tobytes() for digest in looks["digest"])
    sizes, features = looks["size"].astype(np.int64), looks["features"].astype(np.float32)
    return Survey(tuple(items), digests, sizes, looks["hash"], features, tuple(unreadable))


def _is_within(size: Sequence[int], limits: PhotoLimits) -> bool:
    """Return whether a photo cached under other limits is within these."""
    width, height = size
    return width * height <= limits.max_pixels and limits.min_side <= min(size) and max(size) <= limits.max_side


def _read(path: Path, limits: PhotoLimits) -> bytes:
    """Read a file. Raises PhotoError, which concerns this photo only."""
    try:
        photo.check_length(path.stat().st_size, limits)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise photo.PhotoError("not_a_photo", f"The file cannot be read ({reason}): check its path.") from error
