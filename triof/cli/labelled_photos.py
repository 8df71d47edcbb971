"""What the commands that read labelled photos share."""

from pathlib import Path

from triof import corrections
from triof.cli import tell
from triof.datasets import Dataset
from triof.settings import Settings


def read_photos(source: Path, settings: Settings, corrected: Path | None = None) -> Dataset:
    """The labelled photos of ``source`` with the corrections of a file; says what was left out. Raises DatasetError."""
    dataset = corrections.mended(source, corrected, settings.custom_vision.tags)
    tell(dataset.remarks)
    return dataset
