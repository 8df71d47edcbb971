"""Predictions to verdict: a pure function of the two predictions and the policy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from providers.base import Prediction
from triof.settings.sections.policy import Policy

Action = Literal["accept", "ask", "refuse"]
Reason = Literal[
    "sure",
    "unsure_type",
    "unsure_cleanliness",
    "type_not_answered",
    "cleanliness_not_answered",
    "unfamiliar",
    "nothing_seen",
    "other",
    "dirty",
]
Source = Literal["policy", "model", "default"]


@dataclass(frozen=True)
class Verdict:
    """What the machine does with an item, and why.

    ``label`` is what the machine is sure to see, None where it is not sure or sees nothing: ``accept`` ticks it;
    ``ask`` lets the person choose with nothing ticked; ``refuse`` opens the slot again.
    """

    action: Action
    label: str | None
    reason: Reason

    def doubts(self, chosen: str) -> bool:
        """Whether the person chose another type than the one the machine is sure of."""
        return self.label is not None and chosen != self.label


def decide(waste_type: Prediction | None, cleanliness: Prediction | None, policy: Policy) -> Verdict:
    """The verdict on one item; None stands for a question that no provider answered.

    Of a photo that is unfamiliar to either model no answer counts that would let the item in: what is sure to be
    foreign or dirty is handed back all the same, and all else is asked about with nothing ticked.
    """
    label = waste_type.label if waste_type and _believed(waste_type, waste_type.label, policy) else None
    if waste_type and _believed(waste_type, "other", policy):
        if waste_type.nothing > waste_type.scores["other"] / 2:
            return Verdict("refuse", None, "nothing_seen")
        return Verdict("refuse", "other", "other")
    if cleanliness and _believed(cleanliness, "dirty", policy):
        return Verdict("refuse", label, "dirty")
    if not waste_type:
        return Verdict("ask", None, "type_not_answered")
    if waste_type.is_unfamiliar or (cleanliness and cleanliness.is_unfamiliar):
        return Verdict("ask", None, "unfamiliar")
    if label is None:
        return Verdict("ask", None, "unsure_type")
    if not cleanliness:
        return Verdict("ask", label, "cleanliness_not_answered")
    if not _believed(cleanliness, "clean", policy):
        return Verdict("ask", label, "unsure_cleanliness")
    return Verdict("accept", label, "sure")


def threshold(prediction: Prediction, label: str, policy: Policy) -> tuple[float, Source]:
    """From which probability ``label`` is believed, and who says so."""
    by_policy = cast(Mapping[str, float], policy.thresholds)
    if label in by_policy:
        return by_policy[label], "policy"
    if label in prediction.thresholds:
        return prediction.thresholds[label], "model"
    return policy.default_threshold, "default"


def _believed(prediction: Prediction, label: str, policy: Policy) -> bool:
    return prediction.scores[label] >= threshold(prediction, label, policy)[0]
