"""The photos that a network learns from, and the views of them: the same ones for the same seed.

What a network must not learn is which source has which label. So sources are drawn more evenly than they are large,
foreign objects as often as plastic, and all of them are laid on the grounds of every source.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from providers.base import LABELS, Pixels, Task
from providers.local_cnn import augmentation, backbone, scenes
from providers.local_cnn.augmentation import Subject
from providers.local_cnn.recipe import Recipe
from providers.local_cnn.scenes import Scenery
from providers.local_cnn.stored_views import NO_PHOTO, View

Floats = NDArray[np.float32]
Classes = NDArray[np.int64]
"""Indices in LABELS, or UNKNOWN."""
UNKNOWN = -1
"""The class of a photo for a task for which it has no label: it teaches that task nothing."""

_MOST_GROUNDS = 60
"""Of one source: no training needs more, and they lie in memory as pixels."""


@dataclass(frozen=True)
class Pictures:
    """Upright photos, and what people say of each."""

    subjects: Sequence[Subject]
    """Twenty thousand take 0.7 GB. Those that are only asked about need no outline."""
    classes: Mapping[Task, Classes]
    """(n,) for each task that is learned."""
    sources: Sequence[str]
    """Where each comes from; empty where nothing is said."""

    def those(self, chosen: NDArray[np.bool_]) -> "Pictures":
        """Of all photos the ``chosen`` ones: (n,)."""
        indices = list(map(int, np.flatnonzero(chosen)))
        return Pictures(
            [self.subjects[index] for index in indices],
            {task: classes[chosen] for task, classes in self.classes.items()},
            [self.sources[index] for index in indices],
        )


@dataclass(frozen=True)
class Examples:
    """Pictures of one size, ready to be learned from or asked about."""

    pixels: NDArray[np.uint8]
    """(n, side, side, 3)."""
    classes: Mapping[Task, Classes]

    @property
    def inputs(self) -> Floats:
        """What the network reads."""
        return backbone.scaled(self.pixels)


class TrainingSet:
    """Views of training photos, and of empty slots among them."""

    def __init__(self, tasks: Sequence[Task], photos: Pictures, recipe: Recipe) -> None:
        self._tasks, self._recipe = tuple(tasks), recipe
        self._subjects, self._classes = photos.subjects, photos.classes
        self.size = len(self._subjects)
        """Photos; an epoch learns from as many views."""
        self.shares = shares(photos, recipe)
        """How often each photo is drawn, 1 in all: (n,)."""
        self._scenery = Scenery(
            scenes.rendered("grounds"),
            self._grounds(photos.sources),
            scenes.rendered("hands"),
            whole=self._foreign_photos(photos.sources),
            whole_share=recipe.whole_ground,
        )

    def views(self) -> Iterator[View]:
        """Each photo by itself and in some random views, then the empty slots."""
        for index in range(self.size):
            for number in range(self._recipe.views + 1):
                yield self._view(index, number)
        for number in range(self._empty):
            rng = np.random.default_rng((self._recipe.seed, self.size, number))
            classes = dict.fromkeys(self._tasks, UNKNOWN) | {"waste_type": LABELS["waste_type"].index("other")}
            yield NO_PHOTO, augmentation.empty(self._recipe.train_side, self._scenery, rng), classes

    @property
    def count(self) -> int:
        """How many views there are."""
        return self.size * (self._recipe.views + 1) + self._empty

    def targets(self, classes: Mapping[Task, Classes]) -> Floats:
        """Smoothed probabilities of all tasks' labels side by side, zero where a label is unknown: (n, labels)."""
        return np.concatenate(
            [smoothed(classes[task], len(LABELS[task]), self._recipe.label_smoothing) for task in self._tasks], axis=1
        )

    @property
    def _empty(self) -> int:
        return round(self._recipe.empty * self.size) if "waste_type" in self._tasks and self._recipe.empty else 0

    def _grounds(self, sources: Sequence[str]) -> list[Image.Image]:
        """Those beside the items of photos, of every source alike, so that none of them goes with a label."""
        grounds: dict[str, list[Image.Image]] = {}
        for index in map(int, np.random.default_rng(self._recipe.seed).permutation(self.size)):
            seen, found = self._subjects[index], grounds.setdefault(sources[index], [])
            if len(found) < _MOST_GROUNDS and (cutout := seen.cutout):
                found += filter(None, [scenes.beside(seen.picture, cutout)])
        return [ground for found in grounds.values() for ground in found]

    def _foreign_photos(self, sources: Sequence[str]) -> list[list[bytes]]:
        """Rooms, trays, tables without plastic, by source: plastic that lies on them is plastic."""
        photos: dict[str, list[bytes]] = {}
        for index in map(int, np.flatnonzero(_are_foreign(self._classes, self.size))):
            photos.setdefault(sources[index], []).append(self._subjects[index].jpeg)
        return list(photos.values())

    def _view(self, index: int, number: int) -> View:
        """The photo itself if ``number`` is 0, and a random view of it otherwise."""
        rng, side = np.random.default_rng((self._recipe.seed, index, number)), self._recipe.train_side
        classes = {task: int(self._classes[task][index]) for task in self._tasks}
        if not number:
            pixels = resized(self._subjects[index].picture, side)
            return index, pixels[:, ::-1] if rng.random() < 0.5 else pixels, classes
        stained = self._may_be_stained(index) and rng.random() < self._recipe.stained
        pixels = augmentation.view(
            self._subjects[index],
            side,
            self._scenery,
            rng,
            other_ground=self._recipe.other_ground,
            held=self._recipe.held,
            stained=stained,
        )
        if stained and "cleanliness" in classes:
            classes["cleanliness"] = LABELS["cleanliness"].index("dirty")
        return index, pixels, classes

    def _may_be_stained(self, index: int) -> bool:
        # A can with paint on it is a can; what is dirty already needs no more.
        labels = {LABELS[task][class_] for task in self._tasks if (class_ := self._classes[task][index]) != UNKNOWN}
        return self._subjects[index].outline is not None and not labels & {"other", "dirty"}


def shares(photos: Pictures, recipe: Recipe) -> NDArray[np.float64]:
    """How often each photo is drawn, 1 in all: (n,).

    The photos of one source with the same labels are drawn as often as their number to the power ``recipe.balance``
    says; of all draws ``recipe.foreign`` show what is other, where there is any, and anything else.
    """
    cells: dict[tuple[object, ...], list[int]] = {}
    for index, source in enumerate(photos.sources):
        labels = tuple(int(classes[index]) for classes in photos.classes.values())
        cells.setdefault((source, *labels), []).append(index)
    drawn = np.zeros(len(photos.sources))
    for indices in cells.values():
        drawn[indices] = len(indices) ** (recipe.balance - 1)
    foreign = _are_foreign(photos.classes, len(drawn))
    if foreign.any() and not foreign.all():
        drawn[foreign] *= recipe.foreign / drawn[foreign].sum()
        drawn[~foreign] *= (1 - recipe.foreign) / drawn[~foreign].sum()
    normalised: NDArray[np.float64] = drawn / drawn.sum()
    return normalised


def _are_foreign(classes: Mapping[Task, Classes], count: int) -> NDArray[np.bool_]:
    if "waste_type" not in classes:
        return np.zeros(count, bool)
    foreign: NDArray[np.bool_] = classes["waste_type"] == LABELS["waste_type"].index("other")
    return foreign


def smoothed(classes: Classes, labels: int, smoothing: float) -> Floats:
    """What is to be learned: (n, labels) probabilities, ``smoothing`` of each shared out among all labels.

    A class that is UNKNOWN has no probability anywhere.
    """
    right = np.eye(labels, dtype=np.float32)[classes]
    wanted = (right * (1 - smoothing) + smoothing / labels).astype(np.float32)
    return np.where((classes == UNKNOWN)[:, None], np.float32(0), wanted)


def plain(photos: Pictures, side: int) -> Examples:
    """``photos`` as the machine itself will see them."""
    pixels = [resized(seen.picture, side) for seen in photos.subjects]
    return Examples(np.stack(pixels), photos.classes)


def resized(picture: Image.Image, side: int) -> Pixels:
    """As Photo.resized does it."""
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))
