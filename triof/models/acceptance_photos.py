"""Photos for the acceptance test of a model, with their labels and the cloud's predictions.

References are the demo pictures, whose names state their labels, and any labelled photos besides.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from PIL import Image

from providers.base import LABELS, Photo, Task
from providers.local_cnn.bundle import BundleCard
from triof.common.image_files import pictures_in
from triof.common.paths import DEMO_PICTURES
from triof.judging import photo
from triof.judging.photo import PhotoError
from triof.settings.sections.photo import DEFAULT_LIMITS, PhotoLimits


class AcceptancePhoto(NamedTuple):
    """A photo at the model's input size, with its label if known."""

    photo: Photo
    label: str | None
    scores: Mapping[str, float] = MappingProxyType({})
    """The cloud's recorded probabilities, if any."""


@dataclass(frozen=True)
class AcceptanceSet:
    """The acceptance photos for one task."""

    demo: Sequence[AcceptancePhoto]
    labelled: Sequence[AcceptancePhoto]
    recorded: Sequence[AcceptancePhoto]
    """Photos with the cloud's prediction."""
    others: str = ""
    """The iteration of these predictions, if not the model's own: "iteration aaaaaaaa"."""


def demo(card: BundleCard) -> list[AcceptancePhoto]:
    """Return the demo pictures; those of items that are not plastic have no cleanliness."""
    pictures = pictures_in(DEMO_PICTURES)
    return list(load(((path, _named(path, card.task), {}) for path in pictures), card, DEFAULT_LIMITS))


def _named(path: Path, task: Task) -> str | None:
    return next((part for part in path.stem.split("-") if part in LABELS[task]), None)


def load(
    files: Iterable[tuple[Path, str | None, Mapping[str, float]]], card: BundleCard, limits: PhotoLimits
) -> Iterator[AcceptancePhoto]:
    """Load the readable photos at a reduced size, as there may be hundreds."""
    width, height = card.input.width, card.input.height
    for path, label, scores in files:
        try:
            seen = photo.load(path.read_bytes(), limits, needed_side=max(width, height))
        except (OSError, PhotoError):
            continue
        small = Image.fromarray(seen.resized(width, height))
        told = label or (max(scores, key=scores.__getitem__) if scores else None)
        yield AcceptancePhoto(Photo(small, seen.sha256, seen.width, seen.height), told, scores)
