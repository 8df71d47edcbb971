"""Reads from a bundle's card whether its training improved on the previous bundle."""

from collections.abc import Mapping

from providers.local_cnn.bundle import BundleCard
from triof.common.errors import TriofError

KEY = "learned_more"
"""Key in a card's metrics, written by :meth:`triof.evaluation.training_comparison.LearnedMore.on`."""


class NotBetter(TriofError):
    """The bundle's training did not improve it, so it is not activated; the message says why."""


def check(card: BundleCard) -> None:
    """Raise NotBetter if the card says that the training did not improve the bundle."""
    found = card.metrics.get(KEY)
    if isinstance(found, Mapping) and found.get("result") != "better":
        raise NotBetter(
            f"{card.version} is not put into service: {found.get('said', '')} To have it nevertheless:"
            f" `triof bundles activate {card.version} --anyway`."
        )
