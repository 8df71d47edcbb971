"""What the choosing page shows: the question, a tile for each type, and who judged."""

from typing import Any, NamedTuple

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


def judged_by(deposit: Deposit) -> dict[str, Any]:
    """Return which provider answered, and whether that is a fault."""
    waste_type = deposit.judgement.predictions.get("waste_type") if deposit.judgement else None
    if not deposit.judgement or not waste_type:
        return {"answered_by": None, "fault": False}
    answered_by, fell_back = texts.answered_by(waste_type)
    # In mode cloud a fall-back is a fault and must be visible on the screen.
    return {"answered_by": answered_by, "fault": fell_back and deposit.judgement.mode == "cloud"}


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
