"""Corrections of a data set's labels, in a file beside it; photos and manifest are not changed.

A CSV file with the columns ``path,task,was,now,why,at``, one line for each decision. A line whose
``now`` equals ``was`` confirms the label; an empty ``now`` excludes the photo from the task. Of several lines for
one photo and task the last one counts; one whose ``why`` is ``undone`` reverts the one before it.

The ``path`` is the photo's name in its data set; a manifest in another folder names it differently, see :func:`about`.
"""

import codecs
import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from providers.base import LABELS, Task
from providers.text_files import plain
from triof.common.atomic_files import append_line, replace_file
from triof.common.csv_files import read_table
from triof.common.file_finder import FileFinder, plain_path
from triof.datasets import photo_dataset
from triof.datasets.label_names import NO_TAGS, Tags, label_named
from triof.datasets.photo_dataset import Dataset, DatasetError, LabelledPhoto


@dataclass(frozen=True)
class Correction:
    """A decision about the photo ``path`` (as named in the data set), whose label ``was`` and is ``now``."""

    path: str
    task: Task
    was: str
    now: str
    why: str = ""
    at: str = ""
    """ISO 8601, filled in when it is written."""


UNDONE = "undone"
USUAL_NAME = "corrections.csv"
"""Default file name, beside the data set."""

Corrections = Mapping[tuple[str, Task], Correction]
"""The latest correction of each photo and task, in order of time."""

_COLUMNS = tuple(field.name for field in fields(Correction))
_NEEDED = _COLUMNS[:4]
"""Required columns; the others may be empty or missing."""


def read(path: Path, tags: Tags = NO_TAGS) -> Corrections:
    """Read the corrections of a file; empty if it does not exist. Raises DatasetError."""
    words: dict[tuple[str, Task], list[Correction]] = {}
    for line, row in _table(path).rows:
        correction = _checked(path, line, row, tags)
        key = correction.path, correction.task
        said = words[key] = words.pop(key, [])
        if correction.why != UNDONE:
            said.append(correction)
        elif said:
            said.pop()
    return {key: said[-1] for key, said in words.items() if said}


def mended(source: Path, corrected: Path | None, tags: Tags = NO_TAGS) -> Dataset:
    """Read the data set at ``source`` and apply the corrections of a file, if given. Raises DatasetError."""
    dataset = photo_dataset.read(source, tags)
    if not corrected:
        return dataset
    known, remarks = named(dataset, corrected, tags)
    return replace(applied(dataset, known), remarks=(*dataset.remarks, *remarks))


def named(dataset: Dataset, path: Path, tags: Tags = NO_TAGS) -> tuple[Corrections, list[str]]:
    """Return the corrections of a file given by the user, and remarks about those of other photos.

    Raises DatasetError if the file does not exist, or none of its corrections is about a photo of ``dataset``.
    """
    if not path.is_file():
        raise DatasetError(f"There are no corrections in {path}: name the file that `triof dataset label` wrote.")
    known = read(path, tags)
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
    """Return the corrections of photos of ``dataset``, by its names; their file is in ``folder``.

    A photo is matched by its name, by the correction's path relative to ``folder``, or by the end of its
    path, if that is unique.
    """
    find = _finder(dataset, folder)
    return {(name, task): said for (path, task), said in corrections.items() if (name := find(path)) is not None}


def _finder(dataset: Dataset, folder: Path) -> Callable[[str], str | None]:
    names = {dataset.name(item): item.path.absolute() for item in dataset.photos}
    finder = FileFinder(folder)
    files: dict[Path, str] = {}
    ends: dict[str, list[tuple[Sequence[str], str]]] = defaultdict(list)

    def find(path: str) -> str | None:
        if path in names:
            return path
        if not files:
            for name, photo in names.items():
                files[photo.resolve()] = name
                parts = plain_path(str(photo)).split("/")
                ends[parts[-1]].append((parts, name))
        if (found := finder.find(path)) and (called := files.get(found.resolve())):
            return called
        parts = plain_path(path).split("/")
        same = [name for its, name in ends.get(parts[-1], ()) if its[-len(parts) :] == parts]
        if len(same) > 1:  # they may differ in case
            same = [name for name in same if names[name].as_posix().endswith(f"/{path}")]
        return same[0] if len(same) == 1 else None

    return find


def add(path: Path, correction: Correction) -> None:
    """Append a correction durably. Raises OSError, DatasetError."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    _write_as_ours(path)
    append_line(path, _csv([asdict(replace(correction, at=correction.at or now))], _COLUMNS), 0o644)


def applied(dataset: Dataset, corrections: Corrections) -> Dataset:
    """Return the data set with the corrected labels. A correction whose ``was`` is not the current label is ignored."""
    return replace(dataset, photos=tuple(_corrected(item, dataset.name(item), corrections) for item in dataset.photos))


def _corrected(item: LabelledPhoto, name: str, corrections: Corrections) -> LabelledPhoto:
    labels = dict(item.labels)
    for task in LABELS:
        correction = corrections.get((name, task))
        if correction and correction.was == labels.get(task, ""):
            labels[task] = correction.now
    return replace(item, labels={task: label for task, label in labels.items() if label})


class _CorrectionTable(NamedTuple):
    columns: Sequence[str]
    rows: Sequence[tuple[int, Mapping[str, str]]]


def _table(path: Path) -> _CorrectionTable:
    """Read the file line by line, so that a line torn by a power cut affects no other."""
    try:
        content = path.read_bytes()
        if not content:
            return _CorrectionTable(_COLUMNS, [])
        found = read_table(content, _COLUMNS)
        if missing := sorted(set(_NEEDED) - set(found.columns)):
            raise DatasetError(f"{path} is no file of corrections: it lacks the columns {', '.join(missing)}.")
        # A torn line ends before the last column.
        ours = [name for name in _COLUMNS if name in found.columns]
        return _CorrectionTable(found.columns, list(found.rows_by_line(ours)))
    except FileNotFoundError:
        return _CorrectionTable(_COLUMNS, [])
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}).") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as CSV ({error}).") from error


def _write_as_ours(path: Path) -> None:
    """Write a new file, or convert one saved by a spreadsheet, whose format would differ from our lines.

    Raises OSError, DatasetError.
    """
    with suppress(FileNotFoundError), path.open("rb") as file:
        head = file.readline().removeprefix(codecs.BOM_UTF8)
        if [name.strip() for name in head.decode("utf-8", "replace").split(",")][: len(_COLUMNS)] == list(_COLUMNS):
            return
    table = _table(path)
    columns = dict.fromkeys((*_COLUMNS, *filter(None, table.columns)))
    header = dict(zip(columns, columns, strict=True))
    # Atomically: without its header the whole file is unreadable.
    replace_file(path, _csv([header, *(row for _, row in table.rows)], columns) + b"\n", 0o644)


def _csv(rows: Iterable[Mapping[str, str]], columns: Iterable[str]) -> bytes:
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerows([row.get(column, "") for column in columns] for row in rows)
    return text.getvalue().removesuffix("\n").encode()


def _checked(path: Path, line: int, row: Mapping[str, str], tags: Tags) -> Correction:
    task = next((known for known in LABELS if known == plain(row["task"])), None)
    if not task:
        raise DatasetError(f"{path}, line {line}: {row['task']!r} is no task: use {' or '.join(LABELS)}.")
    now = label_named(task, row["now"], tags)
    if row["now"] and not now:
        raise DatasetError(f"{path}, line {line}: {row['now']!r} is no {task}: use {', '.join(LABELS[task])}.")
    was = label_named(task, row["was"], tags) or row["was"]
    return Correction(row["path"], task, was, now or "", row.get("why", ""), row.get("at", ""))
