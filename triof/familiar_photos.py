"""Gives a bundle the distance from what it has learned, and the one from which a photo is unfamiliar.

The photos that it learned from are kept in it as numbers, evenly by type and source. From which distance on a photo is
unfamiliar is told by plastic of ``val``: its makers bear that :data:`BORNE` of the like is asked about for that reason.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from providers.local_cnn import familiarity
from providers.local_cnn.bundle import Bundle
from providers.local_cnn.familiarity import Array
from providers.local_cnn.runtime import Extractor
from triof.datasets import Dataset, DatasetError, LabelledPhoto, Unreadable, decode
from triof.photo import DEFAULT_LIMITS, PhotoLimits

MOST = 512
"""Photos that are kept; twice as many told no more."""
BORNE = 0.05
"""Share of familiar plastic that may be unfamiliar."""

OnPhoto = Callable[[int, int], None]


def know(
    bundle: Bundle, dataset: Dataset, on_photo: OnPhoto = lambda done, total: None, limits: PhotoLimits = DEFAULT_LIMITS
) -> Bundle:
    """``bundle``, which learned from ``train`` of ``dataset``, with its distance; ``on_photo`` hears how many are done.

    Raises DatasetError where there are too few photos, ProviderMisconfigured for a network that ``triof train`` did
    not make.
    """
    kept = _evenly(dataset.of("waste_type", "train"))
    plastic = _evenly([item for item in dataset.of("waste_type", "val") if item.labels["waste_type"] != "other"])
    if len(kept) < familiarity.NEIGHBOUR or not plastic:
        raise DatasetError(
            f"{dataset.source} has {len(kept)} photos to learn from and {len(plastic)} of plastic in val: at least"
            f" {familiarity.NEIGHBOUR} and 1 are needed."
        )
    features = _features(bundle, [*kept, *plastic], on_photo, limits)
    stored, others = features[: len(kept)], features[len(kept) :]
    model = familiarity.knowing(bundle, stored)
    start = float(np.quantile(familiarity.distances(others, stored), 1 - BORNE))
    sha256 = hashlib.sha256(model).hexdigest()
    changes = {
        "version": bundle.card.version.removesuffix(f"-{bundle.card.sha256[:8]}") + f"-{sha256[:8]}",
        "sha256": sha256,
        "unfamiliar_from": max(round(start, 6), 1e-6),
        "trained_on": {**bundle.card.trained_on, "familiar_photos": len(kept)},
    }
    return replace(bundle, card=bundle.card.model_copy(update=changes), model=model)


def _evenly(items: Sequence[LabelledPhoto]) -> list[LabelledPhoto]:
    kinds = [(item.labels["waste_type"], item.source) for item in items]
    return [items[position] for position in familiarity.evenly(kinds, MOST)]


def _features(bundle: Bundle, items: Sequence[LabelledPhoto], on_photo: OnPhoto, limits: PhotoLimits) -> Array:
    """Of every photo (photos, size). Raises DatasetError for one that cannot be read."""
    read = bundle.card.input
    low, high = read.range
    extractor = Extractor(familiarity.features_alone(bundle))
    unreadable: list[Unreadable] = []
    found = []
    needed = max(read.width, read.height)
    for done, (_, photo) in enumerate(decode(items, limits, needed_side=needed, unreadable=unreadable), start=1):
        pixels = photo.resized(read.width, read.height)
        channels = pixels if read.channels == "rgb" else pixels[:, :, ::-1]
        found.append(extractor((channels * np.float32((high - low) / 255) + np.float32(low)).astype(np.float32))[0])
        on_photo(done, len(items))
    if unreadable:
        raise DatasetError(f"{unreadable[0].path} cannot be read ({unreadable[0].reason}): leave it out.")
    return np.stack(found)
