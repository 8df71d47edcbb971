"""A network's probabilities hold for the share of foreign objects in service, not for that of the training."""

import numpy as np
import pytest

from providers.base import LABELS
from providers.local_cnn.calibration import softmax
from providers.local_cnn.training import augmentation
from providers.local_cnn.training.hyperparameters import Hyperparameters
from providers.local_cnn.training.label_shift import learned_share, shifted
from providers.local_cnn.training.training_set import TOLD, Pictures

CUP, OTHER = (LABELS["waste_type"].index(label) for label in ("cup", "other"))


def photos(*types: int) -> Pictures:
    return Pictures([augmentation.uncut(b"")] * len(types), {"waste_type": np.array(types)}, ["shop"] * len(types))


def test_where_nothing_can_be_told_the_answer_is_the_share_in_service() -> None:
    learned = np.array([0.2, 0.2, 0.2, 0.3, 0.1])
    served = softmax(shifted(np.log(learned).astype(np.float32), before=0.4, after=0.25)[None], 1.0)[0]
    assert served[OTHER:].sum() == pytest.approx(0.25, abs=1e-5)
    assert served[:OTHER] == pytest.approx([0.25] * 3, abs=1e-5)
    assert served[OTHER] / served[OTHER + 1] == pytest.approx(3, abs=1e-3), "an empty slot moves along"
    assert len(served) == len(TOLD["waste_type"])


def test_going_on_from_a_network_undoes_the_shift_first() -> None:
    bias = np.array([0.1, -0.2, 0.3, 1.0, -2.0], np.float32)
    assert shifted(shifted(bias, 0.4, 0.25), 0.25, 0.4) == pytest.approx(bias, abs=1e-6)


def test_the_share_that_was_learned_counts_views_empty_slots_and_what_is_rehearsed() -> None:
    numbers = Hyperparameters(foreign=0.4, empty=0.05, rehearsal=0.5)
    assert learned_share(photos(CUP, OTHER), numbers) == pytest.approx(0.05 + 0.95 * 0.4)
    rehearsed = np.array([CUP, CUP, CUP, OTHER, -1])
    assert learned_share(photos(CUP, OTHER), numbers, rehearsed) == pytest.approx(0.5 * 0.43 + 0.5 * 0.25)


@pytest.mark.parametrize("types", [(CUP, CUP), (OTHER, OTHER)])
def test_photos_of_one_kind_tell_no_share(types: tuple[int, int]) -> None:
    assert learned_share(photos(*types), Hyperparameters()) is None
