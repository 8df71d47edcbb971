"""What the commands that read labelled photos share."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from triof import corrections
from triof.cli import tell
from triof.datasets import Dataset, DatasetError
from triof.settings import Settings


def read_photos(source: Path, settings: Settings, corrected: Path | None = None) -> Dataset:
    """The labelled photos of ``source`` with the corrections of a file; says what was left out. Raises DatasetError."""
    dataset = corrections.mended(source, corrected, settings.custom_vision.tags)
    tell(dataset.remarks)
    return dataset


def without(dataset: Dataset, left_out: Collection[str]) -> Dataset:
    """The photos of ``dataset`` that come from other sources. Raises DatasetError for one that it does not have."""
    known = {item.source for item in dataset.photos} - {""}
    if strangers := sorted(set(left_out) - known):
        listed = ", ".join(sorted(known)) or "none, as its manifest has no column source"
        raise DatasetError(f"{dataset.source} has no source {strangers[0]!r} to leave out: it has {listed}.")
    return replace(dataset, photos=tuple(item for item in dataset.photos if item.source not in left_out))
