"""What the choosing page shows: the question, a tile for each type, and a fall-back."""

from typing import Any, NamedTuple

from flask_babel import LazyString

from triof.deposits.visit import Deposit
from triof.web import texts


class Label(NamedTuple):
    """A label as displayed; ``probability`` from 0 to 1."""

    label: str
    name: Any
    probability: float | None
    ticked: bool = False


class TypeMismatch(NamedTuple):
    """The employee chose one type, the machine is sure of another."""

    chosen_label: str
    chosen_name: Any
    seen_label: str
    seen_name: Any
    seen_probability: float


def fall_back(deposit: Deposit) -> LazyString | None:
    """Return the sentence about a fall-back, or None where it is no fault: in other modes than cloud."""
    judgement = deposit.judgement
    if not judgement or judgement.mode != "cloud" or not (waste_type := judgement.predictions.get("waste_type")):
        return None
    return texts.fall_back(waste_type)


def choosing(deposit: Deposit, types: list[str]) -> dict[str, Any]:
    """Return the template values of the choosing page."""
    assert deposit.judgement  # a deposit at CHOOSING has been judged
    verdict, predictions = deposit.judgement.verdict, deposit.judgement.predictions
    waste_type, cleanliness = predictions.get("waste_type"), predictions.get("cleanliness")
    if verdict.reason == "unfamiliar":
        # For an unfamiliar item neither type nor cleanliness is known.
        waste_type = cleanliness = None
    doubt = None
    if verdict.label and waste_type and deposit.chosen and verdict.doubts(deposit.chosen):
        chosen, seen = deposit.chosen, verdict.label
        doubt = TypeMismatch(chosen, texts.NAMES[chosen], seen, texts.NAMES[seen], waste_type.scores[seen])
    return {
        "verdict": verdict,
        "headline": texts.headline(verdict.action, verdict.reason, verdict.label),
        "tiles": [
            Label(
                label,
                texts.NAMES[label],
                waste_type.scores[label] if waste_type else None,
                ticked=verdict.action == "accept" and label == verdict.label,
            )
            for label in types
        ]
        + [Label("other", texts.NAMES["none"], waste_type.scores["other"] if waste_type else None)],
        "please_choose": texts.PLEASE_CHOOSE,
        "is_choice_missing": deposit.problem == "not_chosen",
        "asks_cleanliness": deposit.asks_cleanliness,
        "cleanliness": Label(cleanliness.label, texts.NAMES[cleanliness.label], cleanliness.probability)
        if cleanliness
        else None,
        "doubt": doubt,
    }
