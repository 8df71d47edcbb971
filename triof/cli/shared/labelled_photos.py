"""Shared by the commands that read labelled photos."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from providers.base import LABELS, Task
from triof.cli import tell
from triof.datasets import corrections
from triof.datasets.photo_dataset import FEW, MANIFEST, Dataset, DatasetError, Split
from triof.settings.tree import Settings


def read_photos(source: Path, settings: Settings, corrected: Path | None = None) -> Dataset:
    """Read labelled photos and apply the corrections of a file; print what was left out. Raises DatasetError."""
    dataset = corrections.mended(source, corrected, settings.custom_vision.tags)
    tell(dataset.remarks)
    return dataset


def doubts(dataset: Dataset, tasks: Sequence[Task], split: Split) -> Iterator[str]:
    """Yield warnings about figures on ``split`` that are less reliable than they look."""
    for task in tasks:
        counts = Counter(item.labels.get(task) for item in dataset.within(split))
        missing = [label for label in LABELS[task] if not counts[label]]
        few = [f"{label} ({counts[label]})" for label in LABELS[task] if 0 < counts[label] < FEW]
        if missing:
            yield f"{task}: no photo of {', '.join(missing)} in {split}, so the figures say nothing about that."
        if few:
            yield (
                f"{task}: fewer than {FEW} photos in {split} of {', '.join(few)}: one photo more or less moves the"
                " recall of such a label by over five points. Collect more, or let `triof dataset split` deal them out."
            )
    if dataset.source.is_dir() and not any(item.has_written_split for item in dataset.photos):
        yield (
            f"{dataset.source} has no splits of its own: near-duplicates may lie in two of them, and the figures be too"
            f" good. `triof dataset split {dataset.source} --out {dataset.source / MANIFEST}` keeps them together."
        )


def without(dataset: Dataset, left_out: Collection[str]) -> Dataset:
    """Return ``dataset`` without the photos of some sources. Raises DatasetError for an unknown source."""
    known = {item.source for item in dataset.photos} - {""}
    if strangers := sorted(set(left_out) - known):
        listed = ", ".join(sorted(known)) or "none, as its manifest has no column source"
        raise DatasetError(f"{dataset.source} has no source {strangers[0]!r} to leave out: it has {listed}.")
    return replace(dataset, photos=tuple(item for item in dataset.photos if item.source not in left_out))
