"""The training photos and their views, reproducible by seed.

The network must not learn which source has which label. So sources are sampled more evenly than their sizes, foreign
objects as often as plastic, and all items are laid on the grounds of every source.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from providers.base import LABELS, Pixels, Task
from providers.local_cnn import backbone
from providers.local_cnn.bundle import EMPTY
from providers.local_cnn.training import augmentation, scenes
from providers.local_cnn.training.augmentation import Subject
from providers.local_cnn.training.hyperparameters import Hyperparameters
from providers.local_cnn.training.scenes import Scenery

Floats = NDArray[np.float32]
Classes = NDArray[np.int64]
"""Indices in TOLD, or UNKNOWN."""
UNKNOWN = -1
"""The class of a photo without a label for a task, from which that task does not learn."""

TOLD: Mapping[Task, tuple[str, ...]] = {**LABELS, "waste_type": (*LABELS["waste_type"], EMPTY)}
"""The meaning of each output of a trained network for a task. The labels of LABELS come first."""

_AT_ONCE = 32
_MOST_GROUNDS = 60
"""Largest number of grounds of one source, as they are kept in memory as pixels."""


@dataclass(frozen=True)
class Pictures:
    """Upright photos with their labels."""

    subjects: Sequence[Subject]
    """Twenty thousand take 0.7 GB. Photos for prediction only need no outline."""
    classes: Mapping[Task, Classes]
    """(n,) for each trained task."""
    sources: Sequence[str]
    """Source of each photo; empty if unknown."""

    def those(self, chosen: NDArray[np.bool_]) -> "Pictures":
        """Return the photos selected by the mask ``chosen``: (n,)."""
        indices = list(map(int, np.flatnonzero(chosen)))
        return Pictures(
            [self.subjects[index] for index in indices],
            {task: classes[chosen] for task, classes in self.classes.items()},
            [self.sources[index] for index in indices],
        )


@dataclass(frozen=True)
class Examples:
    """Photos as the machine will see them, for predictions."""

    subjects: Sequence[Subject]
    classes: Mapping[Task, Classes]
    side: int

    def inputs(self) -> Iterator[Floats]:
        """Yield network inputs in small batches, decoded on each call, as all pixels would fill the memory."""
        for begin in range(0, len(self.subjects), _AT_ONCE):
            part = [resized(seen.picture, self.side) for seen in self.subjects[begin : begin + _AT_ONCE]]
            yield backbone.scaled(np.stack(part))


@dataclass(frozen=True)
class Batch:
    """A batch of views for training."""

    rows: Floats
    """Output of the frozen part of the network for each view: (n, numbers)."""
    classes: Mapping[Task, Classes]

    def joined(self, others: "Batch") -> "Batch":
        """Append ``others``, of the same tasks or more."""
        classes = {task: np.concatenate([found, others.classes[task]]) for task, found in self.classes.items()}
        return Batch(np.concatenate([self.rows, others.rows]), classes)


Look = Callable[[Floats], Floats]
"""Computes the output of the frozen part for a view: (side, side, 3) to (numbers,)."""
Recall = Callable[[int, Generator], Batch]
"""Returns so many rehearsal rows."""


class TrainingSet:
    """Random views of training photos, and of empty slots among them."""

    def __init__(
        self, tasks: Sequence[Task], photos: Pictures, hyperparameters: Hyperparameters, recall: Recall | None = None
    ) -> None:
        """With ``recall``, it provides the share ``hyperparameters.rehearsal`` of each batch."""
        self._recall, self._recalled = recall, int(hyperparameters.batch * hyperparameters.rehearsal) if recall else 0
        self.tasks, self._hyperparameters = tuple(tasks), hyperparameters
        self._subjects, self._classes = photos.subjects, photos.classes
        self.size = len(self._subjects)
        """Number of photos; an epoch has about as many views, or more if there are few."""
        self.steps = max(
            hyperparameters.fewest_batches, math.ceil(self.size / (hyperparameters.batch - self._recalled))
        )
        """Number of batches of an epoch."""
        self._shares = shares(photos, hyperparameters)
        self._scenery = Scenery(
            scenes.rendered("grounds"),
            self._grounds(photos.sources),
            scenes.rendered("hands"),
            whole=_foreign_photos(photos),
            whole_share=hyperparameters.whole_ground,
        )

    def batches(self, steps: int, look: Look, *seeds: int) -> Iterator[Batch]:
        """Yield ``steps`` batches, reproducible by ``seeds``; the next is drawn while the last is used."""
        with ThreadPoolExecutor(1) as drawing:
            waiting = drawing.submit(self._batch, look, (*seeds, 0))
            for number in range(1, steps + 1):
                drawn = waiting.result()
                if number < steps:
                    waiting = drawing.submit(self._batch, look, (*seeds, number))
                yield drawn

    def targets(self, classes: Mapping[Task, Classes]) -> Floats:
        """Return smoothed probabilities of all tasks' labels side by side, zero if unknown: (n, labels)."""
        return np.concatenate(
            [smoothed(classes[task], len(TOLD[task]), self._hyperparameters.label_smoothing) for task in self.tasks],
            axis=1,
        )

    def view(self, rng: Generator) -> tuple[Pixels, Mapping[Task, int]]:
        """Return a random view, (side, side, 3), and its class for each task."""
        if "waste_type" in self.tasks and rng.random() < self._hyperparameters.empty:
            classes = dict.fromkeys(self.tasks, UNKNOWN) | {"waste_type": TOLD["waste_type"].index(EMPTY)}
            return augmentation.empty(self._hyperparameters.train_side, self._scenery, rng), classes
        return self._view(int(rng.choice(self.size, p=self._shares)), rng)

    def _batch(self, look: Look, seeds: tuple[int, ...]) -> Batch:
        rng = np.random.default_rng((self._hyperparameters.seed, *seeds))
        rows, classes = zip(
            *(self._seen(look, rng) for _ in range(self._hyperparameters.batch - self._recalled)), strict=True
        )
        by_task = {task: np.array([each[task] for each in classes], np.int64) for task in self.tasks}
        batch = Batch(np.stack(rows).astype(np.float32), by_task)
        return batch.joined(self._recall(self._recalled, rng)) if self._recall and self._recalled else batch

    def _seen(self, look: Look, rng: Generator) -> tuple[Floats, Mapping[Task, int]]:
        pixels, classes = self.view(rng)
        return look(backbone.scaled(pixels)), classes

    def _grounds(self, sources: Sequence[str]) -> list[Image.Image]:
        """Return the grounds beside the items of photos, of every source alike, so that none goes with a label."""
        grounds: dict[str, list[Image.Image]] = {}
        for index in map(int, np.random.default_rng(self._hyperparameters.seed).permutation(self.size)):
            seen, found = self._subjects[index], grounds.setdefault(sources[index], [])
            if len(found) < _MOST_GROUNDS and (cutout := seen.cutout):
                found += filter(None, [scenes.beside(seen.picture, cutout)])
        return [ground for found in grounds.values() for ground in found]

    def _view(self, index: int, rng: Generator) -> tuple[Pixels, Mapping[Task, int]]:
        hyperparameters, seen = self._hyperparameters, self._subjects[index]
        classes = {task: int(self._classes[task][index]) for task in self.tasks}
        if rng.random() < hyperparameters.plain:
            pixels = resized(seen.picture, hyperparameters.train_side)
            return pixels[:, ::-1] if rng.random() < 0.5 else pixels, classes
        stained = self._may_be_stained(index) and rng.random() < hyperparameters.stained
        if stained and "cleanliness" in classes:
            classes["cleanliness"] = LABELS["cleanliness"].index("dirty")
        pixels = augmentation.view(
            seen,
            hyperparameters.train_side,
            self._scenery,
            rng,
            other_ground=hyperparameters.other_ground,
            held=hyperparameters.held,
            stained=stained,
        )
        return pixels, classes

    def _may_be_stained(self, index: int) -> bool:
        # A can with paint on it is still a can, and dirty items need no stains.
        labels = {LABELS[task][class_] for task in self.tasks if (class_ := self._classes[task][index]) != UNKNOWN}
        return self._subjects[index].outline is not None and not labels & {"other", "dirty"}


def _foreign_photos(photos: Pictures) -> list[list[bytes]]:
    """Return photos of rooms, trays and tables without plastic, by source; they serve as grounds."""
    found: dict[str, list[bytes]] = {}
    for index in map(int, np.flatnonzero(are_foreign(photos))):
        found.setdefault(photos.sources[index], []).append(photos.subjects[index].jpeg)
    return list(found.values())


def shares(photos: Pictures, hyperparameters: Hyperparameters) -> NDArray[np.float64]:
    """Return the sampling probability of each photo, 1 in all: (n,).

    The photos of one source with the same labels are drawn in proportion to their number to the power
    ``hyperparameters.balance``; ``hyperparameters.foreign`` of all draws show ``other``, if there is any and anything
    else.
    """
    cells: dict[tuple[object, ...], list[int]] = {}
    for index, source in enumerate(photos.sources):
        labels = tuple(int(classes[index]) for classes in photos.classes.values())
        cells.setdefault((source, *labels), []).append(index)
    drawn = np.zeros(len(photos.sources))
    for indices in cells.values():
        drawn[indices] = len(indices) ** (hyperparameters.balance - 1)
    foreign = are_foreign(photos)
    if foreign.any() and not foreign.all():
        drawn[foreign] *= hyperparameters.foreign / drawn[foreign].sum()
        drawn[~foreign] *= (1 - hyperparameters.foreign) / drawn[~foreign].sum()
    normalised: NDArray[np.float64] = drawn / drawn.sum()
    return normalised


def are_foreign(photos: Pictures) -> NDArray[np.bool_]:
    """Return which photos show ``other``; none if the type is not trained: (n,)."""
    if "waste_type" not in photos.classes:
        return np.zeros(len(photos.sources), bool)
    foreign: NDArray[np.bool_] = photos.classes["waste_type"] == LABELS["waste_type"].index("other")
    return foreign


def smoothed(classes: Classes, labels: int, smoothing: float) -> Floats:
    """Return the training targets: (n, labels) probabilities, with ``smoothing`` of each spread over all labels.

    A class that is UNKNOWN has only zeros.
    """
    right = np.eye(labels, dtype=np.float32)[classes]
    wanted = (right * (1 - smoothing) + smoothing / labels).astype(np.float32)
    return np.where((classes == UNKNOWN)[:, None], np.float32(0), wanted)


def plain(photos: Pictures, side: int) -> Examples:
    """Return ``photos`` as inputs of the network, in the size that it reads."""
    return Examples(photos.subjects, photos.classes, side)


def resized(picture: Image.Image, side: int) -> Pixels:
    """Resize like Photo.resized."""
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))
