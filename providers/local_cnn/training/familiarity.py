"""How far a photo lies from what a network has learned: deep nearest neighbours (Sun et al. 2022).

Of some photos of the training the deepest features that the network makes of them are kept, scaled to length 1. The
distance of another photo is 1 minus the cosine of its features and those of its NEIGHBOUR-th nearest among them: 0 for
the like of what was learned, up to 2.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

NEIGHBOUR = 5
"""Few, so that a rare kind of item is near enough to its own; not the nearest, which may carry a wrong label."""
MOST = 512
"""Photos that are kept; twice as many told no more."""
BORNE = 0.05
"""Share of familiar plastic that may be unfamiliar."""


def evenly(kinds: Sequence[Hashable], most: int, seed: int = 0) -> list[int]:
    """Positions of at most ``most`` photos, drawn in turn from each of their ``kinds``, in rising order."""
    drawn = np.random.default_rng(seed).permutation(len(kinds))
    turns: dict[Hashable, int] = {}
    ranked = []
    for position in drawn:
        kind = kinds[position]
        turns[kind] = turns.get(kind, 0) + 1
        ranked.append((turns[kind], int(position)))
    return sorted(position for _, position in sorted(ranked)[:most])


def distances(features: Array, stored: Array) -> Array:
    """Of ``features`` (photos, size) from ``stored`` (at least NEIGHBOUR, size): (photos,)."""
    alike = _scaled(features) @ _scaled(stored).T
    nearest: Array = 1 - np.sort(alike, axis=1)[:, -NEIGHBOUR]
    return nearest


def layer(keras: Any, features: Any, stored: Array) -> Any:
    """The distance of ``features``, a tensor (n, size) of a ``keras.Model``, from ``stored``: (n, 1)."""
    # Without a bias, by which reading_back tells it from the layers that a training goes on with.
    compared = keras.layers.Dense(len(stored), use_bias=False, name="familiar")
    alike = compared(keras.layers.UnitNormalization()(features))
    compared.set_weights([_scaled(stored).T])
    return 1 - keras.ops.top_k(alike, NEIGHBOUR)[0][:, -1:]


def unfamiliar_from(familiar: Array) -> float:
    """The distance that BORNE of the ``familiar`` plastic exceeds."""
    return max(round(float(np.quantile(familiar, 1 - BORNE)), 6), 1e-6)


def _scaled(features: Array) -> Array:
    scaled: Array = features / np.maximum(np.linalg.norm(features, axis=-1, keepdims=True), np.float32(1e-6))
    return scaled
