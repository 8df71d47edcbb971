"""Labelled photos for training and evaluation, from a manifest or a tree of folders.

A manifest is a CSV file with the columns ``path,waste_type,cleanliness,group,split``, of which only ``path`` is
required; an unknown label is empty, and further columns are kept. Two of them are used: ``source``, where the
photo comes from, and ``material``: an item of a foreign material is other, one of an uncertain material has no waste
type. A tree has folders ``<label>/…`` or ``<waste type>/<cleanliness>/…``, optionally below folders named as splits.
A missing split is derived from the group or the contents of each file, so that the same photo is in the same
split on every machine.
"""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from providers.base import LABELS, Photo, Task
from providers.text_files import tidy
from triof.common.atomic_files import replace_file
from triof.common.csv_files import read_table
from triof.common.errors import TriofError
from triof.common.file_finder import FileFinder
from triof.datasets.label_names import NO_TAGS, SPLITS, Split, Tags, is_foreign, is_untold, label_named, split_named
from triof.datasets.photo_tree import read_tree
from triof.judging import photo
from triof.settings.sections.photo import PhotoLimits

__all__ = [
    "FEW",
    "MANIFEST",
    "SPLITS",
    "Dataset",
    "DatasetError",
    "LabelledPhoto",
    "Split",
    "Unreadable",
    "decode",
    "fingerprint",
    "read",
    "split_for",
    "write",
]

MANIFEST = "manifest.csv"
FEW = 20
"""Photos of a label in a split; with fewer, one photo changes its recall by more than five points."""

_COLUMNS = ("path", *LABELS, "group", "split")
_SHOWN = 3
_SHARES: Mapping[Split, float] = {"train": 0.7, "val": 0.15, "test": 0.15}


class DatasetError(TriofError):
    """The photos for training or evaluation cannot be used; the message says which and what to do."""


@dataclass(frozen=True)
class LabelledPhoto:
    """One photo file with its labels. Near-duplicates share a ``group``."""

    path: Path
    labels: Mapping[Task, str]
    group: str
    split: Split
    notes: Mapping[str, str] = field(default_factory=dict)
    """Further columns of its manifest: source, licence, ..."""
    has_written_split: bool = field(default=True, compare=False)
    """Whether the manifest or folder states the split; otherwise it was derived."""

    @property
    def source(self) -> str:
        """The ``source`` in its manifest; empty if missing."""
        return self.notes.get("source", "")

    @property
    def material(self) -> str:
        """The ``material`` in its manifest; empty if missing."""
        return self.notes.get("material", "")


@dataclass(frozen=True)
class Dataset:
    """Labelled photos; ``source`` is the manifest or folder they come from."""

    source: Path
    photos: tuple[LabelledPhoto, ...]
    remarks: tuple[str, ...] = field(default=(), compare=False)
    """Remarks about what was left out or may be unexpected."""

    @property
    def root(self) -> Path:
        """The folder to which a manifest's paths are relative."""
        return self.source if self.source.is_dir() else self.source.parent

    def name(self, item: LabelledPhoto) -> str:
        """Return the path of the photo in a manifest in ``root``."""
        return _name(item.path, self.root)

    def within(self, split: Split) -> tuple[LabelledPhoto, ...]:
        """Return the photos of ``split`` with any label."""
        return tuple(item for item in self.photos if item.split == split and item.labels)

    def of(self, task: Task, split: Split) -> tuple[LabelledPhoto, ...]:
        """Return the photos of ``split`` that are labelled for ``task``. Raises DatasetError if there are none."""
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


def read(source: Path, tags: Tags = NO_TAGS) -> Dataset:
    """Read a manifest, a folder with one, or a tree of folders; labels may be the cloud's ``tags``.

    Raises DatasetError.
    """
    if source.is_dir() and (source / MANIFEST).is_file():
        source = source / MANIFEST
    if source.is_dir():
        photos, remarks = _from_tree(source, tags)
    elif source.is_file():
        photos, remarks = _from_manifest(source, tags)
    else:
        raise DatasetError(f"{source} does not exist: name a manifest.csv or a folder of labelled photos.")
    if not photos:
        hint = "put photos into folders called after their label, such as bottle/."
        raise DatasetError(" ".join((f"{source} holds no labelled photo: {hint}", *remarks)))
    _check_groups(source, photos)
    return Dataset(source, tuple(photos), tuple(remarks))


def write(manifest: Path, photos: Sequence[LabelledPhoto]) -> None:
    """Write a manifest atomically, with paths relative to its folder where possible. Raises OSError."""
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


def decode(
    items: Iterable[LabelledPhoto], limits: PhotoLimits, *, needed_side: int, unreadable: list[Unreadable]
) -> Iterator[tuple[LabelledPhoto, Photo]]:
    """Yield the decoded photos, one by one, as in the machine; unreadable ones are added to ``unreadable``."""
    for item in items:
        try:
            yield item, photo.load(item.path.read_bytes(), limits, needed_side=needed_side)
        except (OSError, photo.PhotoError) as error:
            unreadable.append(Unreadable(item.path, str(error)))


def split_for(group: str) -> Split:
    """Return the split derived from a group: the same on every machine."""
    return _split_for(hashlib.sha256(group.encode()).hexdigest())


def fingerprint(items: Sequence[LabelledPhoto]) -> str:
    """Return the SHA-256 of names, labels, groups and splits, without pictures: whether two runs used the same list."""
    digest = hashlib.sha256()
    for item in sorted(items, key=lambda item: str(item.path)):
        digest.update(f"{item.path.name}|{sorted(item.labels.items())}|{item.group}|{item.split}\n".encode())
    return digest.hexdigest()


def _from_manifest(manifest: Path, tags: Tags) -> tuple[list[LabelledPhoto], list[str]]:
    finder = FileFinder(manifest.parent)
    try:
        table = read_table(manifest.read_bytes(), _COLUMNS)
        if "path" not in table.columns:
            raise DatasetError(f"{manifest} lacks the column path: name the columns in its first line.")
        photos = [_from_row(manifest, line, cells, finder, tags) for line, cells in table.rows()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{manifest} cannot be read as CSV ({error}).") from error
    if any(item.labels for item in photos):
        untold = sum(is_untold(item.material) for item in photos)
        told = f"{untold} photos of {manifest} say nothing of the waste type, as their material is not certain."
        return photos, [told] if untold else []
    return photos, [f"No photo of {manifest} has a label: they stand in its columns {' and '.join(LABELS)}."]


def _from_row(manifest: Path, line: int, cells: Mapping[str, str], finder: FileFinder, tags: Tags) -> LabelledPhoto:
    if not cells["path"]:
        raise DatasetError(f"{manifest}, line {line}: there is no path: name a file, or remove the line.")
    path = finder.find(cells["path"]) or manifest.parent / cells["path"].replace("\\", "/")
    group = tidy(cells.get("group") or _name(path, manifest.parent))
    written = cells.get("split")
    split = split_named([written]) if written else None
    if written and not split:
        raise DatasetError(f"{manifest}, line {line}: {written!r} is no split: use {', '.join(SPLITS)}.")
    return LabelledPhoto(
        path,
        _labels(manifest, line, cells, tags),
        group,
        split or split_for(group),
        {name: value for name, value in cells.items() if name not in _COLUMNS},
        has_written_split=split is not None,
    )


def _labels(manifest: Path, line: int, cells: Mapping[str, str], tags: Tags) -> dict[Task, str]:
    labels: dict[Task, str] = {}
    for task, known in LABELS.items():
        if name := cells.get(task):
            label = label_named(task, name, tags)
            if not label:
                raise DatasetError(f"{manifest}, line {line}: {name!r} is no {task}: use {', '.join(known)}.")
            labels[task] = label
    material = cells.get("material", "")
    if is_foreign(material):
        return {"waste_type": "other"}
    if is_untold(material):
        labels.pop("waste_type", None)
    return labels


def _from_tree(root: Path, tags: Tags) -> tuple[list[LabelledPhoto], list[str]]:
    tree = read_tree(root, tags)
    # The group is the digest of the contents, so that a renamed copy is in the same split.
    groups = [_digest(found.path) for found in tree.photos]
    last: dict[str, Split] = {}
    for group, found in zip(groups, tree.photos, strict=True):
        if found.split:
            # A copy of a test photo must not be learned from.
            last[group] = max(last.get(group, found.split), found.split, key=SPLITS.index)
    photos = [
        LabelledPhoto(
            found.path, found.labels, group, last.get(group) or _split_for(group), has_written_split=group in last
        )
        for group, found in zip(groups, tree.photos, strict=True)
    ]
    moved = [
        item.path for item, found in zip(photos, tree.photos, strict=True) if found.split not in (None, item.split)
    ]
    return photos, [*tree.remarks, *_moved(root, moved)]


def _moved(root: Path, paths: Sequence[Path]) -> Iterator[str]:
    if paths:
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        names = ", ".join(path.relative_to(root).as_posix() for path in paths[:_SHOWN])
        yield f"Copies of photos in a later split of {root} are counted to that one: {names}{more}."


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file; of its name if it cannot be read, which decoding reports."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return hashlib.sha256(str(path).encode()).hexdigest()


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
