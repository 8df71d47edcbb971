"""The local provider, and the base of every provider that answers from bundles."""

from functools import partial
from math import isfinite
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np

from providers.base import LABELS, Photo, Prediction, ProviderError, ProviderUnavailable, Task
from providers.event_log import get_logger
from providers.local_cnn import bundle, precision
from providers.local_cnn.bundle import EMPTY, Bundle, BundleCard
from providers.local_cnn.calibration import Numbers, softmax
from providers.local_cnn.engine import LITERT, Engine
from providers.local_cnn.isolated import Isolation
from providers.local_cnn.options import BundleOptions, LocalCnnOptions
from providers.local_cnn.pointer import Pointer, Signature, serving, signature_of
from providers.local_cnn.precision import MEMORY_FILE, Choice
from providers.local_cnn.sharing import SharedRuntime, shared

log = get_logger(__name__)

_PING_SECONDS = 5.0
_SUM_TOLERANCE = 0.02
_LEAST = 1e-12
"""Replaces a probability of 0, which has no logarithm."""
_UNASKED = Choice(False, "no other network was chosen")


class TaskOutput(NamedTuple):
    """A model's answer for one photo and one of its tasks."""

    scores: dict[str, float]
    """A probability for every label of the task."""
    embedding: tuple[float, ...]
    unfamiliarity: float | None
    nothing: float
    """The part of the probability of ``other`` that means an empty slot."""


class LocalModel:
    """A loaded bundle; it stays usable after another one becomes active."""

    def __init__(
        self,
        loaded: Bundle,
        threads: int = 1,
        interpreters: int = 1,
        isolation: Isolation | None = None,
        *,
        engine: Engine = LITERT,
        choice: Choice = _UNASKED,
    ) -> None:
        """Load a trusted model, or any within ``isolation``; ``choice`` says why this network was chosen.

        Raises ProviderMisconfigured if the model does not match its card.
        """
        self.card = loaded.card
        self.choice = choice
        self.needed_side = max(loaded.card.input.width, loaded.card.input.height)
        self._runtime: SharedRuntime | None
        if isolation:
            make = partial(isolation.interpreter, loaded.folder, loaded.model)
            self._runtime = SharedRuntime(loaded, isolation.engine, threads, interpreters, make)
        else:
            self._runtime = shared(loaded, engine, threads, interpreters)

    @property
    def runtime(self) -> SharedRuntime:
        """The runtime of the model. Raises ProviderUnavailable after it is closed."""
        if self._runtime is None:
            raise ProviderUnavailable("The local model was closed: restart the machine's software.")
        return self._runtime

    def scores(self, photo: Photo, *, timeout: float) -> dict[str, float]:
        """Return a probability for every label of the task. Raises ProviderUnavailable."""
        return self.answer(photo, timeout=timeout).scores

    def answer(self, photo: Photo, *, timeout: float) -> TaskOutput:
        """Return the model's answer for the photo. Raises ProviderUnavailable."""
        answer = self.runtime.ask(photo, self.card.task, timeout=timeout)
        outputs, distance = answer.outputs[self.card.task], answer.unfamiliarity
        if not np.isfinite(outputs).all() or (distance is not None and not isfinite(distance)):
            raise ProviderUnavailable("The local model's answer makes no sense: it holds numbers that are not finite.")
        shares = softmax(self._logits(outputs)[None], self.card.temperature)[0]
        scores, nothing = dict.fromkeys(LABELS[self.card.task], 0.0), 0.0
        for label, share in zip(self.card.labels, map(float, shares), strict=True):
            scores["other" if label == EMPTY else label] += share
            nothing += share if label == EMPTY else 0.0
        start = self.card.unfamiliar_from
        unfamiliarity = None if distance is None or start is None else max(0.0, distance) / start
        return TaskOutput(scores, tuple(map(float, answer.embedding)), unfamiliarity, nothing)

    def warm_up(self) -> None:
        """Run the model on a black picture. Raises ProviderUnavailable."""
        self.runtime.warm_up(timeout=_PING_SECONDS)

    def close(self) -> None:
        """Release the memory, unless another task's model shares it; calls under way finish first."""
        self._runtime = None

    def _logits(self, outputs: Numbers) -> Numbers:
        if self.card.gives == "logits":
            return outputs
        if outputs.min() < -_SUM_TOLERANCE or abs(outputs.sum() - 1) > _SUM_TOLERANCE:
            raise ProviderUnavailable(
                f"The local model's answer makes no sense: its probabilities add up to {outputs.sum():.2f}."
            )
        logits: Numbers = np.log(np.maximum(outputs, _LEAST))
        return logits


def try_first(loaded: Bundle, options: BundleOptions) -> None:
    """Run a model in a separate process unless it is trusted.

    Raises ProviderMisconfigured if it ends its process or does not match its card, ProviderUnavailable if it gives
    no answer.
    """
    with Isolation(options.bundles, options.engine) as isolation:
        if not isolation.trusts(loaded.folder, loaded.model):
            LocalModel(loaded, isolation=isolation).warm_up()
            isolation.remember(loaded.model)


class BundleProvider:
    """Answers from a bundle in a few milliseconds, without a network connection.

    Before every call it checks whether another bundle was activated or its networks were measured. The first call
    after a change loads the new model, while other calls use the previous one; a call under way finishes on the model
    with which it started.
    """

    name: str
    needs_network = False

    def __init__(self, task: Task, options: BundleOptions) -> None:
        """Load and check the bundle of ``task``. Raises ProviderMisconfigured."""
        options.engine.check()
        self.task = task
        self._options = options
        self._swapping = Lock()
        self._closed = False
        self._pointer = Pointer(options) if options.bundles and not options.chosen(task) else None
        self._seen = self._signatures()
        shipped = options.shipped(task)
        # If the active bundle is damaged, the shipped model keeps the machine working.
        active = self._active(None) if self._seen[0] and shipped else None
        self._model = active or self._ready(self._load(shipped if self._pointer else None))

    @property
    def card(self) -> BundleCard:
        """The same property of the bundle that would answer now."""
        return self._current().card

    @property
    def choice(self) -> Choice:
        """The network of the bundle that would answer now, and the reason."""
        return self._current().choice

    @property
    def needed_side(self) -> int:
        """The same property of the bundle that would answer now."""
        return self._current().needed_side

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        """Return a prediction within ``timeout`` seconds. Raises ProviderUnavailable."""
        model = self._current()
        told = model.answer(photo, timeout=timeout)
        label = max(told.scores, key=told.scores.__getitem__)
        card = model.card
        return Prediction(
            self.task,
            label,
            told.scores[label],
            told.scores,
            self.name,
            card.version,
            thresholds=dict(card.thresholds),
            embedding=told.embedding,
            unfamiliarity=told.unfamiliarity,
            nothing=told.nothing,
        )

    def ping(self) -> None:
        """Run the model on a black picture. Raises ProviderUnavailable."""
        self._current().warm_up()

    def close(self) -> None:
        """Release the model's memory; may be called twice."""
        with self._swapping:
            self._closed = True
            self._model.close()

    def _current(self) -> LocalModel:
        if (
            self._signatures() != self._seen
            # Other calls do not wait while a model is loaded, as an employee stands in front of the machine.
            and self._swapping.acquire(blocking=False)
        ):
            try:
                self._follow()
            finally:
                self._swapping.release()
        return self._model

    def _signatures(self) -> tuple[Signature, Signature]:
        """Return the signatures of the pointer, None if it does not apply, and of the measurements."""
        bundles = self._options.bundles
        pointed = self._pointer.signature() if self._pointer else None
        return pointed, signature_of(bundles / MEMORY_FILE) if bundles else None

    def _load(self, folder: Path | None = None) -> Bundle:
        """Read the bundle in ``folder``; None: the one in service. Raises ProviderMisconfigured."""
        loaded = bundle.load(folder or serving(self.task, self._options), self.task)
        if loaded.card.format != self._options.format:
            raise bundle.refused(
                loaded.folder, f"its network is {loaded.card.model_file}, which {self.name} does not run"
            )
        return loaded

    def _choose(self, loaded: Bundle) -> Choice:
        """Choose the network of a bundle with several."""
        return _UNASKED

    def _ready(self, loaded: Bundle) -> LocalModel:
        choice = self._choose(loaded)
        if choice.eight_bit:
            try:
                return self._loaded(loaded.in_eight_bits(), choice)
            # The half-precision network may still run.
            except ProviderError as error:
                log.error("precision.fell_back", task=self.task, cause=error)
                choice = Choice(False, f"its 8-bit network cannot be run: {error}", is_fault=True)
        return self._loaded(loaded, choice)

    def _loaded(self, loaded: Bundle, choice: Choice) -> LocalModel:
        options = self._options
        try_first(loaded, options)
        return LocalModel(loaded, options.threads, options.interpreters, engine=options.engine, choice=choice)

    def _follow(self) -> None:
        if self._closed:
            return
        # Taken before the pointer is read, so that a change meanwhile is seen by the next call. A bundle that fails to
        # load is not retried before one of the files changes.
        self._seen = self._signatures()
        if model := self._active(self._model):
            before, after = self._model.card.version, model.card.version
            log.info("bundle.swapped", task=self.task, from_=before, to=after, eight_bit=model.choice.eight_bit)
            # The previous model is not closed: its memory is freed after the last call under way.
            self._model = model

    def _active(self, before: LocalModel | None) -> LocalModel | None:
        """Load and test the active model; None if it is ``before``, or if it fails, which is logged."""
        try:
            loaded = self._load()
            choice = self._choose(loaded)
            if before and (before.card, before.choice.eight_bit) == (loaded.card, choice.eight_bit):
                before.choice = choice
                return None
            model = self._ready(loaded)
            model.warm_up()
        # After any error the previous model keeps answering.
        except Exception as error:
            log.error("bundle.not_loaded", task=self.task, cause=error)
            return None
        return model


class LocalCnn(BundleProvider):
    """Answers with LiteRT, in half precision or, where a measurement favours it, in 8-bit integers."""

    name = "local_cnn"
    _options: LocalCnnOptions

    def __init__(self, task: Task, options: LocalCnnOptions) -> None:
        """Load and check the bundle of ``task``. Raises ProviderMisconfigured."""
        super().__init__(task, options)

    def _choose(self, loaded: Bundle) -> Choice:
        return precision.choose(loaded, self._options)
