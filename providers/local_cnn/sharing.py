"""Shares one run of a model between all tasks that it answers for a photo.

The machine asks for its tasks in several threads at once. The first one resizes the photo and runs the model; the
others wait for the result and take their own parts of it.
"""

from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from providers.base import Photo, ProviderUnavailable, Task
from providers.local_cnn.bundle import Bundle
from providers.local_cnn.engine import Engine
from providers.local_cnn.runtime import Make, ModelOutput, Runtime


@dataclass
class _SharedCall:
    """A run for one photo, under way or finished, and the tasks that have asked for it."""

    answer: Future[ModelOutput] = field(default_factory=Future)
    asked: set[Task] = field(default_factory=set)


class SharedRuntime:
    """A runtime that several tasks of a model call with a photo, and that runs once for all of them."""

    def __init__(
        self, bundle: Bundle, engine: Engine, threads: int, interpreters: int, make: Make | None = None
    ) -> None:
        """Load and check the model, as :class:`Runtime` does. Raises ProviderMisconfigured."""
        self._runtime = Runtime(bundle, engine, threads, interpreters, make)
        self._size = (bundle.card.input.width, bundle.card.input.height)
        self._lock = Lock()
        self._calls: WeakKeyDictionary[Photo, _SharedCall] = WeakKeyDictionary()

    def ask(self, photo: Photo, task: Task, *, timeout: float) -> ModelOutput:
        """Return the model's outputs for ``photo``, within about ``timeout`` seconds. Raises ProviderUnavailable.

        A second call for the same task runs the model again: a result is shared between tasks, but not cached.
        """
        with self._lock:
            call = self._calls.get(photo)
            is_first = call is None or task in call.asked
            if call is None or is_first:
                call = self._calls[photo] = _SharedCall()
            call.asked.add(task)
        if is_first:
            self._run(photo, call, timeout)
        try:
            return call.answer.result(max(timeout, 0))
        except TimeoutError as error:
            raise ProviderUnavailable(f"The local model was busy for {timeout:.1f} s: try again.") from error

    def warm_up(self, *, timeout: float) -> None:
        """Answer about a black picture. Raises ProviderUnavailable."""
        width, height = self._size
        self._runtime.ask(np.zeros((height, width, 3), np.uint8), timeout=timeout)

    def _run(self, photo: Photo, call: _SharedCall, timeout: float) -> None:
        try:
            call.answer.set_result(self._runtime.ask(photo.resized(*self._size), timeout=timeout))
        except BaseException as error:
            with self._lock:
                if self._calls.get(photo) is call:
                    # Later calls try again.
                    del self._calls[photo]
            call.answer.set_exception(error)


_making = Lock()
_made: WeakValueDictionary[object, SharedRuntime] = WeakValueDictionary()


def shared(bundle: Bundle, engine: Engine, threads: int, interpreters: int) -> SharedRuntime:
    """Return the runtime of ``bundle``; for a model of several tasks the same one while any of them uses it.

    Raises ProviderMisconfigured if the model does not match its card.
    """
    card = bundle.card
    if not card.also:
        return SharedRuntime(bundle, engine, threads, interpreters)
    sizes = frozenset((part.task, len(part.labels)) for part in (card, *card.also))
    model = (card.sha256, bundle.answers_in_eight_bits)
    key = (engine, model, card.input, sizes, frozenset(card.outputs), threads, interpreters)
    with _making:
        found = _made.get(key)
        if found is None:
            found = _made[key] = SharedRuntime(bundle, engine, threads, interpreters)
        return found
