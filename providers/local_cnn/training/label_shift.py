"""Adapts probabilities to another share of foreign objects than in training (Saerens et al. 2002, label shift).

Training shows more foreign objects than occur in service, as they are more diverse. The network would expect as many
in service and return plastic items; a change of its bias corrects that.
"""

import math

import numpy as np
from numpy.typing import NDArray

from providers.base import LABELS
from providers.local_cnn.training import training_set
from providers.local_cnn.training.hyperparameters import Hyperparameters
from providers.local_cnn.training.training_set import Classes, Pictures

_FIRST_OTHER = LABELS["waste_type"].index("other")
"""Index from which the labels are not plastic: other, and an empty slot."""


def learned_share(photos: Pictures, hyperparameters: Hyperparameters, rehearsed: Classes | None = None) -> float | None:
    """Return the share of views without plastic, with the ``rehearsed`` (n,); None if all photos are of one kind."""
    foreign = training_set.are_foreign(photos)
    if not foreign.any() or foreign.all():
        return None
    views = hyperparameters.empty + (1 - hyperparameters.empty) * hyperparameters.foreign
    if rehearsed is None or not len(known := rehearsed[rehearsed != training_set.UNKNOWN]):
        return views
    repeated = float((known >= _FIRST_OTHER).mean())
    return (1 - hyperparameters.rehearsal) * views + hyperparameters.rehearsal * repeated


def shifted(bias: NDArray[np.float32], before: float, after: float) -> NDArray[np.float32]:
    """Return the waste type bias (labels,) for the share ``after`` of foreign objects instead of ``before``."""
    moved = bias.copy()
    moved[_FIRST_OTHER:] += math.log(after / (1 - after)) - math.log(before / (1 - before))
    return moved
