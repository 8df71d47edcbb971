"""Photos labelled by their folders: ``bottle/…``, ``cup/dirty/…``, ``train/cup/…``.

If a folder is named as a split, folders are the splits, and a photo outside of them has none.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from providers.base import LABELS, Task
from triof.common.image_files import look_in
from triof.datasets.label_names import NO_TAGS, SPLITS, Split, Tags, labels_named, split_named

_LABELS = tuple(label for labels in LABELS.values() for label in labels)
_SHOWN = 5


@dataclass(frozen=True)
class TreePhoto:
    """A photo with the labels and the split of its folders; the split is None if no folder of the tree names one."""

    path: Path
    labels: Mapping[Task, str]
    split: Split | None


@dataclass(frozen=True)
class PhotoTree:
    """The labelled photos below a folder, sorted by name, and remarks about what was left out."""

    photos: tuple[TreePhoto, ...]
    remarks: tuple[str, ...]


def read_tree(root: Path, tags: Tags = NO_TAGS) -> PhotoTree:
    """Read the photos below ``root``; labels may be the cloud's ``tags``."""
    seen = look_in(root)
    folders = {path: path.relative_to(root).parts[:-1] for path in seen.pictures}
    photos = [TreePhoto(path, labels_named(names, tags), split_named(names)) for path, names in folders.items()]
    labelled = [photo for photo in photos if photo.labels]
    splits = sorted({photo.split for photo in labelled if photo.split}, key=SPLITS.index)
    remarks = (
        seen.remark,
        _remark(root, [photo for photo in photos if not photo.labels], _LABELS),
        _remark(root, [photo for photo in labelled if splits and not photo.split], splits),
    )
    used = tuple(photo for photo in labelled if photo.split or not splits)
    return PhotoTree(used, tuple(filter(None, remarks)))


def _remark(root: Path, photos: Sequence[TreePhoto], names: Sequence[str]) -> str:
    """Return a remark about photos in no folder named as one of ``names``; empty if there are none."""
    counts = Counter(photo.path.parent.relative_to(root).as_posix() for photo in photos)
    if not counts:
        return ""
    told = [f"{folder} ({count})" for folder, count in counts.most_common(_SHOWN)]
    more = [f"{len(counts) - _SHOWN} more folders"] if len(counts) > _SHOWN else []
    counted = "1 photo" if len(photos) == 1 else f"{len(photos)} photos"
    return (
        f"Left out of {root}: {counted} not in a folder called {', '.join(names[:-1])}{' or ' * (len(names) > 1)}"
        f"{names[-1]}: {', '.join([*told, *more])}."
    )
