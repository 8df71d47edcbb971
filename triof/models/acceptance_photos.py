"""Photos on which a model is tried, with the label that they should get and what the cloud said of them.

References are the demo pictures that ship with Triof, whose names tell what they show, and any labelled photos besides.
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
    """A photo, at the size that the model reads, and the label that it should get as far as anybody knows."""

    photo: Photo
    label: str | None
    scores: Mapping[str, float] = MappingProxyType({})
    """The cloud's own probabilities, where its answer is recorded."""


@dataclass(frozen=True)
class AcceptanceSet:
    """What a model of one task is tried on."""

    demo: Sequence[AcceptancePhoto]
    labelled: Sequence[AcceptancePhoto]
    recorded: Sequence[AcceptancePhoto]
    """With the cloud's answer."""
    others: str = ""
    """Whose answers they are, where they are not those of the model's own iteration: "iteration aaaaaaaa"."""


def demo(card: BundleCard) -> list[AcceptancePhoto]:
    """The demo pictures; of an item that is no plastic nobody says whether it is clean."""
    pictures = pictures_in(DEMO_PICTURES)
    return list(load(((path, _named(path, card.task), {}) for path in pictures), card, DEFAULT_LIMITS))


def _named(path: Path, task: Task) -> str | None:
    return next((part for part in path.stem.split("-") if part in LABELS[task]), None)


def load(
    files: Iterable[tuple[Path, str | None, Mapping[str, float]]], card: BundleCard, limits: PhotoLimits
) -> Iterator[AcceptancePhoto]:
    """What can be read, no larger than it must be: there may be hundreds."""
    width, height = card.input.width, card.input.height
    for path, label, scores in files:
        try:
            seen = photo.load(path.read_bytes(), limits, needed_side=max(width, height))
        except (OSError, PhotoError):
            continue
        small = Image.fromarray(seen.resized(width, height))
        told = label or (max(scores, key=scores.__getitem__) if scores else None)
        yield AcceptancePhoto(Photo(small, seen.sha256, seen.width, seen.height), told, scores)
