"""The state of the machine and its deposit counts, for the scope ``read``."""

import re
import time
from collections.abc import Callable, Mapping
from datetime import date
from threading import Lock

from flask import request

from providers.base import TASKS, Task
from triof import __version__
from triof.judging.guarded_provider import GuardedProvider
from triof.judging.quota import ledgers
from triof.judging.router import Member, Router
from triof.operations.operations import Operations
from triof.web.api import models
from triof.web.api.problems import Refusal

_LOOK_SECONDS = 15.0
"""Seconds for which provider problems are cached: each check calls the cloud."""

_DAY = re.compile(r"20\d\d-\d\d-\d\d", re.ASCII)

Faults = Mapping[tuple[Task, str], str]


class MachineStatus:
    """Reads the state of the machine; ``clock`` in monotonic seconds."""

    def __init__(self, operations: Operations, router: Router, clock: Callable[[], float] = time.monotonic) -> None:
        self._operations = operations
        self._router = router
        self._clock = clock
        self._looking = Lock()
        self._looked_at: float | None = None
        self._faults: Faults = {}

    def machine(self) -> models.Machine:
        """Return mode, routes, quotas, queue and health checks."""
        settings, journal = self._operations.settings, self._operations.journal
        health = self._operations.health.report()
        faults = self._current_faults()
        routes = {
            task: tuple(self._provider(task, member, faults) for member in self._router.members(task)) for task in TASKS
        }
        return models.Machine(
            machine_id=journal.machine_id,
            version=__version__,
            mode=self._router.mode,
            routes=models.Routes(**routes),
            quotas=tuple(
                models.Quota(
                    provider=name,
                    used=(usage := ledger.usage()).used,
                    limit=usage.allowance.per_month,
                    remaining=usage.remaining,
                    exhausted=usage.exhausted,
                    resets_at=usage.resets_at,
                )
                for name, ledger in ledgers(settings, journal.database).items()
            ),
            queue=self._operations.jobs.depth,
            ready=health.is_ready,
            checks=tuple(
                models.MachineCheck(name=check.name, status=found.status, message=found.message, remedy=found.remedy)
                for check, found in health.results.items()
            ),
        )

    def summary(self) -> models.Summary:
        """Return the deposit counts of the days in the query. Raises Refusal."""
        statistics = self._operations.statistics
        first, last = _day("since", statistics.today), _day("until", statistics.today)
        if first > last:
            raise Refusal("dates_unfit", f"since ({first}) is after until ({last}).")
        machines = request.args.getlist("machine") or [self._operations.journal.machine_id]
        totals = statistics.totals(statistics.days(first, last, machines))
        return models.Summary(
            since=first,
            until=last,
            machines=tuple(machines),
            judged=totals.judged,
            verdicts=totals.actions,
            shredded=totals.shredded,
            returned=totals.returned,
            dirty_share=totals.dirty_share,
            correction_share=totals.correction_share,
        )

    def _provider(self, task: Task, member: Member, faults: Faults) -> models.ProviderStanding:
        card = getattr(member, "card", None)
        return models.ProviderStanding(
            name=member.name,
            needs_network=member.needs_network,
            model_version=card.version if card else None,
            breaker=member.state if isinstance(member, GuardedProvider) else None,
            problem=faults.get((task, member.name)),
        )

    def _current_faults(self) -> Faults:
        with self._looking:
            if self._looked_at is None or self._clock() - self._looked_at >= _LOOK_SECONDS:
                self._faults = {(task, name): str(error) for task, name, error in self._router.problems()}
                self._looked_at = self._clock()
            return self._faults


def _day(name: str, otherwise: date) -> date:
    written = request.args.get(name)
    if written is None:
        return otherwise
    try:
        if not _DAY.fullmatch(written):
            raise ValueError(written)
        return date.fromisoformat(written)
    except ValueError:
        raise Refusal("dates_unfit", f"{name} is {written!r}: write a date as 2026-11-30.") from None
