"""The photos that a network learns from, and the views of them: the same ones for the same seed."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from providers.base import LABELS, Pixels, Task
from providers.local_cnn import augmentation, backbone, scenes
from providers.local_cnn.recipe import Recipe
from providers.local_cnn.scenes import Scenery

Floats = NDArray[np.float32]
Classes = NDArray[np.int64]
"""Indices in LABELS."""


@dataclass(frozen=True)
class Pictures:
    """Upright RGB pictures and the index of each one's label in LABELS."""

    pictures: Sequence[Image.Image]
    classes: Classes


@dataclass(frozen=True)
class Examples:
    """Pictures of one size, ready to be learned from or asked about."""

    pixels: NDArray[np.uint8]
    """(n, side, side, 3)."""
    classes: Classes

    @property
    def inputs(self) -> Floats:
        """What the network reads."""
        return backbone.scaled(self.pixels)


class TrainingSet:
    """Views of training photos, and of empty slots among them."""

    def __init__(
        self, task: Task, photos: Pictures, recipe: Recipe, on_photo: Callable[[int, int], None] = lambda *_: None
    ) -> None:
        """Cut out all items. Raises ProviderMisconfigured where OpenCV is missing."""
        self._task, self._recipe = task, recipe
        self._classes = photos.classes
        self._subjects = []
        for index, picture in enumerate(photos.pictures, start=1):
            self._subjects.append(augmentation.subject(picture))
            on_photo(index, len(photos.pictures))
        grounds = scenes.found((seen.picture, seen.cutout) for seen in self._subjects)
        self._scenery = Scenery(scenes.rendered("grounds"), grounds, scenes.rendered("hands"))
        empty = round(recipe.empty * len(self._subjects)) if task == "waste_type" else 0
        self.size = len(self._subjects) + empty
        """Photos and empty slots."""

    def plain(self) -> Iterator[tuple[Pixels, int]]:
        """Every photo whole and unturned, with its class."""
        for seen, class_ in zip(self._subjects, self._classes, strict=True):
            yield resized(seen.picture, self._recipe.input_side), int(class_)

    def views(self, rng: Generator) -> Iterator[tuple[Pixels, int]]:
        """A random view of each, large enough for the finished model, with its class."""
        for index in range(self.size):
            yield self._view(index, self._recipe.input_side, rng)

    def batches(self, epoch: int, member: int = 0) -> Iterator[Examples]:
        """One view of each in a random order; the next batch is drawn while the last one is learned."""
        seeds = (self._recipe.seed, member, epoch)
        order = np.random.default_rng(seeds).permutation(self.size)
        parts = [order[start : start + self._recipe.batch] for start in range(0, self.size, self._recipe.batch)]
        with ThreadPoolExecutor(1) as drawing:
            waiting = drawing.submit(self._batch, (*seeds, 0), parts[0])
            for number in range(1, len(parts)):
                drawn, waiting = waiting.result(), drawing.submit(self._batch, (*seeds, number), parts[number])
                yield drawn
            yield waiting.result()

    def laid_elsewhere(self) -> Examples:
        """Each item that was cut out on another ground, with its class; in the order of :meth:`outlines`."""
        drawn = [
            augmentation.view(
                self._subjects[index],
                self._recipe.train_side,
                self._scenery,
                np.random.default_rng((self._recipe.seed, 0, int(index))),
                other_ground=1,
            )
            for index in self.outlines
        ]
        shape = (-1, self._recipe.train_side, self._recipe.train_side, 3)
        return Examples(np.array(drawn, np.uint8).reshape(shape), self._classes[self.outlines])

    @property
    def outlines(self) -> Classes:
        """The indices of the photos whose item was cut out."""
        return np.array([index for index, seen in enumerate(self._subjects) if seen.cutout], np.int64)

    @outlines.setter
    def outlines(self, kept: Classes) -> None:
        chosen = set(map(int, kept))
        self._subjects = [
            seen if index in chosen else replace(seen, cutout=None) for index, seen in enumerate(self._subjects)
        ]

    def targets(self, classes: Classes) -> Floats:
        """Smoothed probabilities: (n, labels)."""
        return smoothed(classes, len(LABELS[self._task]), self._recipe.label_smoothing)

    def weights(self, classes: Classes) -> Floats:
        """How much each view counts: (n,)."""
        return balance(self._expected())[classes]

    def _expected(self) -> NDArray[np.float64]:
        """How many views of each class an epoch shows."""
        labels = LABELS[self._task]
        counts = np.bincount(self._classes, minlength=len(labels)).astype(float)
        if self._task == "waste_type":
            counts[labels.index("other")] += self.size - len(self._subjects)
        else:
            stainable = sum(self._may_be_stained(index) for index in range(len(self._subjects)))
            counts += (
                self._recipe.stained * stainable * np.array([{"clean": -1, "dirty": 1}[label] for label in labels])
            )
        return counts

    def _may_be_stained(self, index: int) -> bool:
        # A can with paint on it is a can; what is dirty already needs no more.
        label = LABELS[self._task][self._classes[index]]
        return self._subjects[index].cutout is not None and label not in {"other", "dirty"}

    def _view(self, index: int, side: int, rng: Generator) -> tuple[Pixels, int]:
        if index >= len(self._subjects):
            return augmentation.empty(side, self._scenery, rng), LABELS[self._task].index("other")
        stained = self._may_be_stained(index) and rng.random() < self._recipe.stained
        pixels = augmentation.view(
            self._subjects[index],
            side,
            self._scenery,
            rng,
            other_ground=self._recipe.other_ground,
            stained=stained,
        )
        if stained and self._task == "cleanliness":
            return pixels, LABELS[self._task].index("dirty")
        return pixels, int(self._classes[index])

    def _batch(self, seeds: tuple[int, ...], indices: Classes) -> Examples:
        rng = np.random.default_rng(seeds)
        drawn = [self._view(int(index), self._recipe.train_side, rng) for index in indices]
        return Examples(np.stack([pixels for pixels, _ in drawn]), np.array([class_ for _, class_ in drawn]))


def smoothed(classes: Classes, labels: int, smoothing: float) -> Floats:
    """What is to be learned: (n, labels) probabilities, ``smoothing`` of each shared out among all labels."""
    right = np.eye(labels, dtype=np.float32)[classes]
    return (right * (1 - smoothing) + smoothing / labels).astype(np.float32)


def balance(counts: NDArray[Any]) -> Floats:
    """The weight of each label: the square root of full balance, lest a few noisy photos of a rare one rule."""
    known = np.maximum(counts, 1)
    weights: Floats = np.sqrt(known.sum() / (len(known) * known)).astype(np.float32)
    return weights


@dataclass(frozen=True)
class Validation:
    """The photos by which epochs, temperature and thresholds are chosen."""

    plain: Examples
    """As the machine itself will see them."""
    views: Examples
    """One view of each, most on other grounds: a network that reads the ground does well on the plain ones alone."""


def validation(task: Task, photos: Pictures, recipe: Recipe) -> Validation:
    """The same views for the same seed. Raises ProviderMisconfigured where OpenCV is missing."""
    # Nothing but the photos themselves, whose labels people gave.
    shown = TrainingSet(task, photos, recipe.model_copy(update={"stained": 0.0, "empty": 0.0}))
    views = [pixels for pixels, _ in shown.views(np.random.default_rng(recipe.seed))]
    return Validation(plain(photos, recipe.input_side), Examples(np.stack(views), photos.classes))


def plain(photos: Pictures, side: int) -> Examples:
    """``photos`` as the machine itself will see them."""
    return Examples(np.stack([resized(picture, side) for picture in photos.pictures]), photos.classes)


def resized(picture: Image.Image, side: int) -> Pixels:
    """As Photo.resized does it."""
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))
