"""What people found out about the labels of a data set, beside it: the photos and their manifest stay as they came.

A CSV file with the columns ``path,task,was,now,why,at``, one line for each time that somebody looked. A line whose
``now`` is what it ``was`` confirms the label; an empty ``now`` leaves the photo out of the task. Of several lines for
one photo and task the last one holds; one whose ``why`` is ``undone`` takes the one before it back.

The ``path`` is the name that the photo had in its data set: a manifest elsewhere calls it otherwise, see :func:`about`.
"""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from providers.base import LABELS, Task
from triof import datasets
from triof.datasets import Dataset, DatasetError, LabelledPhoto
from triof.durable import append_line, replace_file


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
USUAL_NAME = "corrections.csv"
"""Beside a data set, where nobody names another place."""

Corrections = Mapping[tuple[str, Task], Correction]
"""The last word on each photo and task, in the order in which they were said."""

_COLUMNS = tuple(field.name for field in fields(Correction))


def read(path: Path) -> Corrections:
    """The corrections in the file; none where there is no file yet. Raises DatasetError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}).") from error
    try:
        found = [_checked(path, line, row) for line, row in _rows(path, content)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as CSV in UTF-8 ({error}).") from error
    words: dict[tuple[str, Task], list[Correction]] = {}
    for correction in found:
        key = correction.path, correction.task
        said = words[key] = words.pop(key, [])
        if correction.why != UNDONE:
            said.append(correction)
        elif said:
            said.pop()
    return {key: said[-1] for key, said in words.items() if said}


def mending(source: Path, corrected: Path | None) -> tuple[Dataset, list[str]]:
    """The data set at ``source`` with the corrections of a file, if one is named, and what to tell of the others.

    That is a sentence about corrections of other photos, or nothing. Raises DatasetError.
    """
    dataset = datasets.read(source)
    if not corrected:
        return dataset, []
    known, told = named(dataset, corrected)
    return applied(dataset, known), told


def named(dataset: Dataset, path: Path) -> tuple[Corrections, list[str]]:
    """The corrections in a file that somebody named, and what to tell people about those of other photos.

    Raises DatasetError where there is no such file, or where none of its corrections is about a photo of ``dataset``.
    """
    if not path.is_file():
        raise DatasetError(f"There are no corrections in {path}: name the file that `triof dataset label` wrote.")
    known = read(path)
    ours = about(dataset, known, path.parent)
    if known and not ours:
        raise DatasetError(
            f"None of the {len(known)} corrections in {path} is about a photo of {dataset.source}: name the file that"
            " was written for it."
        )
    if len(ours) == len(known):
        return ours, []
    return ours, [f"Only {len(ours)} of the {len(known)} corrections in {path} are about photos of {dataset.source}."]


def about(dataset: Dataset, corrections: Corrections, folder: Path) -> Corrections:
    """The corrections of photos of ``dataset``, by the names that it gives them; their file lies in ``folder``.

    A photo is known by its name, by the file that the path in a correction means from ``folder``, or by the end of its
    path, where that is the end of one photo's path only.
    """
    find = _finder(dataset, folder)
    return {(name, task): said for (path, task), said in corrections.items() if (name := find(path)) is not None}


def _finder(dataset: Dataset, folder: Path) -> Callable[[str], str | None]:
    names = {dataset.name(item): item.path.absolute() for item in dataset.photos}
    files: dict[Path, str] = {}
    alike: dict[str, list[str]] = defaultdict(list)

    def find(path: str) -> str | None:
        if path in names:
            return path
        if not files:
            for name, photo in names.items():
                files[photo.resolve()] = name
                alike[photo.name].append(name)
        if found := files.get((folder / path).resolve()):
            return found
        parts = Path(path).parts
        ends = [name for name in alike.get(Path(path).name, ()) if names[name].parts[-len(parts) :] == parts]
        return ends[0] if len(ends) == 1 else None

    return find


def add(path: Path, correction: Correction) -> None:
    """Append one; on return it is on the disk. Raises OSError."""
    text = StringIO()
    rows = csv.writer(text, lineterminator="")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows.writerow(astuple(replace(correction, at=correction.at or now)))
    if not path.exists() or not path.stat().st_size:
        # Never half of it: without its columns the whole file would be unreadable.
        replace_file(path, ",".join(_COLUMNS).encode() + b"\n", 0o644)
    append_line(path, text.getvalue().encode(), 0o644)


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


def _rows(path: Path, content: bytes) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The rows with their lines, each line by itself, so that one that a power cut has torn spoils no other."""
    first, *lines = content.splitlines() or [b""]
    columns = _cells(first.decode())
    if missing := sorted(set(_COLUMNS) - set(columns)):
        raise DatasetError(f"{path} is no file of corrections: it lacks the columns {', '.join(missing)}.")
    for number, line in enumerate(lines, start=2):
        # What is torn lacks its end, and may end within a letter.
        if len(_cells(line.decode(errors="replace"))) >= len(_COLUMNS):
            yield number, dict(zip(columns, _cells(line.decode()), strict=False))


def _cells(line: str) -> list[str]:
    return next(csv.reader([line]), [])


def _checked(path: Path, line: int, row: Mapping[str, str]) -> Correction:
    cells = {name: row.get(name, "").strip() for name in _COLUMNS}
    task = next((known for known in LABELS if known == cells["task"]), None)
    if not task:
        raise DatasetError(f"{path}, line {line}: {cells['task']!r} is no task: use {' or '.join(LABELS)}.")
    if cells["now"] and cells["now"] not in LABELS[task]:
        raise DatasetError(f"{path}, line {line}: {cells['now']!r} is no {task}: use {', '.join(LABELS[task])}.")
    return Correction(cells["path"], task, cells["was"], cells["now"], cells["why"], cells["at"])
