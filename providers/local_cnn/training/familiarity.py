"""The distance of a photo from the training photos: deep nearest neighbours (Sun et al. 2022).

The deepest features of some training photos are stored, scaled to length 1. The distance of a photo is 1 minus the
cosine between its features and those of its NEIGHBOUR-th nearest stored photo: 0 for a photo like those of the
training, up to 2.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

NEIGHBOUR = 5
"""Small, so that rare kinds of items are near their own; not 1, as the nearest may have a wrong label."""
MOST = 512
"""Stored photos; twice as many gave no better result."""
BORNE = 0.05
"""Accepted share of familiar plastic above the threshold."""


def evenly(kinds: Sequence[Hashable], most: int, seed: int = 0) -> list[int]:
    """Return the positions of at most ``most`` photos, drawn in turn from each of their ``kinds``, in rising order."""
    drawn = np.random.default_rng(seed).permutation(len(kinds))
    turns: dict[Hashable, int] = {}
    ranked = []
    for position in drawn:
        kind = kinds[position]
        turns[kind] = turns.get(kind, 0) + 1
        ranked.append((turns[kind], int(position)))
    return sorted(position for _, position in sorted(ranked)[:most])


def distances(features: Array, stored: Array) -> Array:
    """Return the distances of ``features`` (photos, size) from ``stored`` (NEIGHBOUR or more, size): (photos,)."""
    alike = _scaled(features) @ _scaled(stored).T
    nearest: Array = 1 - np.sort(alike, axis=1)[:, -NEIGHBOUR]
    return nearest


def layer(keras: Any, features: Any, stored: Array) -> Any:
    """Return the distance of ``features``, a tensor (n, size) of a ``keras.Model``, from ``stored``: (n, 1)."""
    # Without a bias, by which weight_import tells it from the trained layers.
    compared = keras.layers.Dense(len(stored), use_bias=False, name="familiar")
    alike = compared(keras.layers.UnitNormalization()(features))
    compared.set_weights([_scaled(stored).T])
    return 1 - keras.ops.top_k(alike, NEIGHBOUR)[0][:, -1:]


def unfamiliar_from(familiar: Array) -> float:
    """Return the distance that the share BORNE of the ``familiar`` plastic exceeds."""
    return max(round(float(np.quantile(familiar, 1 - BORNE)), 6), 1e-6)


def _scaled(features: Array) -> Array:
    scaled: Array = features / np.maximum(np.linalg.norm(features, axis=-1, keepdims=True), np.float32(1e-6))
    return scaled
