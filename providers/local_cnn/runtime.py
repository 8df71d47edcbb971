"""Runs models on photos, with any engine (:mod:`.engine`)."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from providers.base import Pixels, ProviderUnavailable, Task
from providers.local_cnn.bundle import Bundle, refused
from providers.local_cnn.engine import LITERT, Engine, Interpreter

Outputs = NDArray[np.float32]
_NO_EMBEDDING: Outputs = np.empty(0, np.float32)
Make = Callable[[], Interpreter]
Shapes = tuple[list[tuple[int, ...]], list[tuple[int, ...]]]


class ModelOutput(NamedTuple):
    """A model's outputs for one photo."""

    outputs: Mapping[Task, Outputs]
    """Logits or probabilities of each task of its card: (labels,)."""
    embedding: Outputs
    unfamiliarity: float | None
    """Distance from the training photos; None if the model does not give it."""
    """Embedding: (embedding of its card,)."""


class Runtime:
    """A model's interpreters, as each handles one call at a time.

    One is created at the start. Further ones, up to ``interpreters``, are created on demand; all share the bytes of the
    model, and each allocates its own working memory (23 MB with EfficientNet-Lite0).
    """

    def __init__(
        self,
        bundle: Bundle,
        engine: Engine = LITERT,
        threads: int = 1,
        interpreters: int = 1,
        make: Make | None = None,
    ) -> None:
        """Load and check the model. Raises ProviderMisconfigured if it does not match its card.

        ``make`` creates interpreters in another way (:mod:`providers.local_cnn.isolated`). There is no warm-up, as a
        model's first call takes no longer than the others.
        """
        low, high = bundle.card.input.range
        self._scale = np.float32((high - low) / 255)
        self._offset = np.float32(low)
        self._channels = slice(None) if bundle.card.input.channels == "rgb" else slice(None, None, -1)
        if not bundle.answers_in_eight_bits:
            # Further interpreters need the model alone: the 8-bit network takes some 4 MB.
            bundle = replace(bundle, eight_bit=None)
        self._make = partial(_made, bundle, engine.name, make or partial(engine.interpreter, bundle.model, threads))
        self._turns = threading.Semaphore(interpreters)
        first = self._make()
        self._idle = [first]
        self._input, self._outputs = _tensors(first, bundle)
        self._lengths = {each.task: len(each.labels) for each in (bundle.card, *bundle.card.also)}
        self._embedding = bundle.card.embedding

    def ask(self, pixels: Pixels, *, timeout: float) -> "ModelOutput":
        """Run the model on RGB pixels (height, width, 3). Raises ProviderUnavailable.

        ``timeout`` limits the wait for an interpreter, in seconds; a call itself takes a few milliseconds.
        """
        if not self._turns.acquire(timeout=max(timeout, 0)):
            raise ProviderUnavailable(f"The local model was busy for {timeout:.1f} s: try again.")
        try:
            with self._taken() as interpreter:
                return self._answer(interpreter, pixels)
        finally:
            self._turns.release()

    @contextmanager
    def _taken(self) -> Iterator[Interpreter]:
        try:
            # The last used one, whose memory is in the cache.
            interpreter = self._idle.pop()
        except IndexError:
            interpreter = self._make()
        try:
            yield interpreter
        finally:
            self._idle.append(interpreter)

    def _answer(self, interpreter: Interpreter, pixels: Pixels) -> "ModelOutput":
        # A view into the interpreter's memory must not outlive this call, as LiteRT refuses to run while one exists.
        tensor = interpreter.tensor(self._input)()[0]
        np.multiply(pixels[:, :, self._channels], self._scale, out=tensor)
        tensor += self._offset
        del tensor
        try:
            interpreter.invoke()
        except RuntimeError as error:
            raise ProviderUnavailable(f"The local model could not be run ({error}): reinstall Triof.") from error
        found = {length: interpreter.get_tensor(index)[0] for length, index in self._outputs.items()}
        outputs = {task: found[length] for task, length in self._lengths.items()}
        embedding = found[self._embedding] if self._embedding else _NO_EMBEDDING
        return ModelOutput(outputs, embedding, float(found[1][0]) if 1 in found else None)


class Extractor:
    """A model without a card that gives several tensors for one photo; for training, in one thread."""

    def __init__(self, model: bytes) -> None:
        self._interpreter = LITERT.interpreter(model)
        self._input = int(self._interpreter.get_input_details()[0]["index"])
        # LiteRT does not preserve the order of outputs; they differ in their number of dimensions.
        outputs = sorted(self._interpreter.get_output_details(), key=lambda tensor: len(tensor["shape"]))
        self._outputs = [int(tensor["index"]) for tensor in outputs]

    def __call__(self, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the model on (height, width, 3) in its range; returns its outputs, those with fewer dimensions first."""
        self._interpreter.tensor(self._input)()[0] = inputs
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index)[0] for index in self._outputs]


def shapes(model: bytes) -> Shapes:
    """Return the shapes of inputs and outputs of a model without a card. Raises ValueError if it is invalid."""
    try:
        return shapes_of(LITERT.interpreter(model))
    except RuntimeError as error:
        raise ValueError(str(error)) from error


def shapes_of(interpreter: Interpreter) -> Shapes:
    """Return the shapes of inputs and outputs of an interpreter's model."""
    details = (interpreter.get_input_details(), interpreter.get_output_details())
    inputs, outputs = ([tuple(map(int, tensor["shape"])) for tensor in tensors] for tensors in details)
    return inputs, outputs


def _made(bundle: Bundle, engine: str, make: Make) -> Interpreter:
    try:
        return make()
    except (ValueError, RuntimeError) as error:
        raise refused(bundle.folder, f"{engine} cannot read its model ({error})") from error


def _tensors(interpreter: Interpreter, bundle: Bundle) -> tuple[int, dict[int, int]]:
    """Return the index of the input, and the indices of the outputs by their lengths."""
    card = bundle.card
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    (photo,) = _indices(inputs, [(1, card.input.height, card.input.width, 3)], bundle)
    found = _indices(outputs, [(1, length) for length in card.outputs], bundle)
    return photo, dict(zip(card.outputs, found, strict=True))


def _indices(details: list[dict[str, Any]], shapes: list[tuple[int, ...]], bundle: Bundle) -> list[int]:
    """Return the indices by shape, as LiteRT does not preserve the order of outputs."""
    found = {tuple(map(int, tensor["shape"])): int(tensor["index"]) for tensor in details}
    types = {np.dtype(tensor["dtype"]).name for tensor in details}
    if len(details) != len(shapes) or set(found) != set(shapes) or types != {"float32"}:
        wanted = " and ".join(map(str, shapes))
        raise refused(
            bundle.folder, f"its model has the tensors {list(found)} {types} where its card needs float32 {wanted}"
        )
    return [found[shape] for shape in shapes]
