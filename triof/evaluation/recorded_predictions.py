"""The cloud's recorded answers: one file for each iteration, a line for each photo, added to and never rewritten.

``triof azure evaluate`` writes them; a model that was exported is measured by them, photo by photo.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from triof.common.atomic_files import append_line

_FOLDER = "azure/answers"


class RecordedPrediction(NamedTuple):
    """What the cloud said of one photo."""

    path: Path
    """Absolute; the photo may have moved or changed since."""
    sha256: str
    """Of the bytes of the file, in hexadecimal."""
    scores: Mapping[str, float]
    """A probability for each of our labels."""


def iterations(home: Path) -> list[str]:
    """Of which iterations there are answers, the one answered last at the end."""
    files = sorted((home / _FOLDER).glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    return [path.stem for path in files]


def read(home: Path, iteration: str) -> list[RecordedPrediction]:
    """The latest answer about each photo. A line that a power cut has spoilt is skipped. Raises OSError."""
    try:
        lines = _path(home, iteration).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return list({answer.sha256: answer for answer in _answers(lines)}.values())


def add(home: Path, iteration: str, answer: RecordedPrediction) -> None:
    """Add one answer; on return it is on the disk. Raises OSError."""
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
