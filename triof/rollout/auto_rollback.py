"""The guard of a running machine: sends a candidate away that fails, dawdles or is worse, and tells how one stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from providers.base import TASKS, ProviderMisconfigured, Task
from providers.event_log import get_logger
from triof.common.repeated_faults import Complaints
from triof.rollout import comparison
from triof.rollout.candidates import AZURE, LOCAL, Candidates
from triof.rollout.comparison import Comparison
from triof.rollout.rollout_service import RolloutService

if TYPE_CHECKING:
    from triof.journal.journal import Journal
    from triof.settings.tree import Settings

log = get_logger(__name__)

GUARD_SECONDS = 20.0
_ACTOR = "triof"
_FRESH = timedelta(seconds=20)
"""Pages and metrics that look again within this see the same."""


class Rollout:
    """The candidates of this machine. ``now`` gives aware datetimes."""

    def __init__(
        self, settings: Settings, journal: Journal, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._now = now
        self._candidates = Candidates(settings)
        self._kept: dict[Task, tuple[Comparison, datetime]] = {}
        self._complaints = Complaints(log)

    def guard(self) -> None:
        """For a round: end every candidate that must not go on."""
        if not any(self._candidates.written(task) for task in TASKS):
            return
        service = RolloutService(self._settings, self._journal, _ACTOR)
        service.reconcile()
        for task in TASKS:
            candidate = self._candidates.of(task)
            if candidate and (reason := comparison.guard(candidate, self._settings, self._journal, self._now())):
                # Nobody has believed a shadow, so that nothing is taken back.
                service.stop(task, reason, "rolled_back" if candidate.mode == "canary" else "stopped")
                log.error("candidate.sent_away", candidate=candidate.label, why=reason)

    def comparison(self, task: Task) -> Comparison | None:
        """How the candidate of ``task`` stands, or stood a moment ago; None where there is none."""
        candidate, now = self._candidates.of(task), self._now()
        if not candidate:
            return None
        kept, at = self._kept.get(task, (None, now))
        if not kept or kept.candidate != candidate or abs(now - at) > _FRESH:
            kept = comparison.compare(candidate, self._settings, self._journal, until=now)
            self._kept[task] = kept, now
        return kept

    def state(self) -> list[dict[str, Any]]:
        """What is in production for each task, and how its candidate stands; for pages."""
        return [
            {"task": task, "production": self._production(task), "candidate": self._standing(task)} for task in TASKS
        ]

    def pairs(self) -> dict[tuple[str, ...], float]:
        """For the metrics: task and candidate to the pairs so far."""
        standing = {task: self._standing(task) for task in TASKS}
        return {(task, found["version"]): float(found["pairs"]) for task, found in standing.items() if found}

    def _production(self, task: Task) -> dict[str, str]:
        """By provider, what commands call the model in production."""
        found: dict[str, str] = {}
        for provider in (AZURE, LOCAL):
            if provider in self._settings.routes[task]:
                try:
                    found[provider] = self._candidates.production(task, provider).name
                except ProviderMisconfigured as error:
                    self._complaints.failed("production.unknown", error, task=task)
        return found

    def _standing(self, task: Task) -> dict[str, Any] | None:
        compared = self.comparison(task)
        if not compared:
            return None
        candidate = compared.candidate
        return {
            "provider": candidate.provider,
            "version": candidate.model.name,
            "against": candidate.against.name,
            "mode": candidate.mode,
            "share": candidate.share,
            "since": candidate.since,
            "who": candidate.actor,
            "why": candidate.comment,
            "pairs": compared.pairs,
            "confirmed": sum(compared.table),
            "word": compared.opinion.word,
            "because": compared.opinion.reason,
            "needed": compared.needed,
        }
