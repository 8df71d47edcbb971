"""Robustness: accuracy lost when the same photos are taken under worse conditions, or on another ground.

The conditions are moderate, after Hendrycks & Dietterich, Benchmarking Neural Network Robustness (2019). Each photo
gets the same change in every run, whatever the list it is in; losses are paired by photo.

Other grounds are tested with items from a plain, light ground: elsewhere outlines often miss a part of the item, and
would be measured instead. Such items are a biased sample, so the photos are counted by label. Training pictures
are composed by the same function (:func:`.augmentation.laid_on`), whose shadows and seams
the network has learned: the loss measured here is a lower bound of that on real grounds.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from providers.base import LABELS, Photo, Provider
from providers.local_cnn.training import cutout, scenes
from providers.local_cnn.training.augmentation import border_colour, laid_on
from providers.local_cnn.training.cutout import Cutout
from triof.datasets.photo_dataset import LabelledPhoto, decode
from triof.evaluation import curves
from triof.evaluation.curves import Figure, Numbers
from triof.evaluation.evaluation import EvaluatedPhoto, Evaluation, accuracy, macro_f1, share_right
from triof.judging.photo import load as load_photo
from triof.settings.sections.photo import DEFAULT_LIMITS, PhotoLimits

OTHER_GROUND = "other ground"

_TIMEOUT = 30.0
_SIDE = 400
"""Maximum pixels of the longer side of changed photos: noise on more pixels would average out."""
_EXAMPLES = 6
_EXAMPLE_SIDE = 160
_ANY_SIZE = PhotoLimits(min_side=1)
_BLUR_PARTS = 150
_LIGHT_LEFT, _DARK_SIGMA = 0.4, 4
_JPEG_QUALITY = 30
_SIGMA = 15

Change = Callable[[Image.Image, Generator], Image.Image]


@dataclass(frozen=True)
class Example:
    """A thumbnail under the condition, with its true and predicted label."""

    picture: Image.Image
    right: str
    said: str


@dataclass(frozen=True)
class Condition:
    """The loss under one condition, on the photos to which it could be applied."""

    name: str
    photos: int
    labels: Mapping[str, int]
    """Number of these photos by label."""
    unchanged: float
    """Accuracy on these photos without the condition."""
    changed: float
    lost: Figure
    """Loss of accuracy; paired, so that hard photos do not widen the interval."""
    macro_f1_lost: Figure
    examples: tuple[Example, ...] = field(repr=False)
    """Photos that became wrong first."""


@dataclass(frozen=True)
class Robustness:
    """All conditions, and the means over the corruptions, without :data:`OTHER_GROUND`."""

    conditions: tuple[Condition, ...]
    mean_lost: Figure
    mean_macro_f1_lost: Figure

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-serialisable values."""
        conditions = {condition.name: _numbers(condition) for condition in self.conditions}
        means = {"mean_lost": asdict(self.mean_lost), "mean_macro_f1_lost": asdict(self.mean_macro_f1_lost)}
        return {"conditions": conditions, **means}


@dataclass(frozen=True)
class Cuttings:
    """The segmented items of some photos, and the grounds around them, by group of the photo."""

    items: Mapping[Path, Cutout]
    grounds: Sequence[tuple[str, Image.Image]]

    def elsewhere(self, group: str) -> scenes.Scenery:
        """Return grounds for a photo of ``group``: rendered ones never used in training, and those of other photos.

        If the photos are those of ``train``, the latter were used in training.
        """
        others = [ground for owner, ground in self.grounds if owner != group]
        return scenes.Scenery(scenes.rendered("grounds", held_out=True), others, drawn=0.0)


class _ConditionRun:
    """One condition under evaluation."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.before: list[EvaluatedPhoto] = []
        self.after: list[EvaluatedPhoto] = []
        self._lost: list[Example] = []
        self._others: list[Example] = []

    def add(self, before: EvaluatedPhoto, after: EvaluatedPhoto, seen: Image.Image) -> None:
        self.before.append(before)
        self.after.append(after)
        examples = self._lost if before.hit and not after.hit else self._others
        if len(examples) < _EXAMPLES:
            small = seen.copy()
            small.thumbnail((_EXAMPLE_SIDE, _EXAMPLE_SIDE))
            examples.append(Example(small, after.right, after.said))

    def losses(self) -> tuple[Numbers, Numbers]:
        """Return the losses of accuracy and macro F1, for the photos and every resample."""
        task = self.before[0].prediction.task
        weights = curves.resampled([answer.item.group for answer in self.before])
        lost = accuracy(weights, self.before) - accuracy(weights, self.after)
        return lost, macro_f1(weights, task, self.before) - macro_f1(weights, task, self.after)

    def condition(self) -> Condition:
        lost, f1_lost = self.losses()
        half = _EXAMPLES // 2
        counts = Counter(answer.right for answer in self.before)
        return Condition(
            name=self.name,
            photos=len(self.before),
            labels={label: counts[label] for label in LABELS[self.before[0].prediction.task]},
            unchanged=share_right(self.before),
            changed=share_right(self.after),
            lost=curves.figure(lost),
            macro_f1_lost=curves.figure(f1_lost),
            examples=tuple([*self._lost[:half], *self._others, *self._lost[half:]][:_EXAMPLES]),
        )


def cut_out(
    photos: Sequence[LabelledPhoto], on_photo: Callable[[], None] = lambda: None, limits: PhotoLimits = DEFAULT_LIMITS
) -> Cuttings:
    """Segment ``photos`` for :data:`OTHER_GROUND`. Raises ProviderMisconfigured if OpenCV is missing."""
    items: dict[Path, Cutout] = {}
    grounds: list[tuple[str, Image.Image]] = []
    for item, picture in _pictures(photos, limits):
        if cut := cutout.cut_out(picture):
            if cut.divisible:
                items[item.path] = cut
            grounds += [(item.group, ground) for ground in scenes.found([(picture, cut)])]
        on_photo()
    return Cuttings(items, grounds)


def measure(
    provider: Provider,
    evaluation: Evaluation,
    cuttings: Cuttings,
    on_photo: Callable[[], None] = lambda: None,
    limits: PhotoLimits = DEFAULT_LIMITS,
) -> Robustness:
    """Run ``provider`` on the photos of its ``evaluation`` under every condition. Raises the provider's errors."""
    trials = {name: _ConditionRun(name) for name in (*CORRUPTIONS, OTHER_GROUND)}
    before = {answer.item.path: answer for answer in evaluation.answers}
    # Shuffled, so that the first ones make good examples.
    items = sorted((answer.item for answer in evaluation.answers), key=lambda item: _seed("order", item))
    for item, picture in _pictures(items, limits):
        for name, seen in _under_all(picture, item, cuttings):
            prediction = provider.predict(_photo(seen), timeout=_TIMEOUT)
            trials[name].add(before[item.path], EvaluatedPhoto(item, prediction), seen)
        on_photo()
    losses, f1_losses = zip(*(trials[name].losses() for name in CORRUPTIONS), strict=True)
    return Robustness(
        conditions=tuple(trial.condition() for trial in trials.values() if trial.before),
        mean_lost=curves.figure(np.mean(losses, axis=0)),
        mean_macro_f1_lost=curves.figure(np.mean(f1_losses, axis=0)),
    )


def on_other_ground(picture: Image.Image, cut: Cutout, scenery: scenes.Scenery, rng: Generator) -> Image.Image:
    """Return the item cut out of ``picture`` on a ground of ``scenery``, with the same size and position."""
    ground = scenery.ground(max(picture.size), rng)[: picture.height, : picture.width]
    alpha = np.asarray(cut.alpha, np.float32) / np.float32(255)
    return _picture(laid_on(np.asarray(picture, np.float32), alpha, cut, ground, rng))


def _blurred(picture: Image.Image, _: Generator) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(max(picture.size) / _BLUR_PARTS))


def _dimmed(picture: Image.Image, rng: Generator) -> Image.Image:
    return _grainy(_LIGHT_LEFT * np.asarray(picture, np.float32), _DARK_SIGMA, rng)


def _compressed(picture: Image.Image, _: Generator) -> Image.Image:
    jpeg = BytesIO()
    picture.save(jpeg, "JPEG", quality=_JPEG_QUALITY)
    return load_photo(jpeg.getvalue(), _ANY_SIZE).picture


def _noisy(picture: Image.Image, rng: Generator) -> Image.Image:
    return _grainy(np.asarray(picture, np.float32), _SIGMA, rng)


def _turned(picture: Image.Image, rng: Generator) -> Image.Image:
    angle, fill = float(rng.uniform(-180, 180)), border_colour(picture)
    return picture.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)


CORRUPTIONS: Mapping[str, Change] = {
    "blur": _blurred,
    "low light": _dimmed,
    "JPEG 30": _compressed,
    "noise": _noisy,
    "rotation": _turned,
}
EXPLAINED: Mapping[str, str] = {
    "blur": f"radius 1/{_BLUR_PARTS} of the longer side",
    "low light": f"{100 * _LIGHT_LEFT:.0f} % of the light, and a sensor's noise",
    "JPEG 30": f"packed with quality {_JPEG_QUALITY}",
    "noise": f"sigma {_SIGMA} of 255",
    "rotation": "by any angle, nothing cut off",
    OTHER_GROUND: "the item laid on a rendered ground that no training has seen, or on that of another photo",
}
"""Description of each condition for reports."""


def _grainy(pixels: NDArray[np.float32], sigma: float, rng: Generator) -> Image.Image:
    return _picture(pixels + sigma * rng.standard_normal(pixels.shape, np.float32))


def _picture(pixels: NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _under_all(picture: Image.Image, item: LabelledPhoto, cuttings: Cuttings) -> Iterator[tuple[str, Image.Image]]:
    for name, change in CORRUPTIONS.items():
        yield name, change(picture, np.random.default_rng(_seed(name, item)))
    if cut := cuttings.items.get(item.path):
        rng = np.random.default_rng(_seed(OTHER_GROUND, item))
        yield OTHER_GROUND, on_other_ground(picture, cut, cuttings.elsewhere(item.group), rng)


def _seed(purpose: str, item: LabelledPhoto) -> int:
    return int.from_bytes(hashlib.sha256(f"{purpose}|{item.path.name}".encode()).digest()[:8])


def _pictures(items: Sequence[LabelledPhoto], limits: PhotoLimits) -> Iterator[tuple[LabelledPhoto, Image.Image]]:
    """Yield the readable photos; the evaluation has listed the others."""
    for item, photo in decode(items, limits, needed_side=_SIDE, unreadable=[]):
        picture = photo.picture
        picture.thumbnail((_SIDE, _SIDE), reducing_gap=2.0)
        yield item, picture


def _photo(picture: Image.Image) -> Photo:
    return Photo(picture, hashlib.sha256(picture.tobytes()).hexdigest(), *picture.size)


def _numbers(condition: Condition) -> dict[str, Any]:
    return {
        "photos": condition.photos,
        "labels": dict(condition.labels),
        "accuracy_unchanged": condition.unchanged,
        "accuracy_changed": condition.changed,
        "lost": asdict(condition.lost),
        "macro_f1_lost": asdict(condition.macro_f1_lost),
    }
