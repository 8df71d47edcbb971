"""Recorded predictions of the cloud: an append-only file for each iteration, one line a photo.

Written by ``triof azure evaluate``; exported models are compared with them photo by photo.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from triof.common.atomic_files import append_line

_FOLDER = "azure/answers"


class RecordedPrediction(NamedTuple):
    """The cloud's prediction for one photo."""

    path: Path
    """Absolute path; the photo may have been moved or changed since."""
    sha256: str
    """Hexadecimal digest of the file."""
    scores: Mapping[str, float]
    """The probability of each label."""


def iterations(home: Path) -> list[str]:
    """Return the recorded iterations, latest last."""
    files = sorted((home / _FOLDER).glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    return [path.stem for path in files]


def read(home: Path, iteration: str) -> list[RecordedPrediction]:
    """Return the latest record of each photo. Lines damaged by a power cut are skipped. Raises OSError."""
    try:
        lines = _path(home, iteration).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return list({answer.sha256: answer for answer in _answers(lines)}.values())


def add(home: Path, iteration: str, answer: RecordedPrediction) -> None:
    """Append a record durably. Raises OSError."""
    line = {"path": str(answer.path.absolute()), "sha256": answer.sha256, "scores": dict(answer.scores)}
    append_line(_path(home, iteration), json.dumps(line).encode())


def _answers(lines: list[bytes]) -> Iterator[RecordedPrediction]:
    for line in lines:
        try:
            kept = json.loads(line)
            scores = {str(label): float(score) for label, score in kept["scores"].items()}
            yield RecordedPrediction(Path(kept["path"]), str(kept["sha256"]), scores)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue


def _path(home: Path, iteration: str) -> Path:
    name = iteration.strip().lower()
    if not name or name.startswith(".") or set(name) & set("/\\:"):
        raise ValueError(f"{iteration!r} is no id of an iteration")
    return home / _FOLDER / f"{name}.jsonl"
