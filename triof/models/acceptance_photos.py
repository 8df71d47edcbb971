"""Photos for the acceptance test of a model, with their labels and the cloud's predictions.

References are the demo pictures, whose names state their labels, and any labelled photos besides.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
    pictures = _demo_pictures(card.input.width, card.input.height)
    return [AcceptancePhoto(shown, label_in_name(path, card.task)) for path, shown in pictures]


@lru_cache(maxsize=2)
def _demo_pictures(width: int, height: int) -> Sequence[tuple[Path, Photo]]:
    """Decoded once, as installing a bundle and activating it ask about them for each of its tasks."""
    found = ((path, _reduced(path, width, height, DEFAULT_LIMITS)) for path in pictures_in(DEMO_PICTURES))
    return [(path, shown) for path, shown in found if shown]


def label_in_name(path: Path, task: Task) -> str | None:
    """Return the label that the name of a demo picture states."""
    return next((part for part in path.stem.split("-") if part in LABELS[task]), None)


def load(
    files: Iterable[tuple[Path, str | None, Mapping[str, float]]], card: BundleCard, limits: PhotoLimits
) -> Iterator[AcceptancePhoto]:
    """Load the readable photos at a reduced size, as there may be hundreds."""
    for path, label, scores in files:
        if shown := _reduced(path, card.input.width, card.input.height, limits):
            told = label or (max(scores, key=scores.__getitem__) if scores else None)
            yield AcceptancePhoto(shown, told, scores)


def _reduced(path: Path, width: int, height: int, limits: PhotoLimits) -> Photo | None:
    try:
        seen = photo.load(path.read_bytes(), limits, needed_side=max(width, height))
    except (OSError, PhotoError):
        return None
    return Photo(Image.fromarray(seen.resized(width, height)), seen.sha256, seen.width, seen.height)
