"""Calls the providers of a task in order, within one deadline, and records why it fell back each time.

A cloud provider is called in a worker, and the next local provider at the same time: if the cloud does not answer
within its share of the deadline, the local answer is ready.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple, Protocol
from uuid import UUID

from providers.base import (
    Attempt,
    NoProviderAnswered,
    Photo,
    Prediction,
    Provider,
    ProviderError,
    ProviderUnavailable,
    Task,
)
from providers.event_log import get_logger
from triof.judging.circuit_breaker import State
from triof.judging.guarded_provider import GuardedProvider, RateWait, ask
from triof.settings.modes import Mode

log = get_logger(__name__)

Member = Provider | GuardedProvider
SKIPPED = "spared"
"""The outcome of an attempt that was skipped because the local model was sure enough."""


def fallen_back(prediction: Prediction) -> Attempt | None:
    """Return the attempt whose failure caused a fall-back; None if the first provider answered or was skipped."""
    return next(_failed_first(prediction), None)


def _failed_first(prediction: Prediction) -> Iterator[Attempt]:
    for attempt in prediction.attempts:
        if attempt.outcome == "answered":
            return
        if attempt.outcome != SKIPPED:
            yield attempt


class RouteExperiment(Protocol):
    """Changes the routes of some deposits to compare models, as :class:`triof.rollout.experiment.Experiment` does."""

    def route(self, task: Task, deposit_id: UUID | None, members: Sequence[Member]) -> list[Member]:
        """Return the providers for one deposit, in order; ``members`` are those of the configured route."""

    def close(self) -> None:
        """Close the providers that the experiment has built."""


class _Limits(NamedTuple):
    deadline: float
    cloud_seconds: float
    cascade: float | None
    clock: Callable[[], float]


class _Heard(NamedTuple):
    """The outcome of one provider: the attempt, and its prediction if it gave one."""

    attempt: Attempt
    prediction: Prediction | None


class Router:
    """The routes of all tasks. ``deadline`` is in seconds, for one question to one route, including decoding.

    A cloud provider gets ``cloud_seconds`` of it. With a ``cascade`` (a probability) it is skipped if the next local
    provider is at least as sure. Before every question the router reads ``mode``, whether a drill replaces a guard
    (``rehearsed``), and the models of the ``experiment``. ``notes``, an executor with one thread, runs deferred writes.
    """

    def __init__(
        self,
        routes: Mapping[Task, Sequence[Member]],
        deadline: float = 2.5,
        clock: Callable[[], float] = time.monotonic,
        *,
        cloud_seconds: float = 1.5,
        cascade: float | None = None,
        mode: Callable[[], Mode] = lambda: "auto",
        rehearsed: Callable[[GuardedProvider], GuardedProvider] = lambda guard: guard,
        experiment: RouteExperiment | None = None,
        notes: Executor | None = None,
    ) -> None:
        self._routes = routes
        self._limits = _Limits(deadline, cloud_seconds, cascade, clock)
        self._mode = mode
        self._has_cloud = any(member.needs_network for route in routes.values() for member in route)
        self._rehearsed = rehearsed
        self.experiment = experiment
        self._notes = notes

    @property
    def mode(self) -> Mode:
        """The current mode; local if there is no cloud provider."""
        return self._mode() if self._has_cloud else "local"

    @property
    def needed_side(self) -> int:
        """The shorter side, in pixels, below which a photo loses detail for a provider of the current routes."""
        return self.side_for(None)

    def side_for(self, deposit_id: UUID | None) -> int:
        """Return the needed side for one deposit."""
        asked = (member for task in self._routes for member in self.members(task, deposit_id))
        return max((member.needed_side for member in asked), default=0)

    def members(self, task: Task, deposit_id: UUID | None = None) -> list[Member]:
        """Return the providers that would be called now, in order; during an experiment they depend on the deposit."""
        local = self.mode == "local"
        members = [member for member in self._routes[task] if not (local and member.needs_network)]
        if self.experiment:
            members = self.experiment.route(task, deposit_id, members)
        return [self._rehearsed(member) if isinstance(member, GuardedProvider) else member for member in members]

    def predict(
        self,
        photo: Photo,
        task: Task,
        deposit_id: UUID | None = None,
        *,
        spent: float = 0.0,
        stays_here: bool = False,
    ) -> Prediction:
        """Return the first answer of the task's route, with all attempts. Raises NoProviderAnswered.

        ``spent`` is the part of the deadline already used, in seconds; a photo that ``stays_here`` is sent to no cloud.
        """
        limits = self._limits._replace(deadline=self._limits.deadline - spent)
        members = self.members(task, deposit_id)
        members = [member for member in members if not (stays_here and member.needs_network)]
        prediction = _RoutedQuestion(photo, task, members, limits).answer()
        for failed in _failed_first(prediction):
            # In cloud mode a fall-back is a fault.
            level = logging.ERROR if self.mode == "cloud" else logging.WARNING
            log.log(level, "router.fell_back", task=task, from_=failed.provider, cause=failed.message)
        return prediction

    def prepare(self) -> None:
        """Build the providers of the current routes; one that cannot be built fails when it is called."""
        for task in self._routes:
            for member in self.members(task):
                if isinstance(member, GuardedProvider):
                    with suppress(ProviderError):
                        member.prepare()

    def problems(self) -> Iterator[tuple[Task, str, ProviderError]]:
        """Yield task, name and error of every provider that could not answer now."""
        for task in self._routes:
            for member in self.members(task):
                try:
                    member.ping()
                except ProviderError as error:
                    yield task, member.name, error

    def breakers(self) -> Mapping[str, State]:
        """Return the state of each provider's breaker, without those of drills."""
        members = (member for route in self._routes.values() for member in route)
        return {member.name: member.state for member in members if isinstance(member, GuardedProvider)}

    def rate_wait(self) -> RateWait:
        """Return the longest wait that the rate limits of the cloud providers demand."""
        members = {
            member for task in self._routes for member in self.members(task) if isinstance(member, GuardedProvider)
        }
        return max((member.rate_wait() for member in members), default=RateWait(0.0, by_vendor=False))

    def wait_idle(self) -> None:
        """Return when all deferred writes are done."""
        if self._notes:
            self._notes.submit(lambda: None).result()

    def close(self) -> None:
        """Close every provider, after the deferred writes."""
        if self.experiment:
            self.experiment.close()
        for route in self._routes.values():
            for member in route:
                member.close()
        if self._notes:
            self._notes.shutdown()


class _RoutedQuestion:
    """One photo and one task, with the outcomes of the providers so far."""

    def __init__(self, photo: Photo, task: Task, route: Sequence[Member], limits: _Limits) -> None:
        self._photo = photo
        self._task = task
        self._route = route
        self._limits = limits
        self._clock = limits.clock
        self._ends = self._clock() + limits.deadline
        self._heard: dict[int, _Heard] = {}

    def answer(self) -> Prediction:
        """Return the first answer in the order of the route. Raises NoProviderAnswered."""
        for position in range(len(self._route)):
            if accepted := self._hear(position).prediction:
                attempts = tuple(self._heard[heard].attempt for heard in sorted(self._heard))
                others = (heard for heard in self._heard.values() if heard.prediction is not accepted)
                alternatives = tuple(
                    replace(other.prediction, attempts=(other.attempt,)) for other in others if other.prediction
                )
                return replace(accepted, attempts=attempts, alternatives=alternatives)
        raise NoProviderAnswered(self._task, tuple(self._heard[heard].attempt for heard in sorted(self._heard)))

    def _hear(self, position: int) -> _Heard:
        if position not in self._heard:
            member = self._route[position]
            heard = (
                self._hear_cloud(member, position) if isinstance(member, GuardedProvider) else self._hear_local(member)
            )
            self._heard[position] = heard
        return self._heard[position]

    def _hear_local(self, provider: Provider) -> _Heard:
        asked = self._clock()
        try:
            left = self._left(asked)
            return self._answered(ask(provider, self._photo, self._task, left), self._clock() - asked)
        except ProviderError as error:
            return self._failed(provider.name, error, self._clock() - asked)

    def _hear_cloud(self, guard: GuardedProvider, position: int) -> _Heard:
        if skipped := self._skipped(guard, position):
            return skipped
        asked = self._clock()
        try:
            pending = guard.ask(self._photo, min(self._limits.cloud_seconds, self._left(asked)))
        except ProviderError as error:
            return self._failed(guard.name, error, self._clock() - asked)
        pending.head_start()
        self._hear_next_local(position)
        try:
            return self._answered(pending.answer(), pending.seconds)
        except ProviderError as error:
            return self._failed(guard.name, error, pending.seconds)

    def _hear_next_local(self, position: int) -> Prediction | None:
        """Call the local provider that would be the fall-back, without waiting for the cloud."""
        for later in range(position + 1, len(self._route)):
            if not isinstance(self._route[later], GuardedProvider):
                return self._hear(later).prediction
        return None

    def _skipped(self, guard: GuardedProvider, position: int) -> _Heard | None:
        needed = self._limits.cascade
        if needed is None:
            return None
        local = self._hear_next_local(position)
        if not local or local.probability < needed or local.is_unfamiliar:
            return None
        # A canary and the provider it precedes count as one skipped call.
        if all(heard.attempt.outcome != SKIPPED for heard in self._heard.values()):
            guard.skip()
        message = f"{local.provider} was sure enough ({local.probability:.3f})"
        return _Heard(Attempt(guard.name, SKIPPED, 0.0, message), None)

    def _left(self, now: float) -> float:
        """Return the remaining seconds. Raises ProviderUnavailable if there are none."""
        if self._ends <= now:
            raise ProviderUnavailable("the deadline had passed before it could be asked", sent=False)
        return self._ends - now

    def _answered(self, prediction: Prediction, seconds: float) -> _Heard:
        return _Heard(Attempt(prediction.provider, "answered", seconds), prediction)

    def _failed(self, name: str, error: ProviderError, seconds: float) -> _Heard:
        return _Heard(Attempt(name, type(error).__name__, seconds, str(error)), None)
