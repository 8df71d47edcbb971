"""Changes of candidates by people and the guard: begin, stop, promote, roll back; each is journaled.

Every change replaces one file atomically: ``active.json`` when a bundle is promoted, ``candidates.json``
when an iteration is. A candidate ends with the production model that it was started against, so that a crash
between two writes leaves the state before or after the change.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from providers.base import TASKS, Task
from triof.common.errors import TriofError
from triof.models.bundle_store import Store
from triof.rollout.candidates import AZURE, LOCAL, Candidate, CandidateMode, CandidateModel, Candidates
from triof.storage import data_folder

if TYPE_CHECKING:
    from triof.journal.journal import Journal
    from triof.settings.tree import Settings

_LOCK_SECONDS = 30.0

Outcome = Literal["promoted", "rolled_back", "stopped", "replaced", "superseded"]


class RolloutRefused(TriofError):
    """A candidate cannot be started or promoted in the current state; the message says why and what to do."""


class CandidateRequest(NamedTuple):
    """A candidate to start. ``share`` of the deposits, above 0 and up to 1."""

    task: Task
    provider: str
    name: str
    mode: CandidateMode
    share: float


class ProductionChange(NamedTuple):
    """The model now in production for a task, and the previous one."""

    task: Task
    provider: str
    name: str
    before: str


class RolloutService:
    """Changes the candidates of a home folder, under a process lock."""

    def __init__(self, settings: Settings, journal: Journal, actor: str) -> None:
        self._settings = settings
        self._journal = journal
        self._actor = actor
        self._candidates = Candidates(settings)

    def begin(self, request: CandidateRequest, comment: str) -> Candidate:
        """Start a candidate, at once in a running kiosk. Raises RolloutRefused, ProviderError."""
        with self._alone():
            self._check(request)
            against = self._candidates.production(request.task, request.provider)
            if against.name == request.name:
                raise RolloutRefused(f"{request.name} is in production: name another one to compare it with.")
            model = self._model(request)
            self._reconcile(request.task)
            running = self._candidates.of(request.task)
            if running and running.model != model:
                raise RolloutRefused(
                    f"{running.model.name} is the candidate of {request.task}:"
                    f" `triof models stop {request.task}` first."
                )
            if running:
                self._end(running, "replaced", comment)
            candidate = Candidate(
                *request[:2], model, against, *request[3:], since=datetime.now(UTC), actor=self._actor, comment=comment
            )
            # Journaled first, so that no change is missing from the journal.
            self._journal.record(
                "candidate.started",
                reason=candidate.task,
                provider=candidate.provider,
                version=model.name,
                against=against.name,
                mode=candidate.mode,
                share=candidate.share,
                who=self._actor,
                why=comment,
            )
            self._candidates.keep(candidate.task, candidate)
            return candidate

    def of(self, task: Task) -> Candidate:
        """Return the candidate of the task. Raises RolloutRefused if there is none."""
        if candidate := self._candidates.of(task):
            return candidate
        raise RolloutRefused(f"There is no candidate for {task}: begin one with `triof models canary VERSION`.")

    def stop(self, task: Task, comment: str, outcome: Outcome = "stopped") -> Candidate:
        """End the candidate and return it. Raises RolloutRefused if there is none."""
        with self._alone():
            candidate = self.of(task)
            self._end(candidate, outcome, comment)
            return candidate

    def promote(self, task: Task, comment: str, *, anyway: bool = False) -> ProductionChange:
        """Put the candidate into production atomically.

        Raises NotBetter for a bundle whose training did not improve it, unless ``anyway``; RolloutRefused,
        BundleRefused, ProviderError.
        """
        with self._alone():
            candidate = self.of(task)
            change = ProductionChange(task, candidate.provider, candidate.model.name, candidate.against.name)
            if candidate.provider == AZURE:
                self._publish(change, candidate, (*self._candidates.promoted().before, change.before), comment)
            else:
                Store(self._settings).activate(
                    f"{task}/{change.name}", self._journal, self._actor, comment, anyway=anyway
                )
                self._end(candidate, "promoted", comment)
            return change

    def rollback(self, task: Task, provider: str, comment: str) -> ProductionChange:
        """End a canary; without one, restore the previous model. Raises RolloutRefused and the errors of activation."""
        with self._alone():
            candidate = self._candidates.of(task)
            if candidate and candidate.mode == "canary":
                self._end(candidate, "rolled_back", comment)
                return ProductionChange(task, candidate.provider, candidate.against.name, candidate.model.name)
            if provider == AZURE:
                return self._unpublish(task, comment)
            change = Store(self._settings).rollback(task, self._journal, self._actor, comment)
            self._reconcile(task)
            return ProductionChange(task, LOCAL, change.version, change.before)

    def reconcile(self) -> None:
        """Remove candidates whose production model has changed."""
        with self._alone():
            for task in TASKS:
                self._reconcile(task)

    def _check(self, request: CandidateRequest) -> None:
        task, provider = request.task, request.provider
        if provider not in self._settings.routes[task]:
            raise RolloutRefused(f"{provider} is not asked for {task}: add it to routes.{task} first.")
        if provider == LOCAL and (chosen := self._settings.local_cnn.chosen(task)):
            raise RolloutRefused(
                f"The settings overrule what is active: unset local_cnn.{task}_bundle ({chosen}), or nothing could be"
                " promoted."
            )
        if provider == AZURE and not self._candidates.published():
            raise RolloutRefused(f"No iteration is in production here: {self._settings.custom_vision.remedy}.")

    def _model(self, request: CandidateRequest) -> CandidateModel:
        if request.provider == AZURE:
            return CandidateModel(request.name, request.name)
        return CandidateModel(request.name, Store(self._settings).check(request.task, request.name).version)

    def _reconcile(self, task: Task) -> None:
        written = self._candidates.written(task)
        if written and not self._candidates.of(task):
            now = self._candidates.production(task, written.provider)
            self._end(written, "promoted" if now.name == written.model.name else "superseded", "production has changed")

    def _end(self, candidate: Candidate, outcome: Outcome, comment: str) -> None:
        self._record_end(candidate, outcome, comment)
        self._candidates.keep(candidate.task, None)

    def _record_end(self, candidate: Candidate, outcome: Outcome, comment: str) -> None:
        self._journal.record(
            "candidate.ended",
            reason=candidate.task,
            provider=candidate.provider,
            version=candidate.model.name,
            against=candidate.against.name,
            mode=candidate.mode,
            share=candidate.share,
            outcome=outcome,
            who=self._actor,
            why=comment,
        )

    def _publish(self, change: ProductionChange, candidate: Candidate, before: tuple[str, ...], comment: str) -> None:
        configured = self._settings.custom_vision.published_name or ""
        published = self._candidates.promoted().turned(change.name, configured, before)
        self._record_end(candidate, "promoted", comment)
        # One file holds the candidate's end and the new name.
        self._candidates.keep(change.task, None, published)

    def _unpublish(self, task: Task, comment: str) -> ProductionChange:
        held = self._candidates.promoted()
        configured = self._settings.custom_vision.published_name or ""
        now = held.now(configured)
        if not held.before or now != held.name:
            raise RolloutRefused(
                "No iteration was promoted here: `triof azure publish` changes what a name stands for."
            )
        name = held.before[-1]
        self._journal.record(
            "candidate.ended",
            reason=task,
            provider=AZURE,
            version=held.name,
            against=name,
            outcome="rolled_back",
            who=self._actor,
            why=comment,
        )
        self._candidates.keep(task, self._candidates.written(task), held.turned(name, configured, held.before[:-1]))
        self._reconcile(task)
        return ProductionChange(task, AZURE, name, held.name)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        try:
            data_folder.make(self._settings)
            with FileLock(self._settings.home / "candidates.lock", timeout=_LOCK_SECONDS, mode=0o600):
                yield
        except Timeout as error:
            raise RolloutRefused("Another command is at work on the candidates: try again when it is done.") from error
        except OSError as error:
            raise data_folder.unusable(self._settings, error) from error
