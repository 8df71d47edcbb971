"""Reads from a bundle's card whether its training made it better than the bundle that it went on from."""

from collections.abc import Mapping

from providers.local_cnn.bundle import BundleCard
from triof.common.errors import TriofError

KEY = "learned_more"
"""Under which a card's metrics hold what :meth:`triof.evaluation.training_comparison.LearnedMore.on` writes."""


class NotBetter(TriofError):
    """A bundle that its own training did not find better may not be put into service; the message says why."""


def check(card: BundleCard) -> None:
    """Raises NotBetter for a bundle whose card says that its training did not make it better."""
    found = card.metrics.get(KEY)
    if isinstance(found, Mapping) and found.get("result") != "better":
        raise NotBetter(
            f"{card.version} is not put into service: {found.get('said', '')} To have it nevertheless:"
            f" `triof bundles activate {card.version} --anyway`."
        )
