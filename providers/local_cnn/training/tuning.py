"""Tunes the network epoch by epoch, with checkpoints that survive a power cut."""

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError  # noqa: N812

import numpy as np

from providers.base import Task
from providers.local_cnn.bundle import counted_to
from providers.local_cnn.calibration import softmax
from providers.local_cnn.training.head import Floats, calibrated_loss
from providers.local_cnn.training.hyperparameters import Hyperparameters
from providers.local_cnn.training.training_set import TOLD, UNKNOWN, Examples, Look, TrainingSet

Curve = Mapping[str, float]
"""Metrics after an epoch."""

_AVERAGED_STEPS = 100
"""Approximate number of steps over which the weights are averaged."""


@dataclass
class State:
    """The state of a training between epochs."""

    learned: list[Any]
    """Values of all variables of the model and its optimizer."""
    begun: list[Any]
    """Weights of the model before the first epoch."""
    averaged: list[Any]
    """Averaged weights of the model after the last epoch."""
    curves: list[Curve]
    """One entry per epoch; epoch 0 is the state before tuning."""

    def copy(self) -> "State":
        """Return an independent copy; the arrays are shared, as they are replaced and never changed."""
        return replace(self, curves=list(self.curves))


class Checkpoint:
    """A file with the state after the last finished epoch, while the training is unfinished."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> State | None:
        """Return the state; None if there is no readable one."""
        try:
            with np.load(self._path, allow_pickle=False) as file:
                parts = {name: [file[f"{name}{i}"] for i in range(file[name])] for name in _LISTS}
                return State(**parts, curves=json.loads(str(file["curves"])))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, ZlibError):
            return None

    def save(self, state: State) -> None:
        """Write the state atomically and durably. Raises OSError."""
        lists = {name: getattr(state, name) for name in _LISTS}
        numbers = {f"{name}{i}": array for name, arrays in lists.items() for i, array in enumerate(arrays)}
        counts = {name: np.array(len(arrays)) for name, arrays in lists.items()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(f".{self._path.name}.new")
        curves = np.array(json.dumps(state.curves))
        with fresh.open("wb") as file:
            np.savez(file, allow_pickle=False, curves=curves, **numbers, **counts)
            # The file that replaces the last one must be complete even after a power cut.
            os.fsync(file.fileno())
        fresh.replace(self._path)

    def of(self, member: int) -> "Checkpoint":
        """Return the checkpoint of one of several networks."""
        return Checkpoint(self._path.with_stem(f"{self._path.stem}-{member}"))

    def clear(self) -> None:
        """Remove the checkpoints of all networks. Raises OSError."""
        for path in self._path.parent.glob(f"{self._path.stem}*"):
            path.unlink(missing_ok=True)


_LISTS = ("learned", "begun", "averaged")


class Tuning:
    """Tunes the upper part of a network: a ``keras.Model`` from the frozen part's output to all tasks' logits."""

    def __init__(
        self,
        keras: Any,
        tensorflow: Any,
        upper: Any,
        training_set: TrainingSet,
        hyperparameters: Hyperparameters,
        *,
        look: Look,
        ask: Callable[[Floats], Floats],
    ) -> None:
        """``look`` is the frozen part; ``ask`` returns the logits of the whole for (n, side, side, 3): (n, labels)."""
        self._model, self._training_set, self._hyperparameters, self._tasks = (
            upper,
            training_set,
            hyperparameters,
            training_set.tasks,
        )
        self._look, self._ask = look, ask
        steps = max(1, hyperparameters.epochs * training_set.steps)
        upper.compile(
            keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(hyperparameters.learning_rate, steps),
                weight_decay=1e-3,
                use_ema=True,
                ema_momentum=1 - 1 / min(_AVERAGED_STEPS, steps),
            ),
            loss_of(tensorflow, spans_of(self._tasks).values()),
            # Keras would choose XLA, which compiles and runs convolutions slowly on a CPU.
            jit_compile=False,
        )
        if hyperparameters.epochs:
            # Otherwise the optimizer creates variables in the first step, which TensorFlow would trace twice.
            upper.optimizer.build(upper.trainable_variables)

    def fits(self, state: State) -> bool:
        """Return whether ``state`` fits this network and optimizer, not those of another version of Triof."""
        shapes = [tuple(variable.shape) for variable in self._variables]
        return shapes == [np.shape(value) for value in state.learned]

    def begin(self, val: Examples) -> State:
        """Return the state before the first epoch."""
        begun = _values(self._model.variables)
        return State(_values(self._variables), begun, begun, [{"epoch": 0, **self._measured(val)}])

    def run(
        self,
        member: int,
        state: State,
        val: Examples,
        *,
        checkpoint: Checkpoint,
        on_step: Callable[[int, int], None],
    ) -> None:
        """Tune one network from ``state``, which receives the averaged weights."""
        _assign(self._variables, state.learned)
        for epoch in range(len(state.curves), self._hyperparameters.epochs + 1):
            learned = self._learn(member, epoch, on_step)
            self._judge(state, val, {"epoch": epoch, "train_loss": round(learned, 4)})
            checkpoint.save(state)

    def finish(self, states: Sequence[State], val: Examples) -> Curve:
        """Load the average of all averaged weights, mixed with those before tuning, into ``model``.

        Networks tuned from the same start lie in one basin, whose middle generalises better than any of them
        (Wortsman et al. 2022, "model soups"; for the mix with the start: "robust fine-tuning").
        """
        share = self._hyperparameters.tuned
        mixed = []
        for begun, *ends in zip(states[0].begun, *(state.averaged for state in states), strict=True):
            mixed.append((share * np.mean(ends, axis=0) + (1 - share) * begun).astype(begun.dtype))
        _assign(self._model.variables, mixed)
        return {**self._measured(val), "members": len(states)}

    def answers(self, photos: Examples) -> Floats:
        """Return the logits of the current network, all tasks side by side: (n, labels)."""
        return np.concatenate([self._ask(part) for part in photos.inputs()])

    @property
    def _variables(self) -> list[Any]:
        # The model's variables include the seeds of its dropout.
        return [*self._model.variables, *self._model.optimizer.variables]

    def _learn(self, member: int, epoch: int, on_step: Callable[[int, int], None]) -> float:
        """Train on about as many views as there are photos; returns the mean loss."""
        epochs, steps = self._hyperparameters.epochs, self._training_set.steps
        losses, done = [], (member * epochs + epoch - 1) * steps
        for number, batch in enumerate(self._training_set.batches(steps, self._look, member, epoch), start=1):
            # The loss of this batch alone, as Keras resets its mean.
            losses.append(float(self._model.train_on_batch(batch.rows, self._training_set.targets(batch.classes))))
            on_step(done + number, self._hyperparameters.members * epochs * steps)
        return float(np.mean(losses))

    def _judge(self, state: State, val: Examples, curve: Curve) -> None:
        """Store the averaged weights, and measure them."""
        state.learned = _values(self._variables)
        self._model.optimizer.finalize_variable_values(self._model.trainable_variables)
        state.averaged = _values(self._model.variables)
        state.curves.append({**curve, **self._measured(val)})
        _assign(self._variables, state.learned)

    def _measured(self, val: Examples) -> Curve:
        """Return the losses and accuracies on the photos of ``val``, by task."""
        logits, measured = self.answers(val), {}
        for task, span in spans_of(self._tasks).items():
            known = val.classes[task] != UNKNOWN
            said, classes, columns = logits[known][:, span], val.classes[task][known], counted_to(task, TOLD[task])
            hits = softmax(said, counted_to=columns).argmax(axis=1) == classes
            measured[f"val_loss_{task}"] = round(calibrated_loss(said, classes, columns), 4)
            measured[f"val_accuracy_{task}"] = round(float(hits.mean()), 4)
        return measured


def loss_of(tensorflow: Any, spans: Collection[slice]) -> Callable[[Any, Any], Any]:
    """Return the sum of the tasks' mean cross-entropies of targets and logits (n, labels); ``spans`` are the tasks'.

    A photo without a label for a task does not contribute to that task.
    """

    def loss(targets: Any, logits: Any) -> Any:
        losses = []
        for span in spans:
            known = tensorflow.reduce_sum(targets[:, span], axis=1)
            share = tensorflow.maximum(tensorflow.reduce_mean(known), 1e-3)
            # Masks the gradient, which is not 0 without a target: TensorFlow assumes that targets add up to 1.
            given = known * tensorflow.nn.softmax_cross_entropy_with_logits(targets[:, span], logits[:, span])
            losses.append(given / share)
        return tensorflow.add_n(losses)

    return loss


def spans_of(tasks: Sequence[Task]) -> Mapping[Task, slice]:
    """Return the position of each task's logits among those of all ``tasks``."""
    ends = np.cumsum([len(TOLD[task]) for task in tasks])
    return {task: slice(int(end) - len(TOLD[task]), int(end)) for task, end in zip(tasks, ends, strict=True)}


def _values(variables: Sequence[Any]) -> list[Any]:
    return [variable.numpy().copy() for variable in variables]


def _assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
