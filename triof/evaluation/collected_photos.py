"""Gathers the acceptance photos of a model: demo pictures, labelled photos, and photos that the cloud has judged."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from providers.base import LABELS, Task
from providers.local_cnn.bundle import BundleCard
from triof.datasets.photo_dataset import Dataset
from triof.evaluation import recorded_predictions
from triof.journal.journal import Journal
from triof.models.acceptance_photos import AcceptanceSet, demo, load
from triof.settings.tree import Settings
from triof.storage import data_folder
from triof.storage.photo_store import PhotoStore

_CLOUD = "custom_vision"
_MOST_PHOTOS = 200
"""Maximum photos of each kind; more would not change the result."""
_MOST_ROWS = 2000


class _RecordedPhoto(NamedTuple):
    path: Path
    iteration: str
    scores: Mapping[str, float]
    photo: str
    """SHA-256 of the bytes that the cloud received, which may differ from the file's."""


def gather(
    card: BundleCard,
    settings: Settings,
    labelled: Dataset | None,
    elsewhere: Mapping[str, Path] = MappingProxyType({}),
) -> AcceptanceSet:
    """Gather the photos for the task of ``card``; ``elsewhere`` are further copies of photos, by SHA-256.

    Raises HomeUnusable, DatabaseUnusable.
    """
    answers, others = _recorded(card, settings, elsewhere)
    limits = settings.photo
    return AcceptanceSet(
        demo(card),
        list(load(((*found, {}) for found in _labelled(labelled, card.task)), card, limits)) if labelled else [],
        list(load(((answer.path, None, answer.scores) for answer in answers), card, limits)),
        others,
    )


def _labelled(dataset: Dataset, task: Task) -> Iterator[tuple[Path, str]]:
    known = [item for item in dataset.photos if task in item.labels]
    # The model may have learned the others.
    chosen = [item for item in known if item.split == "test"] or known
    for item in chosen[:: max(1, -(-len(chosen) // _MOST_PHOTOS))]:
        yield item.path, item.labels[task]


def _recorded(
    card: BundleCard, settings: Settings, elsewhere: Mapping[str, Path]
) -> tuple[Sequence[_RecordedPhoto], str]:
    """Return the records of the iteration of ``card``, else all records, and their iterations in words."""
    answers = [*_in_files(card.task, settings.home, elsewhere), *_in_journal(card.task, settings)]
    found = [answer for answer in answers if answer.path.is_file()]
    iteration = str(card.trained_on.get("iteration", "")).lower()
    same = [answer for answer in found if iteration and answer.iteration.lower() == iteration]
    by_photo = {answer.photo: answer for answer in reversed(same or found)}
    chosen = list(by_photo.values())[-_MOST_PHOTOS:]
    others = sorted({answer.iteration.lower()[:8] for answer in chosen if not same})
    return chosen, f"iteration{'s' if len(others) > 1 else ''} {', '.join(others)}" if others else ""


def _in_files(task: Task, home_: Path, elsewhere: Mapping[str, Path]) -> Iterator[_RecordedPhoto]:
    for iteration in reversed(recorded_predictions.iterations(home_)):
        for path, sha256, scores in recorded_predictions.read(home_, iteration):
            if not scores or not set(scores) <= set(LABELS[task]):
                continue
            if found := next(
                (each for each in (path, elsewhere.get(sha256)) if each and _digest(each) == sha256), None
            ):
                yield _RecordedPhoto(found, iteration, scores, sha256)


def _in_journal(task: Task, settings: Settings) -> Iterator[_RecordedPhoto]:
    store = PhotoStore(settings.home / "photos", 0, 0)
    with data_folder.database(settings) as database:
        for row in Journal(database).answers(_CLOUD, task, _MOST_ROWS):
            yield _RecordedPhoto(store.path(row.photo), row.model_version.rpartition("@")[2], row.scores, row.photo)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError):
        return ""
