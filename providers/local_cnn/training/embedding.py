"""What a network sees in a photo, in a few numbers that a machine can keep and compare for years.

The features below the head are projected onto their first principal components over the photos on which the model was
chosen, and scaled: over those each number has mean 0 and standard deviation 1, and no two go together. A change of what
the machine sees moves their means.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

SIZE = 16
_LEAST_STRENGTH = 1e-3
"""Of a component, beside the first one: a handful of photos have fewer than SIZE, and the rest is rounding."""


def layer(keras: Any, features: Any, seen: Array) -> Any:
    """The embedding of ``features``, a tensor (n, size) of a ``keras.Model``: (n, SIZE).

    ``seen`` (photos, size) are the features of its reference.
    """
    projection = keras.layers.Dense(SIZE, name="embedding")
    output = projection(features)
    projection.set_weights(list(_components(seen)))
    return output


def _components(features: Array) -> tuple[Array, Array]:
    """Kernel (features, SIZE) and bias (SIZE,) of the whitening projection."""
    mean = features.mean(axis=0)
    _, strengths, directions = np.linalg.svd(features - mean, full_matrices=False)
    kept = min(SIZE, int((strengths > _LEAST_STRENGTH * strengths[0]).sum()))
    deviations = strengths[:kept] / np.sqrt(len(features))
    kernel = np.zeros((features.shape[1], SIZE), np.float32)
    kernel[:, :kept] = (directions[:kept] / deviations[:, None]).T
    return kernel, (-mean @ kernel).astype(np.float32)
