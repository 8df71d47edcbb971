"""The photos on which a model is tried: what is known of them, and what the cloud said.

References are the demo pictures that ship with Triof, whose names tell what they show, and any labelled photos besides.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from PIL import Image

from providers.base import LABELS, Photo, Task
from providers.local_cnn.bundle import BundleCard
from triof import home, photo, recorded
from triof.datasets import Dataset
from triof.journal import Journal
from triof.paths import DEMO_PICTURES
from triof.photo import PhotoError
from triof.photo_store import PhotoStore
from triof.picture_files import pictures_in
from triof.settings.sections.photo import DEFAULT_LIMITS, PhotoLimits
from triof.settings.tree import Settings

_CLOUD = "custom_vision"
_MOST_PHOTOS = 200
"""Of each kind: more would make nobody surer."""
_MOST_ROWS = 2000


class Shown(NamedTuple):
    """A photo, at the size that the model reads, and the label that it should get as far as anybody knows."""

    photo: Photo
    label: str | None
    scores: Mapping[str, float] = MappingProxyType({})
    """The cloud's own probabilities, where its answer is recorded."""


@dataclass(frozen=True)
class Evidence:
    """What a model of one task is tried on."""

    demo: Sequence[Shown]
    labelled: Sequence[Shown]
    recorded: Sequence[Shown]
    """With the cloud's answer."""
    others: str = ""
    """Whose answers they are, where they are not those of the model's own iteration: "iteration aaaaaaaa"."""


class _Recorded(NamedTuple):
    path: Path
    iteration: str
    scores: Mapping[str, float]
    photo: str
    """SHA-256 of the bytes that the cloud saw, which may not be those of the file."""


def gather(
    card: BundleCard,
    settings: Settings,
    labelled: Dataset | None,
    elsewhere: Mapping[str, Path] = MappingProxyType({}),
) -> Evidence:
    """All there is for the task of ``card``; ``elsewhere`` are further copies of photos, by SHA-256.

    Raises HomeUnusable, DatabaseUnusable.
    """
    answers, others = _recorded(card, settings, elsewhere)
    limits = settings.photo
    return Evidence(
        demo(card),
        list(_load(((*found, {}) for found in _labelled(labelled, card.task)), card, limits)) if labelled else [],
        list(_load(((answer.path, None, answer.scores) for answer in answers), card, limits)),
        others,
    )


def demo(card: BundleCard) -> list[Shown]:
    """The demo pictures; of an item that is no plastic nobody says whether it is clean."""
    pictures = pictures_in(DEMO_PICTURES)
    return list(_load(((path, _named(path, card.task), {}) for path in pictures), card, DEFAULT_LIMITS))


def _named(path: Path, task: Task) -> str | None:
    return next((part for part in path.stem.split("-") if part in LABELS[task]), None)


def _labelled(dataset: Dataset, task: Task) -> Iterator[tuple[Path, str]]:
    known = [item for item in dataset.photos if task in item.labels]
    # The model may have learnt the others by heart.
    chosen = [item for item in known if item.split == "test"] or known
    for item in chosen[:: max(1, -(-len(chosen) // _MOST_PHOTOS))]:
        yield item.path, item.labels[task]


def _recorded(card: BundleCard, settings: Settings, elsewhere: Mapping[str, Path]) -> tuple[Sequence[_Recorded], str]:
    """Those of the iteration that ``card`` names, if there are any; else all, and of which iterations they are."""
    answers = [*_in_files(card.task, settings.home, elsewhere), *_in_journal(card.task, settings)]
    found = [answer for answer in answers if answer.path.is_file()]
    iteration = str(card.trained_on.get("iteration", "")).lower()
    same = [answer for answer in found if iteration and answer.iteration.lower() == iteration]
    by_photo = {answer.photo: answer for answer in reversed(same or found)}
    chosen = list(by_photo.values())[-_MOST_PHOTOS:]
    others = sorted({answer.iteration.lower()[:8] for answer in chosen if not same})
    return chosen, f"iteration{'s' if len(others) > 1 else ''} {', '.join(others)}" if others else ""


def _in_files(task: Task, home_: Path, elsewhere: Mapping[str, Path]) -> Iterator[_Recorded]:
    for iteration in reversed(recorded.iterations(home_)):
        for path, sha256, scores in recorded.read(home_, iteration):
            if not scores or not set(scores) <= set(LABELS[task]):
                continue
            if found := next(
                (each for each in (path, elsewhere.get(sha256)) if each and _digest(each) == sha256), None
            ):
                yield _Recorded(found, iteration, scores, sha256)


def _in_journal(task: Task, settings: Settings) -> Iterator[_Recorded]:
    store = PhotoStore(settings.home / "photos", 0, 0)
    with home.database(settings) as database:
        for row in Journal(database).answers(_CLOUD, task, _MOST_ROWS):
            yield _Recorded(store.path(row.photo), row.model_version.rpartition("@")[2], row.scores, row.photo)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError):
        return ""


def _load(
    files: Iterable[tuple[Path, str | None, Mapping[str, float]]], card: BundleCard, limits: PhotoLimits
) -> Iterator[Shown]:
    """What can be read, no larger than it must be: there may be hundreds."""
    width, height = card.input.width, card.input.height
    for path, label, scores in files:
        try:
            seen = photo.load(path.read_bytes(), limits, needed_side=max(width, height))
        except (OSError, PhotoError):
            continue
        small = Image.fromarray(seen.resized(width, height))
        told = label or (max(scores, key=scores.__getitem__) if scores else None)
        yield Shown(Photo(small, seen.sha256, seen.width, seen.height), told, scores)
