"""Keeps the answers of a compared provider by the content of the photo, so that a comparison can be interrupted.

A file for each provider as it is set up, in ``home/comparison``, and a line for each photo.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from providers.base import TASKS, Prediction, Task
from triof.common.atomic_files import append_line

FOLDER = "comparison"
_KEPT = ("label", "probability", "scores", "provider", "model_version", "thresholds", "unfamiliarity", "nothing")


class TimedAnswer(NamedTuple):
    """An answer and the seconds that it took."""

    prediction: Prediction
    seconds: float


Answers = Mapping[Task, TimedAnswer]
"""The answers about one photo."""


class KeptAnswers:
    """The answers of one provider; ``fingerprint`` differs where its settings or its model do."""

    def __init__(self, home: Path, name: str, fingerprint: str) -> None:
        self._path = home / FOLDER / f"{re.sub(r'[^a-z0-9_]+', '-', name.lower())}-{fingerprint[:16]}.jsonl"
        self._answers: dict[str, Answers] = {}

    def read(self) -> None:
        """Read what an earlier comparison has kept. Lines damaged by a power cut are skipped. Raises OSError."""
        lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        for line in lines:
            try:
                kept = json.loads(line)
                self._answers[str(kept["sha256"])] = {task: _answer(task, kept[task]) for task in TASKS if task in kept}
            except (ValueError, TypeError, KeyError, RecursionError):
                continue

    def of(self, sha256: str) -> Answers | None:
        """Return the answers about the photo whose file has this digest; None if it was not asked about."""
        return self._answers.get(sha256)

    def add(self, sha256: str, answers: Answers) -> None:
        """Keep the answers durably. Raises OSError."""
        self._answers[sha256] = answers
        line: dict[str, Any] = {"sha256": sha256, **{task: _row(answer) for task, answer in answers.items()}}
        append_line(self._path, json.dumps(line).encode())


def _row(answer: TimedAnswer) -> dict[str, Any]:
    kept = {name: getattr(answer.prediction, name) for name in _KEPT}
    return {**kept, "scores": dict(kept["scores"]), "thresholds": dict(kept["thresholds"]), "seconds": answer.seconds}


def _answer(task: Task, row: Mapping[str, Any]) -> TimedAnswer:
    return TimedAnswer(Prediction(task=task, **{name: row[name] for name in _KEPT}), float(row["seconds"]))
