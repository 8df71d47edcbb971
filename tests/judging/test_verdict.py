"""The verdict follows from the two predictions and the policy alone."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import LABELS, Prediction, Task
from triof.judging.verdict import Verdict, decide
from triof.settings.sections.policy import Policy


def prediction(task: Task, scores: Mapping[str, float], thresholds: Mapping[str, float] | None = None) -> Prediction:
    label = max(scores, key=scores.__getitem__)
    return Prediction(task, label, scores[label], scores, "test", "1", thresholds or {})


def waste_type(label: str, probability: float, **thresholds: float) -> Prediction:
    rest = (1 - probability) / 3
    scores = {name: probability if name == label else rest for name in LABELS["waste_type"]}
    return prediction("waste_type", scores, thresholds)


def cleanliness(clean: float, **thresholds: float) -> Prediction:
    return prediction("cleanliness", {"clean": clean, "dirty": 1 - clean}, thresholds)


@pytest.mark.parametrize(
    ("seen", "clean", "expected"),
    [
        (waste_type("bottle", 0.9), cleanliness(0.9), ("accept", "bottle", "sure")),
        (waste_type("bottle", 0.7), cleanliness(0.9), ("ask", None, "unsure_type")),
        (waste_type("bottle", 0.9), cleanliness(0.6), ("ask", "bottle", "unsure_cleanliness")),
        (waste_type("bottle", 0.9), cleanliness(0.1), ("refuse", "bottle", "dirty")),
        (waste_type("bottle", 0.5), cleanliness(0.1), ("refuse", None, "dirty")),
        (waste_type("other", 0.9), cleanliness(0.9), ("refuse", "other", "other")),
        (waste_type("other", 0.9), cleanliness(0.1), ("refuse", "other", "other")),
        (waste_type("other", 0.6), cleanliness(0.9), ("ask", None, "unsure_type")),
        (None, cleanliness(0.9), ("ask", None, "type_not_answered")),
        (None, cleanliness(0.1), ("refuse", None, "dirty")),
        (waste_type("cup", 0.9), None, ("ask", "cup", "cleanliness_not_answered")),
        (None, None, ("ask", None, "type_not_answered")),
        (waste_type("other", 0.9), None, ("refuse", "other", "other")),
    ],
)
def test_each_case(seen: Prediction | None, clean: Prediction | None, expected: tuple[str, str | None, str]) -> None:
    verdict = decide(seen, clean, Policy())
    assert (verdict.action, verdict.label, verdict.reason) == expected


def test_the_makers_threshold_holds_until_the_policy_overrules_it() -> None:
    seen = waste_type("bottle", 0.6, bottle=0.5)
    assert decide(seen, cleanliness(0.9), Policy()).action == "accept"
    assert decide(seen, cleanliness(0.9), Policy(thresholds={"bottle": 0.7})).action == "ask"


def test_a_low_threshold_hands_back_even_what_is_less_likely() -> None:
    assert decide(waste_type("cup", 0.9), cleanliness(0.6, dirty=0.3), Policy()).reason == "dirty"


scores_of_types = st.lists(st.floats(0.01, 1), min_size=4, max_size=4).map(
    lambda parts: dict(zip(LABELS["waste_type"], (part / sum(parts) for part in parts), strict=True))
)


@pytest.mark.slow
@given(scores_of_types, st.floats(0, 1), st.floats(0, 1))
def test_a_stricter_policy_never_accepts_more(scores: dict[str, float], clean: float, threshold: float) -> None:
    seen, state = prediction("waste_type", scores), cleanliness(clean)
    lenient = decide(seen, state, Policy(default_threshold=threshold))
    strict = decide(seen, state, Policy(default_threshold=min(1.0, threshold + 0.1)))
    if lenient.action == "ask":
        assert strict.action != "accept"


@pytest.mark.parametrize("of", ["waste_type", "cleanliness"])
def test_what_is_unfamiliar_to_either_model_is_never_accepted(of: str) -> None:
    def seen(label: str = "bottle", probability: float = 0.99, clean: float = 0.99, distance: float = 1.0) -> Verdict:
        answers = {"waste_type": waste_type(label, probability), "cleanliness": cleanliness(clean)}
        answers[of] = replace(answers[of], unfamiliarity=distance)
        return decide(answers["waste_type"], answers["cleanliness"], Policy())

    assert seen() == seen(clean=0.6) == seen(probability=0.5) == Verdict("ask", None, "unfamiliar")
    assert seen(distance=0.99).action == "accept"
    assert (seen("other").reason, seen(clean=0.01).reason) == ("other", "dirty")


def test_doubt_is_about_what_the_machine_is_sure_of() -> None:
    sure = decide(waste_type("bottle", 0.9), cleanliness(0.9), Policy())
    unsure = decide(waste_type("bottle", 0.5), cleanliness(0.9), Policy())
    assert sure.doubts("cup")
    assert not sure.doubts("bottle")
    assert not unsure.doubts("cup")
