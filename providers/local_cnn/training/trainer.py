"""Trains a bundle by transfer learning; the only module that imports TensorFlow and Keras.

1. *Cutting out*: the item of each photo is separated from its ground if possible (:mod:`.cutout`), so that views can
   lay it elsewhere and soil it (:mod:`.augmentation`, :mod:`.stains`). Done before, by :func:`.augmentation.subject`.
2. *Views*: each is drawn at random and passes the frozen lowest blocks in LiteRT, several times faster than in
   TensorFlow, while the network trains on the previous batch.
3. *Heads*: a softmax regression for each task is fitted on the output of ImageNet's upper blocks for some views
   (:mod:`.head`).
4. *Tuning*: the upper blocks are trained further (:mod:`.tuning`). A fitted head keeps the first steps from
   destroying the features (Kumar et al. 2022); a running average of the weights generalises better than the last
   ones (Izmailov et al. 2018).
5. *Label shift*: the probabilities are adapted to the share of foreign objects in service (:mod:`.label_shift`).

``val`` determines temperature and thresholds unless there is better data; test photos are never used here.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from providers import native_lines
from providers.base import ProviderMisconfigured, Task
from providers.local_cnn import backbone
from providers.local_cnn.bundle import EMPTY, Bundle, BundleCard
from providers.local_cnn.runtime import Extractor
from providers.local_cnn.training import embedding, familiarity, training_set, weight_import
from providers.local_cnn.training.head import Floats, Head, fit
from providers.local_cnn.training.hyperparameters import Hyperparameters
from providers.local_cnn.training.imagenet_weights import imagenet_weights
from providers.local_cnn.training.label_shift import learned_share, shifted
from providers.local_cnn.training.rehearsal import RehearsalSet, Rows
from providers.local_cnn.training.trained_card import trained_card
from providers.local_cnn.training.training_set import (
    TOLD,
    UNKNOWN,
    Classes,
    Examples,
    Look,
    Pictures,
    TrainingSet,
    smoothed,
)
from providers.local_cnn.training.tuning import Checkpoint, State, Tuning, spans_of

Part = Literal["train", "val"]
Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, its finished steps and its number of steps."""

_HEAD_VIEWS = 3000
"""Views on which the heads are fitted, or four of each photo if there are few."""
_AT_ONCE = 32
_RARELY = 4.0
"""Difference of a new label's logit below that of the label it was part of."""
_JUDGING = 6
"""One of so many views selects the penalty of the head."""


@dataclass(frozen=True)
class Trained:
    """The result of a training: an unsaved bundle, and the training's history."""

    card: BundleCard
    model: bytes
    curves: tuple[Mapping[str, float], ...]
    """One entry per epoch; epoch 0 is the state before tuning."""


def train(
    tasks: Sequence[Task],
    photos: Mapping[Part, Pictures],
    hyperparameters: Hyperparameters,
    checkpoint: Checkpoint,
    on_progress: Progress,
    *,
    start: Bundle | None = None,
    old: RehearsalSet | None = None,
) -> Trained:
    """Train a network for ``tasks``, from ImageNet's weights or those of ``start``, with its heads if the tasks match.

    ``old``, the rows of ``start``, are in part learned again and in part added to ``val`` for temperature and
    thresholds. Resumes from ``checkpoint``. Raises ProviderMisconfigured (no training extra, other network), OSError.
    """
    keras, tensorflow = _libraries()
    keras.utils.set_random_seed(hyperparameters.seed)
    whole = build_model(sum(len(TOLD[task]) for task in tasks), hyperparameters.backbone)
    has_heads = start is not None and _begin_with(whole, start, tasks, hyperparameters)
    rehearsed = old.learned.classes["waste_type"] if old and hyperparameters.rehearsal else None
    share = learned_share(photos["train"], hyperparameters, rehearsed)
    if start and has_heads and share:
        _shift(whole, tasks, start.card.trained_on.get("foreign_in_service", share), share)
    lower, upper = _halves(whole, hyperparameters)
    look = _look(lower, hyperparameters)
    examples = TrainingSet(
        tasks, photos["train"], hyperparameters, old.learned.drawn if old and hyperparameters.rehearsal else None
    )
    val = training_set.plain(photos["val"], hyperparameters.input_side)
    ask = tensorflow.function(lambda shown: whole(shown, training=False), reduce_retracing=True)
    tuning = Tuning(
        keras, tensorflow, upper, examples, hyperparameters, look=look, ask=lambda shown: np.asarray(ask(shown))
    )
    states = _states(tuning, checkpoint, hyperparameters)
    if not states:
        if not has_heads:
            _fit_heads(whole, examples, look, hyperparameters, partial(on_progress, "fitting the heads"))
        states = _begun(tuning, val, checkpoint, hyperparameters)
    for member, state in enumerate(states):
        progress = partial(on_progress, "tuning")
        tuning.run(member, state, val, checkpoint=checkpoint.of(member), on_step=progress)
    reached = tuning.finish(states, val)
    if share:
        _shift(whole, tasks, share, hyperparameters.foreign_in_service)
    finished, unfamiliar_from = _finished(keras, whole, tasks, photos, hyperparameters)
    model = convert(finished, hyperparameters.input_side, half_precision=True)
    curves = ({"member": member, **curve} for member, state in enumerate(states) for curve in state.curves)
    logits, classes = tuning.answers(val), photos["val"].classes
    if old:
        told = _judged_again(keras, whole, old, hyperparameters)
        logits = np.concatenate([logits, told])
        classes = {task: np.concatenate([found, old.judged.classes[task]]) for task, found in classes.items()}
    card = trained_card(
        tasks, model, hyperparameters, val=photos["val"], logits=logits, classes=classes, reached=reached
    )
    card = card.model_copy(update={"unfamiliar_from": unfamiliar_from})
    return Trained(card, model, tuple(curves))


def build_model(labels: int, variant: str = backbone.LITE0.name) -> Any:
    """Return a ``keras.Model`` from photos in backbone.INPUT_RANGE to logits: ImageNet's weights, untrained head."""
    whole, chosen = _untrained(labels, variant), backbone.VARIANTS[variant]
    backbone.load_weights(features_of(whole), imagenet_weights(chosen.package, chosen.file))
    return whole


def halves_of(finished: Bundle, side: int, blocks: int) -> tuple[Any, Any]:
    """Return the network of a bundle, split as by :func:`.backbone.halves`. Raises ProviderMisconfigured."""
    variant = finished.card.trained_on.get("backbone", backbone.LITE0.name)
    whole = _untrained(sum(map(len, _tells(finished.card).values())), variant)
    weight_import.load_weights(whole, finished)
    return backbone.halves(_libraries()[0], whole, side, blocks, backbone.VARIANTS[variant])


def answers(upper: Any, rows: Rows) -> Floats:
    """Return the logits of the upper half of a network for ``rows``: (n, labels)."""
    parts = np.array_split(np.arange(len(rows)), math.ceil(len(rows) / _AT_ONCE))
    return np.concatenate([np.asarray(upper(rows.those(part).floats(), training=False)) for part in parts])


def features_of(whole: Any) -> Any:
    """Return the part of a model made by :func:`build_model` below its head."""
    return _libraries()[0].Model(whole.input, whole.get_layer("features").output)


def convert(model: Any, side: int, *, half_precision: bool = False) -> bytes:
    """Convert to LiteRT, for one photo; 16-bit weights halve the size (docs/measurements/models.md)."""
    (_, tf), made = _libraries(), converter(model, side)
    if half_precision:
        made.optimizations = [tf.lite.Optimize.DEFAULT]
        made.target_spec.supported_types = [tf.float16]
    with native_lines.kept_back():
        return bytes(made.convert())


def converter(model: Any, side: int) -> Any:
    """Return a ``tf.lite.TFLiteConverter`` of ``model`` for one photo of ``side`` pixels."""
    _, tf = _libraries()
    signature = tf.TensorSpec((1, side, side, 3), tf.float32)
    function = tf.function(lambda photo: model(photo, training=False)).get_concrete_function(signature)
    made = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    # Otherwise it tries to save a model of Keras 3 first, which takes half of the time and fails.
    made.experimental_lower_to_saved_model = False
    return made


def _libraries() -> tuple[Any, Any]:
    """Import Keras and TensorFlow. Raises ProviderMisconfigured."""
    # Saves a seventh of each step; by default TensorFlow uses oneDNN only on some processors.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    try:
        with native_lines.kept_back():
            import keras
            import tensorflow
    except ImportError as error:
        raise ProviderMisconfigured(
            f"Training needs {error.name}: install Triof with its training extra on an x86-64 PC, pip install"
            " 'triof[train]'."
        ) from error
    return keras, tensorflow


def _untrained(labels: int, variant: str) -> Any:
    keras, _ = _libraries()
    model = backbone.build(keras, backbone.VARIANTS[variant])
    # Without dropout: the features are not centred, so that dropping some changes the logits more than a photo does.
    return keras.Model(model.input, keras.layers.Dense(labels, name="head")(model.output))


def _halves(whole: Any, hyperparameters: Hyperparameters) -> tuple[Any, Any]:
    variant = backbone.VARIANTS[hyperparameters.backbone]
    lower, upper = backbone.halves(
        _libraries()[0], whole, hyperparameters.train_side, hyperparameters.frozen_blocks, variant
    )
    return lower, upper


def _tells(card: BundleCard) -> Mapping[Task, tuple[str, ...]]:
    """Return the meaning of each output of a bundle, by task."""
    return {each.task: each.labels for each in (card, *card.also)}


def _begin_with(whole: Any, start: Bundle, tasks: Sequence[Task], hyperparameters: Hyperparameters) -> bool:
    """Load the weights of ``start`` into ``whole``; returns whether the heads were included.

    A head without the label of an empty slot gets it as a rare kind of other. Raises ProviderMisconfigured.
    """
    told = _tells(start.card)
    if tuple(told) != tuple(tasks) or any(set(TOLD[task]) - {EMPTY} - set(labels) for task, labels in told.items()):
        weight_import.load_weights(features_of(whole), start)
        return False
    before = _untrained(sum(map(len, told.values())), hyperparameters.backbone)
    weight_import.load_weights(before, start)
    known = [(task, label) for task, labels in told.items() for label in labels]
    wanted = [(task, label) for task in tasks for label in TOLD[task]]
    is_new = np.array([label not in known for label in wanted])
    columns = [
        known.index(("waste_type", "other") if new else label) for label, new in zip(wanted, is_new, strict=True)
    ]
    kernel, bias = before.get_layer("head").get_weights()
    features_of(whole).set_weights(features_of(before).get_weights())
    whole.get_layer("head").set_weights([kernel[:, columns], bias[columns] - _RARELY * is_new])
    return True


def _look(lower: Any, hyperparameters: Hyperparameters) -> Look:
    """Return the frozen part of a network as a function."""
    extractor = Extractor(convert(lower, hyperparameters.train_side))

    def look(view: Floats) -> Floats:
        return extractor(view)[0]

    return look


def _fit_heads(
    whole: Any,
    examples: TrainingSet,
    look: Look,
    hyperparameters: Hyperparameters,
    on_step: Callable[[int, int], None],
) -> None:
    """Fit the head on training views."""
    _, below = _halves(features_of(whole), hyperparameters)
    steps = math.ceil(min(_HEAD_VIEWS, 4 * examples.size) / hyperparameters.batch)
    seen, found = [], []
    for number, batch in enumerate(examples.batches(steps, look, 0), start=1):
        seen.append(np.asarray(below(batch.rows)))
        found.append(batch.classes)
        on_step(number, steps)
    heads, features = [], np.concatenate(seen)
    for task in examples.tasks:
        classes = np.concatenate([batch[task] for batch in found])
        known = classes != UNKNOWN
        targets = smoothed(classes[known], len(TOLD[task]), hyperparameters.label_smoothing)
        heads.append(_head(features[known], classes[known], targets))
    kernel = np.concatenate([fitted.kernel for fitted in heads], axis=1)
    whole.get_layer("head").set_weights([kernel, np.concatenate([fitted.bias for fitted in heads])])


def _shift(whole: Any, tasks: Sequence[Task], before: float, after: float) -> None:
    """Adapt the waste type's probabilities to a share ``after`` of foreign objects instead of ``before``."""
    span = spans_of(tasks)["waste_type"]
    kernel, bias = whole.get_layer("head").get_weights()
    bias[span] = shifted(bias[span], before, after)
    whole.get_layer("head").set_weights([kernel, bias])


def _finished(
    keras: Any, whole: Any, tasks: Sequence[Task], photos: Mapping[Part, Pictures], hyperparameters: Hyperparameters
) -> tuple[Any, float | None]:
    """Return the network with all outputs of a bundle, and the distance from which a photo is unfamiliar, if any."""
    features = whole.get_layer("features")
    asked = keras.Model(whole.input, features.output)

    def look(shown: Pictures) -> Floats:
        return np.concatenate(
            [np.asarray(asked(part)) for part in training_set.plain(shown, hyperparameters.input_side).inputs()]
        )

    seen, val = look(photos["val"]), photos["val"]
    outputs = [whole.output[:, span] for span in spans_of(tasks).values()]
    outputs.append(embedding.layer(keras, features.output, seen))
    known = _familiar(photos["train"]) if "waste_type" in tasks else np.zeros(0, bool)
    plastic = (val.classes["waste_type"] != UNKNOWN) & ~training_set.are_foreign(val) if known.any() else known
    if known.sum() < familiarity.NEIGHBOUR or not plastic.any():
        return keras.Model(whole.input, outputs), None
    # The deepest features, as the others distinguish grounds rather than items.
    deepest = features.input[-1]
    size = deepest.shape[-1]
    stored = look(photos["train"].those(known))[:, -size:]
    outputs.append(familiarity.layer(keras, deepest, stored))
    found = familiarity.distances(seen[plastic][:, -size:], stored)
    return keras.Model(whole.input, outputs), familiarity.unfamiliar_from(found)


def _familiar(photos: Pictures) -> NDArray[np.bool_]:
    """Select the photos that represent the training set, evenly by type and source: (n,)."""
    labelled = np.flatnonzero(photos.classes["waste_type"] != UNKNOWN)
    kinds = [(int(photos.classes["waste_type"][index]), photos.sources[int(index)]) for index in labelled]
    chosen = np.zeros(len(photos.sources), bool)
    chosen[labelled[familiarity.evenly(kinds, familiarity.MOST)]] = True
    return chosen


def _states(tuning: Tuning, checkpoint: Checkpoint, hyperparameters: Hyperparameters) -> list[State]:
    """Return the states of all networks of an interrupted training; none if one is missing."""
    found = [checkpoint.of(member).load() for member in range(hyperparameters.members)]
    fitting = [state for state in found if state and tuning.fits(state)]
    return fitting if len(fitting) == hyperparameters.members else []


def _begun(tuning: Tuning, val: Examples, checkpoint: Checkpoint, hyperparameters: Hyperparameters) -> list[State]:
    """The state that each network begins with, kept. Raises OSError."""
    begun = tuning.begin(val)
    for member in range(hyperparameters.members):
        checkpoint.of(member).save(begun)
    return [begun.copy() for _ in range(hyperparameters.members)]


def _judged_again(keras: Any, whole: Any, old: RehearsalSet, hyperparameters: Hyperparameters) -> Floats:
    """The logits that the whole network gives for the rows of ``old`` that judge: (n, labels)."""
    variant = backbone.VARIANTS[hyperparameters.backbone]
    _, upper = backbone.halves(keras, whole, old.judged_side, old.blocks, variant)
    return answers(upper, old.judged)


def _head(features: Floats, classes: Classes, targets: Floats) -> Head:
    """Fit heads with several penalties; returns the best on one in _JUDGING views."""
    judging = np.arange(len(classes)) % _JUDGING == 0
    learned = features[~judging], targets[~judging], np.ones(int((~judging).sum()), np.float32)
    return fit(*learned, features[judging], classes[judging])
