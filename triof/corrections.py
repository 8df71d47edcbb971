"""What people found out about the labels of a data set, beside it: the photos and their manifest stay as they came.

A CSV file with the columns ``path,task,was,now,why,at``, one line for each time that somebody looked. A line whose
``now`` is what it ``was`` confirms the label; an empty ``now`` leaves the photo out of the task. Of several lines for
one photo and task the last one holds; one whose ``why`` is ``undone`` takes the one before it back.
"""

import csv
import os
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from providers.base import LABELS, Task
from triof import datasets
from triof.datasets import Dataset, DatasetError, LabelledPhoto


@dataclass(frozen=True)
class Correction:
    """Somebody looked at the photo ``path`` (as the data set names it) and said ``now`` of the label it ``was``."""

    path: str
    task: Task
    was: str
    now: str
    why: str = ""
    at: str = ""
    """ISO 8601, filled in when it is written."""


UNDONE = "undone"

Corrections = Mapping[tuple[str, Task], Correction]
"""The last word on each photo and task."""

_COLUMNS = tuple(field.name for field in fields(Correction))


def read(path: Path) -> Corrections:
    """The corrections in the file; none where there is no file yet. Raises DatasetError."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if missing := sorted(set(_COLUMNS) - set(rows.fieldnames or ())):
                raise DatasetError(f"{path} is no file of corrections: it lacks the columns {', '.join(missing)}.")
            found = [_checked(path, rows.line_num, row) for row in rows]
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as CSV in UTF-8 ({error}).") from error
    words: dict[tuple[str, Task], list[Correction]] = {}
    for correction in found:
        said = words.setdefault((correction.path, correction.task), [])
        if correction.why != UNDONE:
            said.append(correction)
        elif said:
            said.pop()
    return {key: said[-1] for key, said in words.items() if said}


def mended(source: Path, corrected: Path | None) -> Dataset:
    """The data set at ``source`` with the corrections of a file, if one is named. Raises DatasetError."""
    dataset = datasets.read(source)
    if not corrected:
        return dataset
    if not corrected.is_file():
        raise DatasetError(f"There are no corrections in {corrected}: name the file that `triof dataset label` wrote.")
    return applied(dataset, read(corrected))


def add(path: Path, correction: Correction) -> None:
    """Append one; on return it is on the disk. Raises OSError."""
    text = StringIO()
    rows = csv.writer(text, lineterminator="\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if not file.tell():
            rows.writerow(_COLUMNS)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        rows.writerow(astuple(replace(correction, at=correction.at or now)))
        file.write(text.getvalue().encode())
        file.flush()
        os.fsync(file.fileno())


def applied(dataset: Dataset, corrections: Corrections) -> Dataset:
    """The data set with the corrected labels. One whose ``was`` is not the label any more is left alone."""
    return replace(dataset, photos=tuple(_corrected(item, dataset.name(item), corrections) for item in dataset.photos))


def _corrected(item: LabelledPhoto, name: str, corrections: Corrections) -> LabelledPhoto:
    labels = dict(item.labels)
    for task in LABELS:
        correction = corrections.get((name, task))
        if correction and correction.was == labels.get(task, ""):
            labels[task] = correction.now
    return replace(item, labels={task: label for task, label in labels.items() if label})


def _checked(path: Path, line: int, row: Mapping[str, str | None]) -> Correction:
    cells = {name: (row[name] or "").strip() for name in _COLUMNS}
    task = next((known for known in LABELS if known == cells["task"]), None)
    if not task:
        raise DatasetError(f"{path}, line {line}: {cells['task']!r} is no task: use {' or '.join(LABELS)}.")
    if cells["now"] and cells["now"] not in LABELS[task]:
        raise DatasetError(f"{path}, line {line}: {cells['now']!r} is no {task}: use {', '.join(LABELS[task])}.")
    return Correction(cells["path"], task, cells["was"], cells["now"], cells["why"], cells["at"])
