"""Conversion of a trained network to one that computes in 8-bit integers, with float32 inputs and outputs.

On processors with integer dot products (AVX-VNNI, AVX-512 VNNI, Arm's dot product) such a network may take less than
half the time, on others about the same; :mod:`providers.local_cnn.precision` decides which one answers.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from providers import native_lines


def quantized(converter: Any, inputs: Iterable[NDArray[np.float32]]) -> bytes:
    """The LiteRT model of a ``tf.lite.TFLiteConverter``, with weights and activations of 8 bits.

    ``inputs`` is an array (n, side, side, 3), or anything else that gives (side, side, 3) at a time, in the range that
    the network reads; the range of each activation is taken from them, and a hundred photos of the training are enough.
    They are gone through once. Raises ValueError where there are none, and for a network with an operation that knows
    no 8-bit integers.
    """
    import tensorflow as tf

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        photo = None
        for photo in inputs:
            yield [np.asarray(photo, np.float32)[None]]
        if photo is None:
            raise ValueError("No photos were given to take the ranges of an 8-bit network from.")

    # By way of a saved model, small networks keep their weights in variables, which the calibration cannot read.
    converter.experimental_lower_to_saved_model = False
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with native_lines.kept_back():
        return bytes(converter.convert())
