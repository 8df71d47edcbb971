"""Training of a bundle by transfer learning; the only place that imports TensorFlow and Keras.

EfficientNet-Lite0 is cut in two. The lower part stays as ImageNet left it: edges and textures are the same
everywhere. Every photo is seen in several views; what the frozen backbone makes of them is computed once, by LiteRT,
which is several times as fast as TensorFlow. On these features the head is fitted; then the upper part of the
backbone and the head can be tuned together for some epochs.
The epoch, the temperature and the thresholds are chosen on ``val``; the test photos never come here.
"""

import hashlib
import importlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from providers.base import LABELS, Pixels, ProviderMisconfigured, Task
from providers.local_cnn import augmentation, backbone, calibration
from providers.local_cnn.bundle import BundleCard, Input
from providers.local_cnn.head import Floats, calibrated_loss, fit
from providers.local_cnn.runtime import Extractor
from providers.local_cnn.weights import imagenet_weights
from providers.options import Options

Classes = NDArray[np.int64]
Progress = Callable[[str, int, int], None]
"""Called with a stage's name, the steps done and all of its steps."""


class TrainerSettings(Options):
    """The recipe; docs/model-card.md names the one of the shipped bundles."""

    epochs: int = Field(default=0, ge=0)
    """Of tuning the upper part; 0 leaves the backbone as ImageNet made it."""
    views: int = Field(default=4, ge=1)
    """Of each photo: the photo itself and ``views - 1`` random ones."""
    learning_rate: float = Field(default=1e-4, gt=0)
    batch: int = Field(default=32, ge=1)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    drawn: float = Field(default=0.05, ge=0, le=1)
    """Pictures of each drawn kind for each real photo: empty trays, and stained copies of photos."""
    seed: int = 1


@dataclass(frozen=True)
class Pictures:
    """Upright RGB pictures and the index of each one's label in LABELS."""

    pictures: Sequence[Image.Image]
    classes: Classes


@dataclass(frozen=True)
class Trained:
    """What a training gives: a bundle that only has to be saved, and how it came about."""

    card: BundleCard
    model: bytes
    curves: tuple[Mapping[str, float], ...]
    """One entry per epoch; epoch 0 is the head on the frozen backbone."""


@dataclass
class _Views:
    """What the frozen backbone makes of every view."""

    classes: Classes
    features: list[Floats] = field(default_factory=list)
    """Of each view: (photos, features)."""
    activations: list[NDArray[np.float16]] = field(default_factory=list)
    """Of each view: (photos, height, width, channels) where the backbone is cut; empty when nothing is tuned."""


def train(
    task: Task, train_set: Pictures, val_set: Pictures, settings: TrainerSettings, on_progress: Progress
) -> Trained:
    """Train a model for ``task``. Raises ProviderMisconfigured when the training extra is missing."""
    keras = _import("keras")
    keras.utils.set_random_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    train_set = _with_drawn(task, train_set, settings, rng)
    whole = build_model(len(LABELS[task]))
    outputs = [whole.get_layer("features").output] + [_cut(whole)] * bool(settings.epochs)
    extractor = Extractor(_convert(keras.Model(whole.input, outputs)))
    seen = _views(extractor, train_set, settings.views, rng, _Stage("training photos", on_progress))
    val = _views(extractor, val_set, 1, rng, _Stage("validation photos", on_progress))
    tuning = _Tuning(keras, whole, seen, val, settings)
    curves = tuning.run(_Stage("head and tuning", on_progress))
    model = _convert(whole, half_precision=True)
    return Trained(_card(task, tuning, model, settings, curves), model, curves)


def build_model(labels: int) -> Any:
    """A ``keras.Model`` from photos in backbone.INPUT_RANGE to logits: ImageNet's weights under a head yet to fit."""
    keras = _import("keras")
    model = backbone.build(keras)
    backbone.load_weights(model, imagenet_weights())
    dropped = keras.layers.Dropout(0.2)(backbone.add_features(keras, model))
    return keras.Model(model.input, keras.layers.Dense(labels, name="head")(dropped))


@dataclass(frozen=True)
class _Stage:
    name: str
    on_progress: Progress

    def done(self, step: int, steps: int) -> None:
        self.on_progress(self.name, step, steps)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ProviderMisconfigured(
            f"Training needs {name}: install Triof with its training extra, pip install 'triof[train]'."
        ) from error


def _with_drawn(task: Task, photos: Pictures, settings: TrainerSettings, rng: np.random.Generator) -> Pictures:
    """Add empty trays, which are other, and stained copies, which are dirty and of the type they were."""
    count = round(settings.drawn * len(photos.pictures))
    if task == "cleanliness":
        stained = _stained(photos, "clean", LABELS[task], count, rng)
        dirty = np.full_like(stained.classes, LABELS[task].index("dirty"))
        return _joined(photos, Pictures(stained.pictures, dirty))
    trays = [augmentation.empty_tray(backbone.INPUT_SIDE, rng) for _ in range(count)]
    photos_and_trays = _joined(photos, Pictures(trays, np.full(count, LABELS[task].index("other"), np.int64)))
    plastic = [label for label in LABELS[task] if label != "other"]
    return _joined(photos_and_trays, *(_stained(photos, label, LABELS[task], count, rng) for label in plastic))


def _joined(*parts: Pictures) -> Pictures:
    pictures = [picture for part in parts for picture in part.pictures]
    return Pictures(pictures, np.concatenate([part.classes for part in parts]))


def _stained(photos: Pictures, label: str, labels: Sequence[str], count: int, rng: np.random.Generator) -> Pictures:
    """Up to ``count`` stained copies of photos of ``label``, of those that lie on a plain ground."""
    class_ = labels.index(label)
    chosen = rng.permutation(np.flatnonzero(photos.classes == class_))
    copies = (augmentation.soiled(photos.pictures[index], backbone.INPUT_SIDE, rng) for index in chosen)
    stained = list(islice(filter(None, copies), count))
    return Pictures(stained, np.full(len(stained), class_, np.int64))


def _cut(whole: Any) -> Any:
    """The tensor between the lower part, which stays, and the upper part, which is tuned."""
    return whole.get_layer(f"_blocks.{backbone.SHALLOW_BLOCKS[-1] + 1}._expand_conv").input


def _views(extractor: Extractor, photos: Pictures, count: int, rng: np.random.Generator, stage: _Stage) -> _Views:
    views = _Views(photos.classes)
    total = count * len(photos.pictures)
    for view in range(count):
        seen = []
        for index, picture in enumerate(photos.pictures):
            seen.append(extractor(_scaled(_look(picture, view, rng))))
            stage.done(view * len(photos.pictures) + index + 1, total)
        features, *activations = (np.stack(tensors) for tensors in zip(*seen, strict=True))
        views.features.append(features)
        views.activations.extend(tensor.astype(np.float16) for tensor in activations)
    return views


def _look(picture: Image.Image, view: int, rng: np.random.Generator) -> Pixels:
    side = backbone.INPUT_SIDE
    if view:
        return augmentation.augmented(picture, side, rng)
    # The first view is what the machine itself will see: Photo.resized.
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))


def _scaled(pixels: Pixels) -> Floats:
    low, high = backbone.INPUT_RANGE
    return pixels.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)


class _Tuning:
    """The upper part of the backbone and the head while they learn."""

    def __init__(self, keras: Any, whole: Any, seen: _Views, val: _Views, settings: TrainerSettings) -> None:
        self._seen, self._val, self._settings = seen, val, settings
        self.val_classes = val.classes
        self.val_logits: Floats = np.empty((0, 0), np.float32)
        """(photos of ``val``, labels), of the weights that were kept."""
        # Shares its layers with ``whole``: what it learns, that knows.
        shallow = [whole.get_layer(f"pooled_blocks.{block}").output for block in backbone.SHALLOW_BLOCKS]
        self._head = whole.get_layer("head")
        self._upper = keras.Model([_cut(whole), *shallow], whole.output)
        self._widths = [tensor.shape[-1] for tensor in shallow]
        labels = whole.output.shape[-1]
        self._weights = _class_weights(seen.classes, labels)[seen.classes]
        smoothing = settings.label_smoothing
        self._targets = np.eye(labels, dtype=np.float32)[seen.classes] * (1 - smoothing) + smoothing / labels
        self._rng = np.random.default_rng(settings.seed)
        steps = max(1, settings.epochs * math.ceil(len(seen.classes) / settings.batch))
        self._upper.compile(
            keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps), 1e-3),
            keras.losses.CategoricalCrossentropy(from_logits=True),
            # Keras would choose XLA, whose convolutions are slow to compile and to run on a CPU.
            jit_compile=False,
        )
        if settings.epochs:
            # Otherwise TensorFlow would meet the optimizer's variables in its first step, and trace that step twice.
            self._upper.optimizer.build(self._upper.trainable_variables)

    def run(self, stage: _Stage) -> tuple[Mapping[str, float], ...]:
        """Fit the head, then tune; the weights of the best epoch on ``val`` are kept."""
        steps = self._settings.epochs + 1
        self._fit_head()
        curves = [self._measured(0)]
        best, kept = curves[0]["val_loss"], self._upper.get_weights()
        stage.done(1, steps)
        for epoch in range(1, steps):
            train_loss = self._tune(epoch)
            self.val_logits = self._run_upper(self._val)
            curves.append({**self._measured(epoch), "train_loss": round(train_loss, 4)})
            if curves[-1]["val_loss"] < best:
                best, kept, self._kept_logits = curves[-1]["val_loss"], self._upper.get_weights(), self.val_logits
            stage.done(epoch + 1, steps)
        self._upper.set_weights(kept)
        self.val_logits = self._kept_logits
        return tuple(curves)

    def _fit_head(self) -> None:
        views = len(self._seen.features)
        head = fit(
            np.concatenate(self._seen.features),
            np.tile(self._targets, (views, 1)),
            np.tile(self._weights, views),
            self._val.features[0],
            self._val.classes,
        )
        self._head.set_weights([head.kernel, head.bias])
        self.val_logits = self._kept_logits = head.logits(self._val.features[0])

    def _tune(self, epoch: int) -> float:
        """One pass over all photos, in the next of their views; returns the mean loss."""
        total = 0.0
        for inputs, targets, weights in self._batches(epoch):
            # Of this batch alone: Keras forgets the ones before.
            total += float(self._upper.train_on_batch(inputs, targets, sample_weight=weights)) * len(targets)
        return total / len(self._seen.classes)

    def _batches(self, epoch: int) -> Iterator[tuple[list[Floats], Floats, Floats]]:
        # Every photo in another view, so that the views of one epoch differ in kind from photo to photo.
        view = (np.arange(len(self._seen.classes)) + epoch) % len(self._seen.activations)
        order = self._rng.permutation(len(self._seen.classes))
        for start in range(0, len(order), self._settings.batch):
            chosen = order[start : start + self._settings.batch]
            activations = np.stack([self._seen.activations[view[index]][index] for index in chosen])
            features = np.stack([self._seen.features[view[index]][index] for index in chosen])
            yield self._inputs(activations, features), self._targets[chosen], self._weights[chosen]

    def _inputs(self, activations: NDArray[np.float16], features: Floats) -> list[Floats]:
        """What the upper part reads: the activations, and the features that come from below the cut."""
        ends = np.cumsum(self._widths)
        return [activations.astype(np.float32), *np.split(features, ends, axis=1)[:-1]]

    def _run_upper(self, views: _Views) -> Floats:
        activations, features = views.activations[0], views.features[0]
        batches = [slice(start, start + 64) for start in range(0, len(features), 64)]
        logits = [self._upper(self._inputs(activations[batch], features[batch]), training=False) for batch in batches]
        return np.concatenate([np.asarray(batch) for batch in logits])

    def _measured(self, epoch: int) -> dict[str, float]:
        hits = self.val_logits.argmax(axis=1) == self._val.classes
        loss = calibrated_loss(self.val_logits, self._val.classes)
        return {"epoch": epoch, "val_loss": round(loss, 4), "val_accuracy": round(float(hits.mean()), 4)}


def _class_weights(classes: Classes, labels: int) -> Floats:
    """The square root of full balance: rare labels count, yet a few noisy photos do not rule."""
    counts = np.maximum(np.bincount(classes, minlength=labels), 1)
    return np.sqrt(len(classes) / (labels * counts)).astype(np.float32)


def _convert(model: Any, *, half_precision: bool = False) -> bytes:
    """To LiteRT, for one photo. 16-bit weights have half the size, the same answers and speed; 8-bit ones are slow."""
    tf = _import("tensorflow")
    side = backbone.INPUT_SIDE
    signature = tf.TensorSpec((1, side, side, 3), tf.float32)
    function = tf.function(lambda photo: model(photo, training=False)).get_concrete_function(signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    if half_precision:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def _card(
    task: Task, tuning: _Tuning, model: bytes, settings: TrainerSettings, curves: Sequence[Mapping[str, float]]
) -> BundleCard:
    sha256 = hashlib.sha256(model).hexdigest()
    logits, classes = tuning.val_logits, tuning.val_classes
    temperature = calibration.fit_temperature(logits, classes)
    best = min(curves, key=lambda curve: curve["val_loss"])
    return BundleCard(
        task=task,
        version=f"{task}-{date.today().isoformat()}-{sha256[:8]}",
        labels=LABELS[task],
        input=Input(width=backbone.INPUT_SIDE, height=backbone.INPUT_SIDE, range=backbone.INPUT_RANGE),
        temperature=round(temperature, 4),
        thresholds=calibration.fit_thresholds(task, calibration.softmax(logits, temperature), classes),
        sha256=sha256,
        trained_on={"backbone": "EfficientNet-Lite0, ImageNet", **settings.model_dump()},
        metrics={"val": {name: best[name] for name in ("epoch", "val_loss", "val_accuracy")}},
    )
