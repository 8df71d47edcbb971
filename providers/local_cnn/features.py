"""What ImageNet's frozen backbone sees in a photo: numbers that have learned nothing of our labels.

Labels can therefore be judged on them: a network that has learned a wrong label would find it right. Needs no
TensorFlow; the model is written by tools/frozen_backbone.py.
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
"""EfficientNet-Lite0 without its last layer, in 16 bits."""


class FrozenBackbone:
    """Features of one photo after the other, in one thread; about 12 ms each on one core."""

    def __init__(self) -> None:
        """Raises ProviderMisconfigured when the model is missing or damaged."""
        try:
            self._model = MODEL_FILE.read_bytes()
            _, (output,) = shapes(self._model)
        except (OSError, ValueError) as error:
            raise ProviderMisconfigured(f"{MODEL_FILE} cannot be read ({error}): reinstall Triof.") from error
        self.version = hashlib.sha256(self._model).hexdigest()[:8]
        """Changes with the model, so that features of two models are never mixed."""
        self.needed_side = backbone.LITE0.side
        self.size = output[1]
        """How many features a photo has."""

    def __call__(self, photo: Photo) -> Features:
        """Averages over the photo at four depths: (size,)."""
        (features,) = self._extractor(backbone.scaled(photo.resized(self.needed_side, self.needed_side)))
        return features

    @cached_property
    def _extractor(self) -> Extractor:
        # Not before a photo comes that nobody has seen: it takes a tenth of a second.
        return Extractor(self._model)
