"""Conversion of a network to 8 bits; skipped where TensorFlow is missing."""

from typing import Any

import numpy as np
import pytest

from providers.local_cnn import litert
from providers.local_cnn.runtime import Extractor
from providers.local_cnn.training import quantization, trainer

SIDE = 16

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def network() -> Any:
    """A small ``keras.Model`` whose two logits tell where a photo is red and where it is green."""
    import keras

    keras.utils.set_random_seed(0)
    photo = keras.Input((SIDE, SIDE, 3))
    kept = keras.layers.Conv2D(8, 1, activation="relu", name="kept")(photo)
    answer = keras.layers.Dense(2, name="head")(keras.layers.GlobalAveragePooling2D()(kept))
    model = keras.Model(photo, answer)
    model.get_layer("kept").set_weights([np.eye(3, 8, dtype=np.float32)[None, None], np.zeros(8, np.float32)])
    model.get_layer("head").set_weights([np.eye(8, 2, dtype=np.float32), np.zeros(2, np.float32)])
    return model


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    """Some of each colour, (12, SIDE, SIDE, 3)."""
    colours = np.random.default_rng(0).uniform(0, 1, (12, 1, 1, 3))
    return np.broadcast_to(colours, (12, SIDE, SIDE, 3)).astype(np.float32)


def test_an_8_bit_network_answers_in_float_about_as_the_one_it_was_made_of(network: Any, photos: np.ndarray) -> None:
    made = quantization.quantized(trainer.converter(network, SIDE), photos)
    interpreter = litert.interpreter(made, 1)
    details = (*interpreter.get_input_details(), *interpreter.get_output_details())
    assert [tuple(each["shape"]) for each in details] == [(1, SIDE, SIDE, 3), (1, 2)]
    assert {each["dtype"] for each in details} == {np.float32}
    assert np.int8 in {tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    rounded = Extractor(made)
    for photo, answer in zip(photos, np.asarray(network(photos)), strict=True):
        assert rounded(photo)[0] == pytest.approx(answer, abs=0.02)


def test_the_inputs_may_come_one_at_a_time(network: Any, photos: np.ndarray) -> None:
    of_array = quantization.quantized(trainer.converter(network, SIDE), photos)
    one_by_one = quantization.quantized(trainer.converter(network, SIDE), (photo for photo in photos))
    assert Extractor(one_by_one)(photos[0])[0] == pytest.approx(Extractor(of_array)(photos[0])[0])


def test_without_inputs_it_is_refused(network: Any, photos: np.ndarray) -> None:
    with pytest.raises(ValueError, match="No photos were given"):
        quantization.quantized(trainer.converter(network, SIDE), photos[:0])
