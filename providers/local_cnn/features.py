"""Features of photos by the frozen ImageNet backbone, which are independent of our labels.

They can therefore reveal wrong labels, which a network trained on these labels would confirm. Needs no TensorFlow;
tools/frozen_backbone.py writes the model.
"""

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from providers.base import Photo, ProviderMisconfigured
from providers.local_cnn import backbone
from providers.local_cnn.runtime import Extractor, shapes

Features = NDArray[np.float32]

MODEL_FILE = Path(__file__).parent / "backbone.tflite"
"""EfficientNet-Lite0 without its last layer, with 16-bit weights."""


class FrozenBackbone:
    """Computes features of photos, in one thread; about 12 ms each on one core."""

    def __init__(self) -> None:
        """Load the model. Raises ProviderMisconfigured if it is missing or damaged."""
        try:
            self._model = MODEL_FILE.read_bytes()
            _, (output,) = shapes(self._model)
        except (OSError, ValueError) as error:
            raise ProviderMisconfigured(f"{MODEL_FILE} cannot be read ({error}): reinstall Triof.") from error
        self.version = hashlib.sha256(self._model).hexdigest()[:8]
        """Identifier of the model, so that features of different models are never mixed."""
        self.needed_side = backbone.LITE0.side
        self.size = output[1]
        """Number of features of a photo."""

    def __call__(self, photo: Photo) -> Features:
        """Return averages over the photo at four depths: (size,)."""
        (features,) = self._extractor(backbone.scaled(photo.resized(self.needed_side, self.needed_side)))
        return features

    @cached_property
    def _extractor(self) -> Extractor:
        # Loaded on the first photo that is not cached, as it takes a tenth of a second.
        return Extractor(self._model)
