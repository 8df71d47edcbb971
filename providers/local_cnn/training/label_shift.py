"""Probabilities for another share of foreign objects than a network learned from (Saerens et al. 2002, label shift).

A training shows more foreign objects than people put into a machine, as they are more different from each other. The
network takes them for as frequent as it saw them, and sends plastic back; a change of its bias mends that.
"""

import math

import numpy as np
from numpy.typing import NDArray

from providers.base import LABELS
from providers.local_cnn.training import training_set
from providers.local_cnn.training.hyperparameters import Hyperparameters
from providers.local_cnn.training.training_set import Classes, Pictures

_FIRST_OTHER = LABELS["waste_type"].index("other")
"""The labels from here on are no plastic: other, and an empty slot."""


def learned_share(photos: Pictures, hyperparameters: Hyperparameters, rehearsed: Classes | None = None) -> float | None:
    """Share of the views that show no plastic, with those ``rehearsed`` (n,); None where the photos show one kind."""
    foreign = training_set.are_foreign(photos)
    if not foreign.any() or foreign.all():
        return None
    views = hyperparameters.empty + (1 - hyperparameters.empty) * hyperparameters.foreign
    if rehearsed is None or not len(known := rehearsed[rehearsed != training_set.UNKNOWN]):
        return views
    repeated = float((known >= _FIRST_OTHER).mean())
    return (1 - hyperparameters.rehearsal) * views + hyperparameters.rehearsal * repeated


def shifted(bias: NDArray[np.float32], before: float, after: float) -> NDArray[np.float32]:
    """The bias (labels,) of the waste type for a share ``after`` of foreign objects, instead of ``before``."""
    moved = bias.copy()
    moved[_FIRST_OTHER:] += math.log(after / (1 - after)) - math.log(before / (1 - before))
    return moved
