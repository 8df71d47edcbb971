"""Automatic rollback: ends a candidate that fails, is slow or is worse; and the state of candidates for pages."""

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
"""Seconds for which pages and metrics get the same comparison."""


class Rollout:
    """Guards the candidates of this machine. ``now`` returns aware datetimes."""

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
        """End every candidate that must not continue; run by the scheduler."""
        if not any(self._candidates.written(task) for task in TASKS):
            return
        service = RolloutService(self._settings, self._journal, _ACTOR)
        service.reconcile()
        for task in TASKS:
            candidate = self._candidates.of(task)
            if candidate and (reason := comparison.guard(candidate, self._settings, self._journal, self._now())):
                # A shadow was never accepted, so there is nothing to roll back.
                service.stop(task, reason, "rolled_back" if candidate.mode == "canary" else "stopped")
                log.error("candidate.sent_away", candidate=candidate.label, why=reason)

    def comparison(self, task: Task) -> Comparison | None:
        """Return the comparison of the candidate of ``task``, cached for a moment; None if there is no candidate."""
        candidate, now = self._candidates.of(task), self._now()
        if not candidate:
            return None
        kept, at = self._kept.get(task, (None, now))
        if not kept or kept.candidate != candidate or abs(now - at) > _FRESH:
            kept = comparison.compare(candidate, self._settings, self._journal, until=now)
            self._kept[task] = kept, now
        return kept

    def state(self) -> list[dict[str, Any]]:
        """Return the model in production and the candidate of each task, for pages."""
        return [
            {"task": task, "production": self._production(task), "candidate": self._standing(task)} for task in TASKS
        ]

    def pairs(self) -> dict[tuple[str, ...], float]:
        """Return the number of pairs by task and candidate, for the metrics."""
        standing = {task: self._standing(task) for task in TASKS}
        return {(task, found["version"]): float(found["pairs"]) for task, found in standing.items() if found}

    def _production(self, task: Task) -> dict[str, str]:
        """Return the name of the model in production by provider."""
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
