"""Asks a task's providers in their written order, within one deadline, and says why each next one was asked."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from providers.base import (
    LABELS,
    Attempt,
    NoProviderAnswered,
    Photo,
    Prediction,
    Provider,
    ProviderError,
    ProviderUnavailable,
    Task,
)

log = logging.getLogger(__name__)


class Router:
    """The routes of all tasks. ``deadline`` is in seconds and holds for one question to one route."""

    def __init__(
        self,
        routes: Mapping[Task, Sequence[Provider]],
        deadline: float = 2.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._routes = routes
        self._deadline = deadline
        self._clock = clock

    @property
    def needed_side(self) -> int:
        """The shortest side, in pixels, below which a photo would lose something for one of the providers."""
        return max((provider.needed_side for provider in self._providers()), default=0)

    def predict(self, photo: Photo, task: Task) -> Prediction:
        """The first answer of the task's route, with all attempts. Raises NoProviderAnswered."""
        started = self._clock()
        attempts: tuple[Attempt, ...] = ()
        for provider in self._routes[task]:
            asked = self._clock()
            try:
                left = self._deadline - (asked - started)
                if left <= 0:
                    raise ProviderUnavailable("the deadline had passed before it could be asked")
                prediction = _ask(provider, photo, task, left)
            except ProviderError as error:
                attempts += (Attempt(provider.name, type(error).__name__, self._clock() - asked, str(error)),)
            else:
                for failed in attempts:
                    log.warning("router.fell_back task=%s from=%s cause=%s", task, failed.provider, failed.message)
                attempts += (Attempt(provider.name, "answered", self._clock() - asked),)
                return replace(prediction, attempts=attempts)
        raise NoProviderAnswered(task, attempts)

    def problems(self) -> Iterator[tuple[Task, str, ProviderError]]:
        """Task, provider and cause of every provider that could not answer now."""
        for task, route in self._routes.items():
            for provider in route:
                try:
                    provider.ping()
                except ProviderError as error:
                    yield task, provider.name, error

    def close(self) -> None:
        """Close every provider."""
        for provider in self._providers():
            provider.close()

    def _providers(self) -> Iterator[Provider]:
        for route in self._routes.values():
            yield from route


def _ask(provider: Provider, photo: Photo, task: Task, timeout: float) -> Prediction:
    """The provider's prediction, if it makes sense. Raises ProviderError and nothing else."""
    try:
        prediction = provider.predict(photo, timeout=timeout)
    except ProviderError:
        raise
    # A provider may be anybody's code, and a person stands in front of the machine: whatever breaks, the next is asked.
    except Exception as error:
        log.exception("provider.broke")
        raise ProviderUnavailable(f"it broke ({type(error).__name__}: {error})") from error
    if set(prediction.scores) != set(LABELS[task]) or prediction.label not in prediction.scores:
        raise ProviderUnavailable(f"its answer makes no sense: {prediction.label!r} with scores {prediction.scores}")
    return prediction
