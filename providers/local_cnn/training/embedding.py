"""The embedding of a photo: a few numbers by which a machine can compare photos over years.

The features below the head are projected onto their first principal components over the reference photos and scaled,
so that over those photos each number has mean 0 and standard deviation 1 and they are uncorrelated. A change of the
machine's photos shifts their means.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

SIZE = 16
_LEAST_STRENGTH = 1e-3
"""Smallest variance of a component relative to the first, as a handful of photos have fewer than SIZE components."""


def layer(keras: Any, features: Any, seen: Array) -> Any:
    """Return the embedding of ``features``, a tensor (n, size) of a ``keras.Model``: (n, SIZE).

    ``seen`` (photos, size) are the features of the reference photos.
    """
    projection = keras.layers.Dense(SIZE, name="embedding")
    output = projection(features)
    projection.set_weights(list(_components(seen)))
    return output


def _components(features: Array) -> tuple[Array, Array]:
    """Return kernel (features, SIZE) and bias (SIZE,) of the whitening projection."""
    mean = features.mean(axis=0)
    _, strengths, directions = np.linalg.svd(features - mean, full_matrices=False)
    kept = min(SIZE, int((strengths > _LEAST_STRENGTH * strengths[0]).sum()))
    deviations = strengths[:kept] / np.sqrt(len(features))
    kernel = np.zeros((features.shape[1], SIZE), np.float32)
    kernel[:, :kept] = (directions[:kept] / deviations[:, None]).T
    return kernel, (-mean @ kernel).astype(np.float32)
