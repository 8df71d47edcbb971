"""Prometheus metrics of the running machine: docs/reference/metrics-and-logs.md.

Counters begin at 0 with the process; totals over all time are in the journal. Label values never come from
clients. Events during a drill are not counted.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from providers.event_log import get_logger
from triof.common.repeated_faults import Complaints
from triof.drills.fault_file import FaultFile
from triof.journal.journal import ENDINGS, Journal
from triof.judging.circuit_breaker import State
from triof.judging.quota import ledgers
from triof.judging.router import fallen_back
from triof.judging.sorter import Judgement, Sorter
from triof.observability import system_stats
from triof.settings.tree import Settings
from triof.storage.tables import Event

log = get_logger(__name__)

_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Reading = float | None | Mapping[tuple[str, ...], float]
"""A number, None if it is unknown, or one for each combination of labels."""


class _MetricGauge(NamedTuple):
    name: str
    help: str
    read: Callable[[], Reading]
    labels: Sequence[str]


class _Gauges(Collector):
    """Reads the gauges at each scrape; a gauge that raises is left out."""

    def __init__(self) -> None:
        self.gauges: list[_MetricGauge] = []
        self._complaints = Complaints(log)

    def collect(self) -> Iterable[Metric]:
        """Yield every gauge with its current value."""
        for gauge in self.gauges:
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=gauge.labels)
            try:
                reading = gauge.read()
                for labels, value in (reading if isinstance(reading, Mapping) else {(): reading}).items():
                    if value is not None:
                        family.add_metric(labels, value)
            except Exception as error:
                self._complaints.failed("metrics.not_read", error, name=gauge.name)
            yield family


class Metrics:
    """The metrics of one process, in their own registry; thread-safe."""

    def __init__(self, is_drill: Callable[[], bool] = lambda: False, now: Callable[[], float] = time.time) -> None:
        self._is_drill = is_drill
        self._now = now
        # The _created series would double the number of lines.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._gauges = _Gauges()
        self.registry.register(self._gauges)
        self._answer_seconds = self._histogram("triof_answer_seconds", "Attempts, by how long", "task", "provider")
        self._attempts = self._counter("triof_attempts", "Attempts, by what came of it", "task", "provider", "outcome")
        self._fallbacks = self._counter("triof_fallbacks", "Answers of another than the first", "task", "provider")
        self._judgement_seconds = self._histogram("triof_judgement_seconds", "From the photo's bytes to the verdict")
        self._verdicts = self._counter("triof_verdicts", "Verdicts", "action", "reason")
        self._deposits = self._counter("triof_deposits", "Deposits, by how they ended", "ending")
        self._confirmations = self._counter("triof_confirmations", "What people chose", "waste_type", "reason")
        self._http_requests = self._counter("triof_http_requests", "HTTP requests", "method", "route", "status")
        self._http_seconds = self._histogram("triof_http_request_seconds", "HTTP requests, by how long", "route")
        self._photo_at = self._moment("triof_camera_last_photo_timestamp_seconds", "When the camera gave a photo")
        self._failed_at = self._moment("triof_camera_last_failure_timestamp_seconds", "When the camera gave none")
        self._failures = self._counter("triof_camera_failures", "How often the camera gave no photo")
        self._models: dict[tuple[str, str], str] = {}
        self.gauge("triof_model_info", "The latest to answer", self._model_info, ("task", "provider", "version"))
        for ending in ENDINGS:
            self._deposits.labels(ending.removeprefix("deposit."))

    def gauge(self, name: str, help_: str, read: Callable[[], Reading], labels: Sequence[str] = ()) -> None:
        """Add a gauge that calls ``read`` at each scrape; if it raises, the gauge is left out that time."""
        self._gauges.gauges.append(_MetricGauge(name, help_, read, labels))

    def judged(self, judgement: Judgement) -> None:
        """Count a judgement; registered with :meth:`Sorter.observe`."""
        if self._is_drill():
            return
        self._judgement_seconds.observe(judgement.duration)
        self._verdicts.labels(judgement.verdict.action, judgement.verdict.reason).inc()
        for task, prediction in judgement.predictions.items():
            if failed := fallen_back(prediction):
                self._fallbacks.labels(task, failed.provider).inc()
            for answered in (prediction, *prediction.alternatives):
                self._models[task, answered.provider] = answered.model_version
        answers = [(task, prediction.attempts) for task, prediction in judgement.predictions.items()]
        for task, attempts in (*answers, *((task, error.attempts) for task, error in judgement.unanswered.items())):
            for attempt in attempts:
                self._attempts.labels(task, attempt.provider, attempt.outcome).inc()
                self._answer_seconds.labels(task, attempt.provider).observe(attempt.duration)

    def happened(self, event: Event) -> None:
        """Count an event; registered with :meth:`Journal.observe`."""
        if event.deposit_id is None or self._is_drill():
            return
        if event.kind == "deposit.judged":
            self._photo_at.set(self._now())
        elif event.kind == "deposit.confirmed":
            self._confirmations.labels(event.waste_type, event.reason).inc()
        elif event.kind in ENDINGS:
            self._deposits.labels(event.kind.removeprefix("deposit.")).inc()

    def camera_failed(self) -> None:
        """Count a camera failure."""
        if not self._is_drill():
            self._failures.inc()
            self._failed_at.set(self._now())

    def requested(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an HTTP request; ``route`` is the matched URL rule, not the path."""
        self._http_requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._http_seconds.labels(route).observe(seconds)

    def page(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def _model_info(self) -> Reading:
        return {(task, provider, version): 1 for (task, provider), version in self._models.copy().items()}

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(name, help_, labels, registry=self.registry)

    def _histogram(self, name: str, help_: str, *labels: str) -> Histogram:
        return Histogram(name, help_, labels, registry=self.registry, buckets=_SECONDS)

    def _moment(self, name: str, help_: str) -> Gauge:
        return Gauge(name, help_, registry=self.registry)


def build(settings: Settings, sorter: Sorter, journal: Journal) -> Metrics:
    """Build the metrics of a server, fed by ``sorter`` and ``journal``."""
    fault_file = FaultFile(settings.home)
    metrics = Metrics(lambda: fault_file.current() is not None)
    sorter.observe(metrics.judged)
    journal.observe(metrics.happened)
    metrics.gauge("triof_breaker_state", "1 for the state that holds", lambda: _breakers(sorter), ("provider", "state"))
    _count_quotas(metrics, settings, journal)
    process = system_stats.OwnProcess()
    for name, help_, read in (
        ("triof_cpu_share", "How busy the processor is, 0 to 1", system_stats.cpu_share),
        ("triof_memory_available_bytes", "What programs can still have", system_stats.memory_available_bytes),
        ("triof_temperature_celsius", "Of the hottest sensor", system_stats.temperature_celsius),
        (
            "triof_disk_free_bytes",
            "On the disk of the home folder",
            lambda: system_stats.disk_free_bytes(settings.home),
        ),
        ("triof_process_cpu_seconds", "Taken by this process since its start", process.cpu_seconds),
        ("triof_process_resident_bytes", "In memory now", process.resident_bytes),
        ("triof_process_threads", "Threads of this process", process.threads),
        ("triof_process_open_files", "Files and connections of this process", process.open_files),
    ):
        metrics.gauge(name, help_, read)
    return metrics


def _breakers(sorter: Sorter) -> Reading:
    return {
        (name, state): float(state == holds)
        for name, holds in sorter.router.breakers().items()
        for state in get_args(State)
    }


def _count_quotas(metrics: Metrics, settings: Settings, journal: Journal) -> None:
    def read(what: Literal["used", "limit"]) -> Reading:
        usages = {name: ledger.usage() for name, ledger in ledgers(settings, journal.database).items()}
        numbers = {name: usage.used if what == "used" else usage.allowance.per_month for name, usage in usages.items()}
        return {(name,): float(number) for name, number in numbers.items() if number is not None}

    metrics.gauge("triof_quota_used", "Calls in the last 30 days", lambda: read("used"), ("provider",))
    metrics.gauge("triof_quota_limit", "Calls allowed in 30 days", lambda: read("limit"), ("provider",))
