"""Labelled photos for training and evaluation: from a manifest or from a tree of folders.

A manifest is a CSV file with the columns ``path,waste_type,cleanliness,group,split``; a label that nobody knows is left
empty, and further columns are kept. A tree holds ``<label>/…`` or ``<waste type>/<cleanliness>/…``. Where no split is
given it is made here, from the group or the contents of each file, so that the same photo falls into the same part on
every machine.
"""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Literal, get_args

from providers.base import LABELS, Photo, Task
from triof import photo
from triof.durable import replace_file
from triof.errors import TriofError
from triof.picture_files import pictures_in

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

MANIFEST = "manifest.csv"
NEGATIVE = "negative"
"""What a manifest calls the waste type ``other``."""

_COLUMNS = ("path", *LABELS, "group", "split")
_SHARES: Mapping[Split, float] = {"train": 0.7, "val": 0.15, "test": 0.15}


class DatasetError(TriofError):
    """The photos for training or evaluation cannot be used; the message says which and what to do."""


@dataclass(frozen=True)
class LabelledPhoto:
    """One photo file and what people say it shows. Near-duplicates share a ``group``."""

    path: Path
    labels: Mapping[Task, str]
    group: str
    split: Split
    notes: Mapping[str, str] = field(default_factory=dict)
    """What else its manifest says of it, by column: source, licence, ..."""
    has_written_split: bool = field(default=True, compare=False)
    """Whether somebody gave it its split; it was made here otherwise."""


@dataclass(frozen=True)
class Dataset:
    """Labelled photos; ``source`` is the manifest or folder they come from."""

    source: Path
    photos: tuple[LabelledPhoto, ...]

    @property
    def root(self) -> Path:
        """The folder that the paths of a manifest count from."""
        return self.source if self.source.is_dir() else self.source.parent

    def name(self, item: LabelledPhoto) -> str:
        """How a manifest in ``root`` calls the photo."""
        return _name(item.path, self.root)

    def of(self, task: Task, split: Split) -> tuple[LabelledPhoto, ...]:
        """The photos of ``split`` that are labelled for ``task``. Raises DatasetError when there are none."""
        found = tuple(item for item in self.photos if item.split == split and task in item.labels)
        if not found:
            raise DatasetError(
                f"{self.source} has no photo for {task} in its {split} split: name another split, or add photos in"
                f" folders called {', '.join(LABELS[task])}."
            )
        return found


@dataclass(frozen=True)
class Unreadable:
    """A file that was skipped, and why."""

    path: Path
    reason: str


def read(source: Path) -> Dataset:
    """Read a manifest, a folder that holds one, or a tree of folders. Raises DatasetError."""
    if source.is_dir() and (source / MANIFEST).is_file():
        source = source / MANIFEST
    if source.is_dir():
        photos = tuple(_from_tree(source))
    elif source.is_file():
        photos = tuple(_from_manifest(source))
    else:
        raise DatasetError(f"{source} does not exist: name a manifest.csv or a folder of labelled photos.")
    if not photos:
        raise DatasetError(
            f"{source} holds no labelled photo: put photos into folders called after their label, such as bottle/."
        )
    _check_groups(source, photos)
    return Dataset(source, photos)


def write(manifest: Path, photos: Sequence[LabelledPhoto]) -> None:
    """Write a manifest, whole or not at all; its paths count from its folder where they can. Raises OSError."""
    notes = list(dict.fromkeys(name for item in photos for name in item.notes))
    text = StringIO()
    rows = csv.DictWriter(text, [*_COLUMNS, *notes], lineterminator="\n")
    rows.writeheader()
    for item in photos:
        labels = (item.labels.get(task, "") for task in LABELS)
        path = _name(item.path, manifest.parent)
        ours = dict(zip(_COLUMNS, (path, *labels, item.group, item.split), strict=True))
        rows.writerow({**item.notes, **ours})
    replace_file(manifest, text.getvalue().encode(), 0o644)


def labels_named(names: Sequence[str]) -> dict[Task, str]:
    """The labels among some names, such as those of folders, each with its task."""
    names = ["other" if name == NEGATIVE else name for name in names]
    return {task: name for task, known in LABELS.items() for name in names if name in known}


def decode(
    items: Iterable[LabelledPhoto], *, needed_side: int, unreadable: list[Unreadable]
) -> Iterator[tuple[LabelledPhoto, Photo]]:
    """Decode one after the other, as the machine does; what cannot be read is added to ``unreadable``."""
    for item in items:
        try:
            yield item, photo.load(item.path.read_bytes(), needed_side=needed_side)
        except (OSError, photo.PhotoError) as error:
            unreadable.append(Unreadable(item.path, str(error)))


def split_for(group: str) -> Split:
    """The split of a group to which a manifest gives none: the same on every machine."""
    return _split_for(hashlib.sha256(group.encode()).hexdigest())


def fingerprint(items: Sequence[LabelledPhoto]) -> str:
    """SHA-256 over names, labels, groups and splits, not over the pictures: whether two runs saw the same list."""
    digest = hashlib.sha256()
    for item in sorted(items, key=lambda item: str(item.path)):
        digest.update(f"{item.path.name}|{sorted(item.labels.items())}|{item.group}|{item.split}\n".encode())
    return digest.hexdigest()


def _from_manifest(manifest: Path) -> Iterator[LabelledPhoto]:
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            missing = sorted(set(_COLUMNS) - set(rows.fieldnames or ()))
            if missing:
                raise DatasetError(f"{manifest} lacks the columns {', '.join(missing)}: add them to its first line.")
            for row in rows:
                yield _from_row(manifest, rows.line_num, row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{manifest} cannot be read as CSV in UTF-8 ({error}).") from error


def _from_row(manifest: Path, line: int, row: Mapping[str | None, str | None]) -> LabelledPhoto:
    cells = {name: (value or "").strip() for name, value in row.items() if name}
    if not cells["path"]:
        raise DatasetError(f"{manifest}, line {line}: there is no path: name a file, or remove the line.")
    group = cells["group"] or cells["path"]
    split = next((known for known in SPLITS if known == cells["split"]), None)
    if cells["split"] and not split:
        raise DatasetError(f"{manifest}, line {line}: {cells['split']!r} is no split: use {', '.join(SPLITS)}.")
    return LabelledPhoto(
        manifest.parent / cells["path"],
        _labels(manifest, line, cells),
        group,
        split or split_for(group),
        {name: value for name, value in cells.items() if name not in _COLUMNS},
        has_written_split=split is not None,
    )


def _labels(manifest: Path, line: int, cells: Mapping[str, str]) -> dict[Task, str]:
    labels: dict[Task, str] = {}
    for task, known in LABELS.items():
        label = "other" if cells[task] == NEGATIVE else cells[task]
        if label and label not in known:
            raise DatasetError(f"{manifest}, line {line}: {label!r} is no {task}: use {', '.join(known)}.")
        if label:
            labels[task] = label
    return labels


def _from_tree(root: Path) -> Iterator[LabelledPhoto]:
    for path in pictures_in(root):
        if labels := labels_named(path.relative_to(root).parts[:-1]):
            # The group is the contents, so that a copy under another name stays in the same split.
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            yield LabelledPhoto(path, labels, digest, _split_for(digest), has_written_split=False)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path.absolute())


def _split_for(digest: str) -> Split:
    position = int(digest[:8], 16) / 0x1_0000_0000
    for split, share in _SHARES.items():
        if position < share:
            return split
        position -= share
    return "test"


def _check_groups(source: Path, photos: Sequence[LabelledPhoto]) -> None:
    homes: dict[str, Split] = {}
    for item in photos:
        if homes.setdefault(item.group, item.split) != item.split:
            raise DatasetError(
                f"{source}: the group {item.group} lies in two splits, so that a model is tested on what it learned:"
                " give all its photos one split."
            )
