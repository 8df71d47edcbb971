"""The operational services around the sorter, used by the API, the dashboard and the operator's commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from triof.access.api_keys import Keys
from triof.common.scheduler import ScheduledTask, Scheduler
from triof.journal.backups import JournalBackups
from triof.journal.journal import Journal
from triof.judging.sorter import Sorter
from triof.models import precision_benchmark
from triof.monitoring.monitor import Monitor
from triof.observability import metrics
from triof.observability.health_checks.check import CheckedParts
from triof.observability.health_checks.runner import HealthChecks
from triof.observability.metrics import Metrics
from triof.operations import model_schedule
from triof.predictions import results
from triof.predictions.queue import Jobs
from triof.rollout.auto_rollback import GUARD_SECONDS, Rollout
from triof.settings.tree import Settings
from triof.statistics.queries import Statistics
from triof.storage.database import Database
from triof.storage.database_errors import DatabaseUnusable


@dataclass(frozen=True)
class Operations:
    """The services, built from the settings and the journal only, so that a server without a machine has them too."""

    settings: Settings
    journal: Journal
    scheduler: Scheduler
    metrics: Metrics
    keys: Keys
    jobs: Jobs
    statistics: Statistics
    rollout: Rollout
    monitoring: Monitor
    health: HealthChecks

    def start(self) -> None:
        """Start the background tasks."""
        self.scheduler.start()
        self.jobs.start()

    def close(self) -> None:
        """Finish running work and stop."""
        self.scheduler.close()
        self.monitoring.close()
        self.jobs.close()
        self.keys.close()


_BACKUP_LOOK_SECONDS = 600.0
_PRECISION_LOOK_SECONDS = 3600.0


def build(
    settings: Settings, sorter: Sorter, journal: Journal, clock: Callable[[], float] = time.monotonic
) -> Operations:
    """Build the services, not started. ``clock`` in monotonic seconds."""
    measured = metrics.build(settings, sorter, journal)
    jobs = Jobs(settings.home, settings.api, journal.database, partial(results.ask, sorter))
    measured.gauge("triof_api_queue_depth", "Photos that wait to be judged", lambda: jobs.depth)
    statistics = Statistics(journal.database, settings)
    rollout = Rollout(settings, journal)
    measured.gauge("triof_candidate_pairs", "Photos a candidate answered too", rollout.pairs, ("task", "version"))
    monitoring = Monitor(settings, journal.database)
    measured.gauge(
        "triof_drift", "Evidence of drift, as a share of what is an alarm", monitoring.gauges, ("machine", "signal")
    )
    checked = replace(_checked(settings, sorter, journal, monitoring), statistics=statistics)
    health = HealthChecks(checked, clock=clock)
    monitoring.watch_parts(health.alert_names(), health.alerts)
    measured.gauge("triof_health_check", "0: ok, 1: warning, 2: failed", health.gauges, ("check",))
    tasks: list[ScheduledTask] = [
        *_backups(settings, journal.database),
        *monitoring.tasks(),
        *model_schedule.tasks(settings, lambda: sorter.router.mode),
        ScheduledTask("jobs.prune", 3600, jobs.prune),
        ScheduledTask("tallies", 300, statistics.count_past_days),
        ScheduledTask("rollout", GUARD_SECONDS, rollout.guard),
        ScheduledTask(
            "precision", _PRECISION_LOOK_SECONDS, partial(precision_benchmark.keep_up, settings, sorter.router)
        ),
    ]
    return Operations(
        settings,
        journal,
        Scheduler(settings.home, tasks),
        metrics=measured,
        keys=Keys(journal.database, settings.api.per_minute),
        jobs=jobs,
        statistics=statistics,
        rollout=rollout,
        monitoring=monitoring,
        health=health,
    )


def _checked(settings: Settings, sorter: Sorter, journal: Journal, monitoring: Monitor) -> CheckedParts:
    """Return the parts for the health checks of a server; a kiosk adds its camera and slot."""

    def journal_fault() -> DatabaseUnusable | None:
        # Set by a kiosk later.
        return monitoring.journal_fault()

    return CheckedParts(
        settings,
        router=lambda: sorter.router,
        journal=lambda: journal,
        journal_fault=journal_fault,
    )


def _backups(settings: Settings, database: Database) -> Iterator[ScheduledTask]:
    """Yield the backup task of a database file; other databases have their own backups."""
    if database.path:
        yield ScheduledTask("journal.backup", _BACKUP_LOOK_SECONDS, JournalBackups(settings, database.path).take_if_due)
