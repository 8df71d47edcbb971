"""Asks a task's providers in their written order, within one deadline, and says why each next one was asked.

A provider in the cloud is asked from a worker, and the next one on this machine while the question travels: when the
cloud does not answer in its share of the deadline, the local answer is already there.
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
from triof.settings.tree import Mode

log = get_logger(__name__)

Member = Provider | GuardedProvider
SKIPPED = "spared"
"""The outcome of an attempt that was not needed: the local model was sure enough."""


def fallen_back(prediction: Prediction) -> Attempt | None:
    """Why another one than the first of the route answered; None if that was meant to be."""
    return next(_failed_first(prediction), None)


def _failed_first(prediction: Prediction) -> Iterator[Attempt]:
    for attempt in prediction.attempts:
        if attempt.outcome == "answered":
            return
        if attempt.outcome != SKIPPED:
            yield attempt


class RouteExperiment(Protocol):
    """Changes the routes of some deposits, to compare models; :class:`triof.rollout.experiment.Experiment` is one."""

    def route(self, task: Task, deposit_id: UUID | None, members: Sequence[Member]) -> list[Member]:
        """The providers to ask for one deposit, in order, where the route has ``members``."""

    def close(self) -> None:
        """Close what the experiment has built."""


class _Limits(NamedTuple):
    deadline: float
    cloud_seconds: float
    cascade: float | None
    clock: Callable[[], float]


class _Heard(NamedTuple):
    """What came of one provider: the attempt, and its prediction if it gave one."""

    attempt: Attempt
    prediction: Prediction | None


class Router:
    """The routes of all tasks. ``deadline`` is in seconds and holds for one question to one route, decoding included.

    A provider in the cloud gets ``cloud_seconds`` of it. With a ``cascade`` (a probability) it is not asked at all
    where the next local one is at least so sure. ``mode`` is looked at before every question, and so is whether a drill
    has ``rehearsed`` another one instead of a guard, and which models the ``experiment`` lets a deposit ask.
    ``notes``, of one thread, writes what nobody has to wait for.
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
        """What holds now; local where there is no cloud to ask."""
        return self._mode() if self._has_cloud else "local"

    @property
    def needed_side(self) -> int:
        """The shortest side, in pixels, below which a photo would lose something for one that would be asked now."""
        return self.side_for(None)

    def side_for(self, deposit_id: UUID | None) -> int:
        """The same, for one deposit."""
        asked = (member for task in self._routes for member in self.members(task, deposit_id))
        return max((member.needed_side for member in asked), default=0)

    def members(self, task: Task, deposit_id: UUID | None = None) -> list[Member]:
        """Who would be asked now, in order; where a new model is on trial that depends on the deposit."""
        local = self.mode == "local"
        members = [member for member in self._routes[task] if not (local and member.needs_network)]
        if self.experiment:
            members = self.experiment.route(task, deposit_id, members)
        return [self._rehearsed(member) if isinstance(member, GuardedProvider) else member for member in members]

    def predict(self, photo: Photo, task: Task, deposit_id: UUID | None = None, *, spent: float = 0.0) -> Prediction:
        """The first answer of the task's route, with all attempts. Raises NoProviderAnswered.

        ``spent`` seconds of the deadline are over already.
        """
        limits = self._limits._replace(deadline=self._limits.deadline - spent)
        prediction = _RoutedQuestion(photo, task, self.members(task, deposit_id), limits).answer()
        for failed in _failed_first(prediction):
            # In cloud mode somebody has said that the cloud has to answer.
            level = logging.ERROR if self.mode == "cloud" else logging.WARNING
            log.log(level, "router.fell_back", task=task, from_=failed.provider, cause=failed.message)
        return prediction

    def prepare(self) -> None:
        """Build what would be asked now; what cannot be built says so when it is asked."""
        for task in self._routes:
            for member in self.members(task):
                if isinstance(member, GuardedProvider):
                    with suppress(ProviderError):
                        member.prepare()

    def problems(self) -> Iterator[tuple[Task, str, ProviderError]]:
        """Task, provider and cause of every provider that could not answer now."""
        for task in self._routes:
            for member in self.members(task):
                try:
                    member.ping()
                except ProviderError as error:
                    yield task, member.name, error

    def breakers(self) -> Mapping[str, State]:
        """The state of the breaker of each provider that has one; those of a drill do not count."""
        members = (member for route in self._routes.values() for member in route)
        return {member.name: member.state for member in members if isinstance(member, GuardedProvider)}

    def rate_wait(self) -> RateWait:
        """For how long not to ask those in the cloud, as it would be too fast; the longest of them."""
        members = {
            member for task in self._routes for member in self.members(task) if isinstance(member, GuardedProvider)
        }
        return max((member.rate_wait() for member in members), default=RateWait(0.0, by_vendor=False))

    def wait_idle(self) -> None:
        """Return when all that was to be noted so far is written."""
        if self._notes:
            self._notes.submit(lambda: None).result()

    def close(self) -> None:
        """Close every provider, and write what is still to be noted."""
        if self.experiment:
            self.experiment.close()
        for route in self._routes.values():
            for member in route:
                member.close()
        if self._notes:
            self._notes.shutdown()


class _RoutedQuestion:
    """One photo and one task: what each provider of the route has said so far."""

    def __init__(self, photo: Photo, task: Task, route: Sequence[Member], limits: _Limits) -> None:
        self._photo = photo
        self._task = task
        self._route = route
        self._limits = limits
        self._clock = limits.clock
        self._ends = self._clock() + limits.deadline
        self._heard: dict[int, _Heard] = {}

    def answer(self) -> Prediction:
        """The first answer in the order of the route. Raises NoProviderAnswered."""
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
        """Ask the one that would be fallen back on, now rather than then."""
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
        # A canary and the one that it stands before are one question.
        if all(heard.attempt.outcome != SKIPPED for heard in self._heard.values()):
            guard.skip()
        message = f"{local.provider} was sure enough ({local.probability:.3f})"
        return _Heard(Attempt(guard.name, SKIPPED, 0.0, message), None)

    def _left(self, now: float) -> float:
        """The seconds that are left. Raises ProviderUnavailable if there are none."""
        if self._ends <= now:
            raise ProviderUnavailable("the deadline had passed before it could be asked", sent=False)
        return self._ends - now

    def _answered(self, prediction: Prediction, seconds: float) -> _Heard:
        return _Heard(Attempt(prediction.provider, "answered", seconds), prediction)

    def _failed(self, name: str, error: ProviderError, seconds: float) -> _Heard:
        return _Heard(Attempt(name, type(error).__name__, seconds, str(error)), None)
