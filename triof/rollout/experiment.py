"""Runs a candidate and production on the same photos: a canary before production, a comparison call afterwards.

Calls for the comparison run in a worker after the employee has the answer; they change no verdict,
and a hanging one blocks no deposit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING
from uuid import UUID

from providers.base import (
    Attempt,
    Photo,
    Prediction,
    Provider,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    ServiceRetired,
    Task,
)
from providers.event_log import get_logger
from triof.common.worker_pool import AllBusy, Workers
from triof.drills.fault_file import FaultFile
from triof.judging.guarded_provider import GuardedProvider, ask
from triof.rollout.candidates import AZURE, Candidate, Candidates
from triof.settings.tree import Settings

if TYPE_CHECKING:
    from triof.journal.journal import Journal
    from triof.judging.router import Member
    from triof.judging.sorter import Followed

log = get_logger(__name__)

_SHARED_FAULTS = {fault.__name__ for fault in (RateLimited, QuotaExceeded, ServiceRetired)}
"""Errors that say nothing about the model: candidate and production share one service and its quota."""


class RenamedProvider:
    """A provider under another name, which tells a candidate's attempts from production's."""

    needs_network = False

    def __init__(self, name: str, provider: Provider) -> None:
        self.name = name
        self._provider = provider

    @property
    def needed_side(self) -> int:
        """The ``needed_side`` of the provider."""
        return self._provider.needed_side

    def predict(self, photo: Photo, *, timeout: float) -> Prediction:
        """Return the provider's prediction. Raises ProviderError."""
        return self._provider.predict(photo, timeout=timeout)

    def ping(self) -> None:
        """Raise ProviderError if the provider cannot answer now."""
        self._provider.ping()

    def close(self) -> None:
        """Close the provider."""
        self._provider.close()


@dataclass
class LoadedCandidate:
    """A candidate that is being built, is ready, or failed to build; with the worker for comparison calls."""

    workers: Workers
    built: Future[Member]
    asked: Future[None] | None = None
    since: float = 0.0

    @property
    def member(self) -> Member | None:
        """The candidate; None while it is being built. Raises ProviderError if that failed."""
        return self.built.result() if self.built.done() else None


class Experiment:
    """The experiments of one machine. ``clock`` in monotonic seconds.

    A candidate is built by ``build`` in a worker when it is first seen; until it is ready production answers.
    ``promoted`` builds the guarded provider of a promoted published name. ``note`` runs what must be
    written, but not while an employee waits.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Callable[[], Journal],
        build: Callable[[Candidate], Member],
        promoted: Callable[[Task, str], GuardedProvider],
        *,
        note: Callable[[Callable[[], None]], object] = lambda write: write(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._build = build
        self._promote = promoted
        self._note = note
        self._clock = clock
        self._candidates = Candidates(settings)
        self._fault_file = FaultFile(settings.home)
        self._lock = Lock()
        self._loaded: dict[Task, tuple[Candidate, LoadedCandidate]] = {}
        self._guards: dict[tuple[Task, str], GuardedProvider] = {}

    def route(self, task: Task, deposit_id: UUID | None, members: Sequence[Member]) -> list[Member]:
        """Return the providers in order: ``members`` after promotions, with a canary before its rival."""
        current = [self._promoted(member, task) for member in members]
        candidate = self._of(task) if deposit_id else None
        if not candidate or not deposit_id or candidate.arm(deposit_id) != "candidate":
            return current
        position = next((place for place, member in enumerate(current) if member.name == candidate.provider), None)
        with suppress(ProviderError):  # a failed build is counted in follow_up
            if position is not None and (member := self._load(candidate).member):
                current.insert(position, member)
        return current

    def follow_up(self, photo: Followed) -> None:
        """Call the other model of each pair after the answer. Returns at once, and raises nothing."""
        for task in photo.judgement.predictions:
            if (candidate := self._of(task)) and candidate.arm(photo.deposit_id) != "alone":
                try:
                    self._complete(candidate, photo)
                except Exception:
                    log.exception("candidate.not_compared", task=task)

    def wait_idle(self) -> None:
        """Wait until every candidate is built and has answered."""
        for _, loaded in list(self._loaded.values()):
            wait([loaded.built])
            if loaded.asked:
                wait([loaded.asked])

    def close(self) -> None:
        """Close every provider that was built here."""
        with self._lock:
            for task in list(self._loaded):
                self._let_go(task)
            for guard in self._guards.values():
                guard.close()
            self._guards = {}

    def _of(self, task: Task) -> Candidate | None:
        candidate = self._candidates.of(task)
        if not candidate:
            with self._lock:
                self._let_go(task)
        # Drills use production only.
        return candidate if candidate and not self._fault_file.current() else None

    def _promoted(self, member: Member, task: Task) -> Member:
        if member.name != AZURE or not isinstance(member, GuardedProvider):
            return member
        name = self._candidates.published()
        if not name or name == self._settings.custom_vision.published_name:
            return member
        with self._lock:
            if (task, name) not in self._guards:
                self._guards[task, name] = self._promote(task, name)
            return self._guards[task, name]

    def _load(self, candidate: Candidate) -> LoadedCandidate:
        with self._lock:
            held = self._loaded.get(candidate.task)
            if held and held[0].model == candidate.model and held[0].provider == candidate.provider:
                return held[1]
            self._let_go(candidate.task)
            workers = Workers(candidate.label, 1)
            loaded = LoadedCandidate(workers, workers.submit(lambda: self._prepared(candidate)))
            self._loaded[candidate.task] = candidate, loaded
            return loaded

    def _let_go(self, task: Task) -> None:
        _, loaded = self._loaded.pop(task, (None, None))
        if loaded:
            loaded.workers.close()
            with suppress(ProviderError):
                # The memory of a local model is freed after its last running call.
                if isinstance(member := loaded.member, GuardedProvider):
                    member.close()

    def _prepared(self, candidate: Candidate) -> Member:
        member = self._build(candidate)
        if isinstance(member, GuardedProvider):
            member.prepare()
        else:
            member.ping()
        return member

    def _complete(self, candidate: Candidate, photo: Followed) -> None:
        accepted = photo.judgement.predictions[candidate.task]
        answers = (accepted, *accepted.alternatives)
        rival = any(map(candidate.is_rival, answers))
        tried = [attempt for attempt in accepted.attempts if attempt.provider == candidate.label]
        if any(map(candidate.gave, answers)):
            if not rival:
                members = photo.members(candidate.task)
                self._submit(
                    candidate, next((each for each in members if each.name == candidate.provider), None), photo
                )
        elif tried and rival:
            self._note(lambda: self._failed(candidate, photo.deposit_id, tried[0]))
        elif rival:
            self._ask_candidate(candidate, photo)

    def _ask_candidate(self, candidate: Candidate, photo: Followed) -> None:
        try:
            member = self._load(candidate).member
        except ProviderError as error:
            failed = _failure(candidate, error, 0.0)
            self._note(lambda: self._failed(candidate, photo.deposit_id, failed))
        else:
            self._submit(candidate, member, photo)

    def _submit(self, candidate: Candidate, member: Member | None, photo: Followed) -> None:
        loaded = self._load(candidate)
        if not member or not loaded.built.done():
            return
        now = self._clock()
        try:
            loaded.asked, loaded.since = loaded.workers.submit(lambda: self._ask(candidate, member, photo)), now
        except AllBusy:
            if now - loaded.since > self._settings.deadline_seconds:
                told = "it has not come back from an earlier photo"
                hangs = Attempt(candidate.label, "ProviderUnavailable", now - loaded.since, told)
                self._note(lambda: self._failed(candidate, photo.deposit_id, hangs))

    def _ask(self, candidate: Candidate, member: Member, photo: Followed) -> None:
        """Call the model in the worker, and write the result to the journal."""
        task = candidate.task
        try:
            shown = photo.load(member.needed_side)
            asked = self._clock()
            try:
                prediction = (
                    member.ask(shown, self._settings.cloud_seconds).answer()
                    if isinstance(member, GuardedProvider)
                    else ask(member, shown, task, self._settings.deadline_seconds)
                )
            except ProviderError as error:
                if member.name == candidate.label:
                    self._failed(candidate, photo.deposit_id, _failure(candidate, error, self._clock() - asked))
                return
            attempt = Attempt(prediction.provider, "answered", self._clock() - asked)
            self._journal().record_alternative(photo.deposit_id, shown, replace(prediction, attempts=(attempt,)))
        except Exception:
            log.exception("candidate.not_compared", task=task)

    def _failed(self, candidate: Candidate, deposit_id: UUID, attempt: Attempt) -> None:
        if attempt.outcome in _SHARED_FAULTS:
            return
        log.warning("candidate.failed", candidate=candidate.label, cause=attempt.message)
        try:
            self._journal().record(
                "candidate.failed",
                reason=candidate.task,
                version=candidate.model.name,
                deposit=str(deposit_id),
                outcome=attempt.outcome,
                seconds=round(attempt.duration, 4),
                message=attempt.message,
            )
        except Exception:
            log.exception("journal.not_written", kind="candidate.failed")


def _failure(candidate: Candidate, error: ProviderError, seconds: float) -> Attempt:
    return Attempt(candidate.label, type(error).__name__, seconds, str(error))
