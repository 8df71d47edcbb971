"""A network tells how far a photo lies from what it has learned."""

import importlib
import importlib.util

import numpy as np
import pytest

from providers.local_cnn.training import familiarity


@pytest.mark.train
def test_the_network_works_the_distance_out_itself() -> None:
    keras = importlib.import_module("keras")
    rng = np.random.default_rng(1)
    features, stored = (rng.random((count, 32), np.float32) for count in (8, 12))
    given = keras.Input((32,))
    model = keras.Model(given, familiarity.layer(keras, given, stored))
    told = np.asarray(model(features))[:, 0]
    assert told == pytest.approx(familiarity.distances(features, stored), abs=1e-5)


def test_the_distance_is_that_of_the_fifth_nearest() -> None:
    stored = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    assert familiarity.distances(np.array([[2, 0], [0, 3], [-1, 0]], np.float32), stored) == pytest.approx([1, 1, 2])
    assert familiarity.distances(np.array([[5, 0]], np.float32), np.vstack([stored, stored])) == pytest.approx([0])


def test_one_in_twenty_of_the_familiar_plastic_is_unfamiliar() -> None:
    assert familiarity.unfamiliar_from(np.linspace(0, 1, 101, dtype=np.float32)) == pytest.approx(0.95)
    assert familiarity.unfamiliar_from(np.zeros(9, np.float32)) > 0


def test_kinds_are_drawn_in_turn() -> None:
    kinds = ["often"] * 50 + ["rare"] * 3
    chosen = familiarity.evenly(kinds, 8)
    assert [kinds[position] for position in chosen].count("rare") == 3
    assert chosen == sorted(set(chosen))
    assert len(familiarity.evenly(kinds, 100)) == 53
