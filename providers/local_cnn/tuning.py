"""The network as a whole while it learns, epoch by epoch, and what is kept of it should the power go."""

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError  # noqa: N812

import numpy as np

from providers.local_cnn import backbone
from providers.local_cnn.head import Floats, calibrated_loss
from providers.local_cnn.recipe import Recipe
from providers.local_cnn.training_set import Examples, TrainingSet, Validation

Curve = Mapping[str, float]
"""What was measured after an epoch."""

_AVERAGED_STEPS = 100
"""Over about so many steps the weights are averaged."""
_LOSSES = ("val_loss", "val_views_loss")
_AT_ONCE = 32
"""Photos of ``val`` that are asked about together."""


@dataclass
class State:
    """All that goes on from one epoch to the next."""

    learned: list[Any]
    """All variables of the model and of its optimizer."""
    kept: list[Any]
    """Those of the model with the averaged weights of the best epoch so far."""
    outlines: list[Any]
    """One array: the photos whose item is laid on other grounds."""
    curves: list[Curve]
    """One entry per epoch; epoch 0 is what tuning began with."""

    def copy(self) -> "State":
        """One that may go its own way: its values are replaced, never changed."""
        return replace(self, curves=list(self.curves))


class Checkpoint:
    """A file with the state after the last whole epoch, as long as the training is unfinished."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> State | None:
        """None where there is none, or none that can be read."""
        try:
            with np.load(self._path, allow_pickle=False) as file:
                parts = {name: [file[f"{name}{i}"] for i in range(file[name])] for name in _LISTS}
                return State(**parts, curves=json.loads(str(file["curves"])))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, ZlibError):
            return None

    def save(self, state: State) -> None:
        """Raises OSError."""
        lists = {name: getattr(state, name) for name in _LISTS}
        numbers = {f"{name}{i}": array for name, arrays in lists.items() for i, array in enumerate(arrays)}
        counts = {name: np.array(len(arrays)) for name, arrays in lists.items()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(f".{self._path.name}.new")
        curves = np.array(json.dumps(state.curves))
        with fresh.open("wb") as file:
            np.savez(file, allow_pickle=False, curves=curves, **numbers, **counts)
            # What takes the place of the last one must be whole even if the power is cut.
            os.fsync(file.fileno())
        fresh.replace(self._path)

    def of(self, member: int) -> "Checkpoint":
        """That of one of several networks."""
        return Checkpoint(self._path.with_stem(f"{self._path.stem}-{member}"))

    def clear(self) -> None:
        """Those of all networks. Raises OSError."""
        for path in self._path.parent.glob(f"{self._path.stem}*{self._path.suffix}"):
            path.unlink(missing_ok=True)


_LISTS = ("learned", "kept", "outlines")


class Tuning:
    """Tunes ``model``, a ``keras.Model`` to logits whose head fits already."""

    def __init__(self, keras: Any, tensorflow: Any, model: Any, training_set: TrainingSet, recipe: Recipe) -> None:
        self._model, self._training_set, self._recipe = model, training_set, recipe
        self._ask = tensorflow.function(lambda photos: model(photos, training=False), reduce_retracing=True)
        self._steps = math.ceil(training_set.size / recipe.batch)
        backbone.freeze(model, recipe.frozen_blocks)
        steps = max(1, recipe.epochs * self._steps)
        model.compile(
            keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps),
                weight_decay=1e-3,
                use_ema=True,
                ema_momentum=1 - 1 / min(_AVERAGED_STEPS, steps),
            ),
            keras.losses.CategoricalCrossentropy(from_logits=True),
            # Keras would choose XLA, whose convolutions are slow to compile and to run on a CPU.
            jit_compile=False,
        )
        if recipe.epochs:
            # Otherwise TensorFlow would meet the optimizer's variables in its first step, and trace that step twice.
            model.optimizer.build(model.trainable_variables)

    def fits(self, state: State) -> bool:
        """Whether ``state`` belongs to this very network and optimizer, not to those of another version of Triof."""
        shapes = [tuple(variable.shape) for variable in self._variables]
        return shapes == [np.shape(value) for value in state.learned]

    def begin(self, val: Validation) -> State:
        """The state before the first epoch."""
        curves: list[Curve] = [{"epoch": 0, **self._measured(val)}]
        return State(_values(self._variables), _values(self._model.variables), [self._training_set.outlines], curves)

    def run(
        self, member: int, state: State, val: Validation, checkpoint: Checkpoint, on_step: Callable[[int, int], None]
    ) -> None:
        """Tune one network on from ``state``, which keeps the averaged weights of the best epoch on ``val``."""
        _assign(self._variables, state.learned)
        self._training_set.outlines = state.outlines[0]
        for epoch in range(len(state.curves), self._recipe.epochs + 1):
            learned = self._learn(member, epoch, on_step)
            self._judge(state, val, {"epoch": epoch, "train_loss": round(learned, 4)})
            checkpoint.save(state)

    def choose(self, states: Sequence[State], val: Validation) -> Curve:
        """Give ``model`` the average of all kept weights, or those of the best network if they are better on ``val``.

        Networks tuned from one beginning lie in one basin, where the middle generalises better than any of them
        (Wortsman et al. 2022).
        """
        best = min(states, key=lambda state: min(map(loss, state.curves)))
        curve = min(best.curves, key=loss)
        chosen: Curve = {**curve, "members": 1}
        if len(states) > 1:
            together = zip(*(state.kept for state in states), strict=True)
            _assign(self._model.variables, [np.mean(values, axis=0).astype(values[0].dtype) for values in together])
            average: Curve = {**self._measured(val), "members": len(states)}
            if loss(average) < loss(chosen):
                return average
        _assign(self._model.variables, best.kept)
        return chosen

    @property
    def _variables(self) -> list[Any]:
        # Those of the model hold the seeds of its dropout too.
        return [*self._model.variables, *self._model.optimizer.variables]

    def _learn(self, member: int, epoch: int, on_step: Callable[[int, int], None]) -> float:
        """One view of everything; returns the mean loss."""
        total, before = 0.0, (member * self._recipe.epochs + epoch - 1) * self._steps
        for number, batch in enumerate(self._training_set.batches(epoch, member), start=1):
            targets, weights = self._training_set.targets(batch.classes), self._training_set.weights(batch.classes)
            # Of this batch alone: Keras forgets the ones before.
            loss = self._model.train_on_batch(batch.inputs, targets, sample_weight=weights)
            total += float(loss) * len(batch.classes)
            on_step(before + number, self._recipe.members * self._recipe.epochs * self._steps)
        return total / self._training_set.size

    def _judge(self, state: State, val: Validation, curve: Curve) -> None:
        """Measure the averaged weights, and keep them if they are the best ones."""
        state.learned = _values(self._variables)
        self._model.optimizer.finalize_variable_values(self._model.trainable_variables)
        best = min(map(loss, state.curves))
        state.curves.append({**curve, **self._measured(val)})
        if loss(state.curves[-1]) < best:
            state.kept = _values(self._model.variables)
        _assign(self._variables, state.learned)

    def _measured(self, val: Validation) -> Curve:
        """The losses on the plain photos and on their views."""
        logits = self.answers(val.plain)
        hits = logits.argmax(axis=1) == val.plain.classes
        losses = (
            calibrated_loss(logits, val.plain.classes),
            calibrated_loss(self.answers(val.views), val.views.classes),
        )
        named = zip(_LOSSES, (round(loss, 4) for loss in losses), strict=True)
        return {**dict(named), "val_accuracy": round(float(hits.mean()), 4)}

    def answers(self, photos: Examples) -> Floats:
        """The logits of the model as it is: (n, labels)."""
        parts = np.array_split(photos.pixels, math.ceil(len(photos.pixels) / _AT_ONCE))
        return np.concatenate([np.asarray(self._ask(Examples(part, photos.classes).inputs)) for part in parts])


def _values(variables: Sequence[Any]) -> list[Any]:
    return [variable.numpy().copy() for variable in variables]


def _assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def loss(curve: Curve) -> float:
    """What the best epoch has least of: the mean of the losses on the plain photos of ``val`` and on their views."""
    return sum(curve[name] for name in _LOSSES) / len(_LOSSES)
