"""The stored result for one photo of the API: a prediction, or a problem.

An outcome is plain JSON, so that it can be stored, and has the fields of every version of the API, which select
from it (``triof/web/api/models.py``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from providers.base import TASKS, Attempt, Task
from triof.judging.photo import PhotoError
from triof.judging.sorter import Judgement, Sorter

Outcome = dict[str, Any]
"""Either ``{"prediction": …}`` or ``{"problem": {"code", "detail", …}}``."""

_PASSING = {"no_provider_answered", "not_begun", "busy"}


def ask(sorter: Sorter, image: bytes, id_: UUID) -> Outcome:
    """Judge ``image`` and return the outcome; nothing is journaled, as there is no deposit."""
    try:
        judgement = sorter.judge(image)
    except PhotoError as error:
        return refusal(error.code, str(error))
    attempts = {task: _attempts(judgement, task) for task in TASKS}
    if not judgement.predictions:
        detail = "No provider answered, neither what it is nor whether it is clean: ask again later."
        return refusal("no_provider_answered", detail, attempts=attempts)
    return {
        "prediction": {
            "id": str(id_),
            **{task: _prediction(judgement, task) for task in TASKS},
            "verdict": asdict(judgement.verdict),
            "attempts": attempts,
            "duration": round(judgement.duration, 4),
        }
    }


def refusal(code: str, detail: str, **more: Any) -> Outcome:
    """Return the outcome of a photo without a prediction."""
    return {"problem": {"code": code, "detail": detail, **more}}


def is_final(outcome: Outcome) -> bool:
    """Return whether the same request would have the same outcome; for a batch, whether any of its photos would.

    Another provider may answer a moment later, so a missing answer is not final.
    """
    codes = {item.get("problem", {}).get("code") for item in outcome.get("items", [outcome])}
    return bool(codes - _PASSING)


def _prediction(judgement: Judgement, task: Task) -> Mapping[str, Any] | None:
    prediction = judgement.predictions.get(task)
    if not prediction:
        return None
    return {
        "label": prediction.label,
        "probability": _rounded(prediction.probability),
        "scores": {label: _rounded(probability) for label, probability in prediction.scores.items()},
        "provider": prediction.provider,
        "model_version": prediction.model_version,
    }


def _attempts(judgement: Judgement, task: Task) -> Sequence[Mapping[str, Any]]:
    answered = judgement.predictions.get(task)
    attempts: Sequence[Attempt] = answered.attempts if answered else judgement.unanswered[task].attempts
    return [
        {
            "provider": attempt.provider,
            "outcome": attempt.outcome,
            "duration": round(attempt.duration, 4),
            "message": attempt.message,
        }
        for attempt in attempts
    ]


def _rounded(probability: float) -> float:
    return round(probability, 6)
