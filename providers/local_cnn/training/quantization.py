"""Converts a trained network to 8-bit integers, with float32 inputs and outputs.

On processors with integer dot products (AVX-VNNI, AVX-512 VNNI, Arm's dot product) it may take less than half the time,
on others about the same; :mod:`providers.local_cnn.precision` chooses the network.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from providers import native_lines


def quantized(converter: Any, inputs: Iterable[NDArray[np.float32]]) -> bytes:
    """Return the LiteRT model of a ``tf.lite.TFLiteConverter``, with 8-bit weights and activations.

    ``inputs`` is an array (n, side, side, 3), or an iterable of (side, side, 3), in the input range of the network; the
    ranges of the activations are measured on them, for which a hundred training photos suffice. It is iterated once.
    Raises ValueError if it is empty, and for a network with an operation that does not support 8-bit integers.
    """
    import tensorflow as tf

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        photo = None
        for photo in inputs:
            yield [np.asarray(photo, np.float32)[None]]
        if photo is None:
            raise ValueError("No photos were given to take the ranges of an 8-bit network from.")

    # Conversion through a saved model keeps small weights in variables, which the calibration cannot read.
    converter.experimental_lower_to_saved_model = False
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with native_lines.kept_back():
        return bytes(converter.convert())
