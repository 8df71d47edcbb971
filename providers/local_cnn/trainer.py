"""Training of a bundle by transfer learning; the only place that imports TensorFlow and Keras.

1. *Cutting out*: the item of each photo is told from its ground, where it can be (:mod:`.cutout`), so that views can
   lay it elsewhere and soil it (:mod:`.augmentation`, :mod:`.stains`).
2. *Head*: what ImageNet's frozen backbone makes of some views of every photo is computed by LiteRT, several times as
   fast as by TensorFlow, and a softmax regression is fitted on it (:mod:`.head`).
3. *Tuning*: the network as a whole, but for its lowest blocks, goes on from there, on fresh views in every epoch
   (:mod:`.tuning`). A head that fits already keeps the first steps from tearing the features apart (Kumar et al. 2022);
   a running average of the weights generalises better than the last ones (Izmailov et al. 2018).

The epoch, the side of the input, the temperature and the thresholds are chosen on ``val``; the test photos never come
here.
"""

import hashlib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Literal

import numpy as np

from providers import native_lines
from providers.base import LABELS, Pixels, ProviderMisconfigured, Task
from providers.local_cnn import backbone, calibration, embedding, reading_back, training_set
from providers.local_cnn.bundle import Bundle, BundleCard, Input, Reference
from providers.local_cnn.head import Floats, calibrated_loss, fit
from providers.local_cnn.recipe import Recipe
from providers.local_cnn.runtime import Extractor
from providers.local_cnn.training_set import Examples, Pictures, TrainingSet
from providers.local_cnn.tuning import Checkpoint, State, Tuning
from providers.local_cnn.weights import imagenet_weights
from providers.photo_statistics import SIDE, measured

Part = Literal["train", "val"]
Progress = Callable[[str, int, int], None]
"""Called with a stage's name, the steps done and all of its steps."""


@dataclass(frozen=True)
class Trained:
    """What a training gives: a bundle that only has to be saved, and how it came about."""

    card: BundleCard
    model: bytes
    curves: tuple[Mapping[str, float], ...]
    """One entry per epoch; epoch 0 is what tuning began with."""


def train(
    task: Task,
    photos: Mapping[Part, Pictures],
    recipe: Recipe,
    checkpoint: Checkpoint,
    on_progress: Progress,
    *,
    start: Bundle | None = None,
) -> Trained:
    """Train a model for ``task``, from ImageNet's weights or from those of the bundle ``start``.

    What an interrupted training left in ``checkpoint`` is gone on with. Raises ProviderMisconfigured when the training
    extra is missing or the bundle has another network, and OSError.
    """
    keras = _import("keras")
    keras.utils.set_random_seed(recipe.seed)
    whole = build_model(len(LABELS[task]), recipe.backbone)
    examples = TrainingSet(task, photos["train"], recipe, partial(on_progress, "cutting items out"))
    val = training_set.validation(task, photos["val"], recipe)
    tuning = Tuning(keras, _import("tensorflow"), whole, examples, recipe)
    states = _states(tuning, checkpoint, recipe)
    if not states:
        if start:
            reading_back.load_weights(whole, start)
        else:
            _fit_head(whole, examples, val.plain, recipe, partial(on_progress, "fitting the head"))
        _drop_outlines(tuning, examples, recipe)
        begun = tuning.begin(val)
        for member in range(recipe.members):
            checkpoint.of(member).save(begun)
        states = [begun.copy() for _ in range(recipe.members)]
    for member, state in enumerate(states):
        tuning.run(member, state, val, checkpoint.of(member), partial(on_progress, "tuning"))
    chosen = tuning.choose(states, val)
    side, logits = _best_side(tuning, photos["val"], recipe)
    seen = training_set.plain(photos["val"], side)
    model = convert(embedding.beside(_import("keras"), whole, seen.inputs), side, half_precision=True)
    statistics = np.array([measured(training_set.resized(picture, SIDE)) for picture in photos["val"].pictures])
    curves = ({"member": member, **curve} for member, state in enumerate(states) for curve in state.curves)
    card = _card(task, model, recipe, calibrated=(seen, logits), statistics=statistics, chosen=chosen)
    return Trained(card, model, tuple(curves))


def build_model(labels: int, variant: str = backbone.LITE0.name) -> Any:
    """A ``keras.Model`` from photos in backbone.INPUT_RANGE to logits: ImageNet's weights under a head yet to fit."""
    keras = _import("keras")
    chosen = backbone.VARIANTS[variant]
    model = backbone.build(keras, chosen)
    backbone.load_weights(model, imagenet_weights(chosen.package, chosen.file))
    dropped = keras.layers.Dropout(0.2)(model.output)
    return keras.Model(model.input, keras.layers.Dense(labels, name="head")(dropped))


def features_of(whole: Any) -> Any:
    """The part of a model made by :func:`build_model` that lies below its head."""
    return _import("keras").Model(whole.input, whole.get_layer("features").output)


def convert(model: Any, side: int, *, half_precision: bool = False) -> bytes:
    """To LiteRT, for one photo. 16-bit weights have half the size, the same answers and speed (docs/models.md)."""
    tf, made = _import("tensorflow"), converter(model, side)
    if half_precision:
        made.optimizations = [tf.lite.Optimize.DEFAULT]
        made.target_spec.supported_types = [tf.float16]
    with native_lines.kept_back():
        return bytes(made.convert())


def converter(model: Any, side: int) -> Any:
    """A ``tf.lite.TFLiteConverter`` of ``model`` for one photo of ``side`` pixels."""
    tf = _import("tensorflow")
    signature = tf.TensorSpec((1, side, side, 3), tf.float32)
    function = tf.function(lambda photo: model(photo, training=False)).get_concrete_function(signature)
    return tf.lite.TFLiteConverter.from_concrete_functions([function], model)


def _import(name: str) -> Any:
    try:
        with native_lines.kept_back():
            return importlib.import_module(name)
    except ImportError as error:
        raise ProviderMisconfigured(
            f"Training needs {name}: install Triof with its training extra on an x86-64 PC, pip install 'triof[train]'."
        ) from error


def _fit_head(
    whole: Any, examples: TrainingSet, val: Examples, recipe: Recipe, on_photo: Callable[[int, int], None]
) -> None:
    extractor = Extractor(convert(features_of(whole), recipe.input_side))
    rng = np.random.default_rng(recipe.seed)
    total = recipe.views * examples.size + len(val.classes)
    features: list[Any] = []
    classes: list[int] = []

    def look(pixels: Pixels, class_: int) -> None:
        features.append(extractor(backbone.scaled(pixels))[0])
        classes.append(class_)
        on_photo(len(features), total)

    for pixels, class_ in examples.plain():
        look(pixels, class_)
    for _ in range(recipe.views - 1):
        for pixels, class_ in examples.views(rng):
            look(pixels, class_)
    seen = np.array(classes)
    learned, given, weights = np.stack(features), examples.targets(seen), examples.weights(seen)
    for pixels, class_ in zip(val.pixels, val.classes, strict=True):
        look(pixels, int(class_))
    on_photo(total, total)
    head = fit(learned, given, weights, np.stack(features[len(seen) :]), val.classes)
    whole.get_layer("head").set_weights([head.kernel, head.bias])


def _states(tuning: Tuning, checkpoint: Checkpoint, recipe: Recipe) -> list[State]:
    """Of all networks, as an interrupted training left them; none where one is missing."""
    found = [checkpoint.of(member).load() for member in range(recipe.members)]
    fitting = [state for state in found if state and tuning.fits(state)]
    return fitting if len(fitting) == recipe.members else []


def _drop_outlines(tuning: Tuning, examples: TrainingSet, recipe: Recipe) -> None:
    """Leave those items where they lie that are not known any more where they lie elsewhere.

    Of a clear bottle or a white cup often a shard is cut out, and whoever learns that a shard is a cup takes a crumpled
    paper for one. The head fits these photos as they are, so that it is the outline that it no longer knows.
    """
    laid = examples.laid_elsewhere()
    if not len(laid.classes):
        return
    shares = calibration.softmax(tuning.answers(laid), 1.0)
    known = shares[np.arange(len(laid.classes)), laid.classes] >= recipe.recognised
    examples.outlines = examples.outlines[known]


def _best_side(tuning: Tuning, photos: Pictures, recipe: Recipe) -> tuple[int, Floats]:
    """Of the sides that are tried the one with the lowest loss on ``val``, and the logits there."""
    answers = {side: tuning.answers(training_set.plain(photos, side)) for side in recipe.tried_sides}
    best = min(answers, key=lambda side: calibrated_loss(answers[side], photos.classes))
    return best, answers[best]


def _card(
    task: Task,
    model: bytes,
    recipe: Recipe,
    *,
    calibrated: tuple[Examples, Floats],
    statistics: Floats,
    chosen: Mapping[str, float],
) -> BundleCard:
    """What the bundle says of itself; ``calibrated`` are the photos of ``val`` and the logits for them, ``statistics``
    their brightness and sharpness.
    """
    (pixels, classes), logits = (calibrated[0].pixels, calibrated[0].classes), calibrated[1]
    sha256 = hashlib.sha256(model).hexdigest()
    temperature = calibration.fit_temperature(logits, classes)
    probabilities = calibration.softmax(logits, temperature)
    return BundleCard(
        task=task,
        version=f"{task}-{date.today().isoformat()}-{sha256[:8]}",
        labels=LABELS[task],
        input=Input(width=pixels.shape[2], height=pixels.shape[1], range=backbone.INPUT_RANGE),
        embedding=embedding.SIZE,
        reference=_reference(task, statistics, probabilities),
        temperature=round(temperature, 4),
        thresholds=calibration.fit_thresholds(probabilities, classes, LABELS[task], recipe.costs),
        sha256=sha256,
        trained_on=recipe.model_dump(),
        metrics={"training": dict(chosen)},
    )


def _reference(task: Task, statistics: Floats, probabilities: calibration.Numbers) -> Reference:
    """What ``val`` is like."""
    believed = probabilities.argmax(axis=1)
    shares = np.bincount(believed, minlength=len(LABELS[task])) / len(believed)
    brightness, sharpness = zip(statistics.mean(axis=0), statistics.std(axis=0), strict=True)
    top = probabilities.max(axis=1)
    return Reference(
        photos=len(believed),
        brightness=_rounded(*brightness),
        sharpness=_rounded(*sharpness),
        probability=_rounded(top.mean(), top.std()),
        labels={label: round(float(share), 4) for label, share in zip(LABELS[task], shares, strict=True)},
    )


def _rounded(mean: float, deviation: float) -> tuple[float, float]:
    return round(float(mean), 4), round(float(deviation), 4)
