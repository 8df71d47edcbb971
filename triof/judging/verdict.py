"""Derives the verdict from the two predictions and the policy; a pure function."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from providers.base import Prediction
from triof.machine.empty_slot.comparison import State
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
    "reaches_out",
    "other",
    "dirty",
]
Source = Literal["policy", "model", "default"]


@dataclass(frozen=True)
class Verdict:
    """What the machine does with an item, and the reasons.

    ``label`` is the label that the machine accepts, None if it accepts none: ``accept`` preselects it;
    ``ask`` lets the employee choose without a preselection; ``refuse`` opens the slot again.
    """

    action: Action
    label: str | None
    reason: Reason

    def doubts(self, chosen: str) -> bool:
        """Return whether the employee chose another type than the one the machine accepts."""
        return self.label is not None and chosen != self.label


def by_picture(state: State) -> Verdict | None:
    """Return the verdict that follows from the comparison with the empty slot alone; None if models have to answer."""
    match state:
        case "empty":
            return Verdict("refuse", None, "nothing_seen")
        case "reaches_out":
            return Verdict("refuse", None, "reaches_out")
        case _:
            return None


def decide(waste_type: Prediction | None, cleanliness: Prediction | None, policy: Policy) -> Verdict:
    """Return the verdict on one item; None means that no provider answered.

    If either model finds the photo unfamiliar, no answer lets the item in: an item that is surely foreign or dirty is
    still returned, and the employee is asked about all others without a preselection.
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
    """Return the probability from which ``label`` is accepted, and the source of this threshold."""
    by_policy = cast(Mapping[str, float], policy.thresholds)
    if label in by_policy:
        return by_policy[label], "policy"
    if label in prediction.thresholds:
        return prediction.thresholds[label], "model"
    return policy.default_threshold, "default"


def _believed(prediction: Prediction, label: str, policy: Policy) -> bool:
    return prediction.scores[label] >= threshold(prediction, label, policy)[0]
