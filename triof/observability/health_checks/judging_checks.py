"""Checks of judging: the routes, the cloud and its quota, the local models."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from PIL import Image

from providers.base import LABELS, TASKS, Photo, Provider, ProviderError, Task
from providers.local_cnn.provider import LocalCnn
from triof.journal.journal import Journal
from triof.judging.cloud_providers import in_use, left_out, retired
from triof.judging.guarded_provider import GuardedProvider
from triof.judging.quota import WARNED_FROM, ledgers
from triof.judging.router import Router
from triof.judging.verdict import threshold
from triof.models import bundle_store as installed
from triof.models import precision_benchmark
from triof.models.bundle_store import Store
from triof.monitoring.event_reader import latest_first
from triof.observability.health_checks.check import (
    AlertStep,
    CheckedParts,
    CheckResult,
    failed,
    health_check,
    ok,
    warning,
)
from triof.settings.tree import Settings
from triof.statistics.forecast import forecast

_FREED_SHARE = 0.95
"""A quota alert clears below this share of the warning threshold, so that it does not fire at every call."""
_SOON = timedelta(7)
_DAYS_A_MONTH = 30.4
_SOME = 50
"""Number of probes of an open breaker to read, about four hours of them."""


@health_check(needed=True)
def waste_type(parts: CheckedParts) -> CheckResult:
    """Check that a provider can predict the waste type."""
    return _route(parts, "waste_type")


@health_check(needed=True)
def cleanliness(parts: CheckedParts) -> CheckResult:
    """Check that a provider can predict the cleanliness."""
    return _route(parts, "cleanliness")


@health_check()
def bundles(parts: CheckedParts) -> CheckResult | None:
    """Check that the active bundles load: the shipped bundle answers for a broken one, which only the log tells."""
    if not parts.is_thorough:
        # It would load each model a second time.
        return None
    found = []
    for task in TASKS:
        if parts.settings.local_cnn.chosen(task):
            found.append(f"{task} as the settings say")
            continue
        try:
            found.append(f"{task} {Store(parts.settings).check_active(task)}")
        # Any exception, as in the provider.
        except Exception as error:
            return warning(
                f"The active bundle of {task} cannot answer, so that a machine which starts takes the shipped one:"
                f" {error}",
                f"Install it again, or `triof bundles rollback {task}`.",
            )
    return ok(", ".join(found))


@health_check()
def precision(parts: CheckedParts) -> CheckResult | None:
    """Report the precision in use for each bundle; measure it first if a person waits and it is unknown."""
    if parts.is_thorough:
        precision_benchmark.run_due(parts.settings)
        models = {task: LocalCnn(task, installed.options(parts.settings)) for task in TASKS}
    else:
        router = parts.router()
        members = [(task, member) for task in TASKS for member in router.members(task)]
        models = {task: member for task, member in members if isinstance(member, LocalCnn)}
    choices = {task: model.choice for task, model in models.items()}
    if not choices:
        return None
    told = "; ".join(
        f"{task} in {'8 bits' if choice.eight_bit else 'half precision'}: {choice.reason}"
        for task, choice in choices.items()
    )
    return warning(told) if any(choice.is_fault for choice in choices.values()) else ok(told)


@health_check(alert="cloud")
def cloud(parts: CheckedParts) -> CheckResult:
    """Check the cloud by its breaker, or, if a person waits, by a real call, which takes one call of the quota."""
    if missing := left_out(parts.settings):
        remedies = "; ".join(f"for {name} {remedy}" for name, remedy in missing.items())
        return ok(f"none, this machine answers by itself; {remedies}")
    router = parts.router()
    if parts.is_thorough:
        return _asked(parts, router)
    journal = parts.journal()
    if journal and (lasting := _retired(parts, journal) or _silent(parts, journal)):
        return _fall_back(router, *lasting)
    silent = [name for name, state in router.breakers().items() if state != "closed"]
    if silent:
        # Fires an alert only after it has lasted.
        return replace(_fall_back(router, f"{', '.join(silent)} does not answer."), alert="keep")
    return ok(f"mode {router.mode}: {', '.join(router.breakers()) or 'none'}")


@health_check(alert="quota")
def quota(parts: CheckedParts) -> CheckResult:
    """Check the remaining quota of the cloud."""
    journal = parts.journal()
    if not journal:
        return ok("no call was counted yet")
    found = [_left(parts, journal, name) for name in ledgers(parts.settings, journal.database)]
    worst = next((each for each in found if each.status != "ok"), None)
    keep = any(each.alert == "keep" for each in found)
    return worst or ok("; ".join(each.message for each in found) or "no calls are counted", "keep" if keep else "clear")


@health_check(alert="retirement")
def retirement(parts: CheckedParts) -> CheckResult | None:
    """Check how long the vendor still provides the service that the routes ask."""
    if parts.router().mode == "local":
        return None
    found = {name: options for name, options in in_use(parts.settings).items() if options.retires_on}
    for name, options in found.items():
        assert options.retires_on
        days = (options.retires_on - parts.now().date()).days
        if days <= parts.settings.alerts.retirement_months * _DAYS_A_MONTH:
            told = f"The vendor switches {name} off on {options.retires_on}, in {days} days."
            if days <= 0:
                told = f"The vendor has switched {name} off on {options.retires_on}."
            return warning(told, f"{options.without_service[0].upper()}{options.without_service[1:]}.", days)
    return ok("; ".join(f"{name} until {options.retires_on}" for name, options in found.items())) if found else None


def _route(parts: CheckedParts, task: Task) -> CheckResult:
    """Check a route, local providers first: the cloud is not checked while one of them answers."""
    router = parts.router()
    members, told, faults = router.members(task), dict[str, str](), list[str]()
    for member in members:
        if isinstance(member, GuardedProvider):
            continue
        try:
            member.ping()
            told[member.name] = _thresholds(member, task, parts.settings) if parts.is_thorough else member.name
        except ProviderError as error:
            faults.append(f"{member.name}: {error}")
    for member in members if not told else ():
        if isinstance(member, GuardedProvider):
            try:
                member.ping()
                told[member.name] = member.name
            except ProviderError as error:
                faults.append(f"{member.name}: {error}")
    if not told:
        return failed("; ".join(faults) or "No provider is left in the route.")
    if faults:
        return warning("; ".join(faults), f"Meanwhile {', '.join(told)} answers.")
    return ok(f"mode {router.mode}: {', then '.join(told.get(member.name, member.name) for member in members)}")


def _thresholds(member: Provider, task: Task, settings: Settings) -> str:
    """Return a provider's model and the threshold of each label with its source."""
    prediction = member.predict(_grey(member.needed_side, settings), timeout=settings.deadline_seconds)
    accepted = ((label, *threshold(prediction, label, settings.policy)) for label in LABELS[task])
    labels = ", ".join(f"{label} from {probability:g} ({source})" for label, probability, source in accepted)
    return f"{member.name} {prediction.model_version} believes {labels}"


def _grey(side: int, settings: Settings) -> Photo:
    side = max(side, settings.photo.min_side)
    return Photo(Image.new("RGB", (side, side), "grey"), "", side, side)


def _asked(parts: CheckedParts, router: Router) -> CheckResult:
    """Call the cloud, the only way to verify endpoint, key, model and tags together."""
    router.prepare()
    told = []
    for task, guard in _guards(router):
        started = time.monotonic()
        try:
            prediction = guard.probe(_grey(guard.needed_side, parts.settings), parts.settings.cloud_seconds)
        except ProviderError as error:
            return _fall_back(router, f"{guard.name} did not answer for {task}: {error}")
        seconds = time.monotonic() - started
        told.append(
            f"{guard.name} {prediction.model_version} answers in {seconds:.2f} s (this took one call of the quota)"
        )
    return ok("; ".join(told) or f"not asked in mode {router.mode}")


def _guards(router: Router) -> Iterator[tuple[Task, GuardedProvider]]:
    return ((task, each) for task in TASKS for each in router.members(task) if isinstance(each, GuardedProvider))


def _fall_back(router: Router, message: str, value: float | None = None) -> CheckResult:
    """Return the result for a silent cloud: a failure in mode cloud, else a warning."""
    if router.mode == "cloud":
        return failed(message, value=value)
    return warning(message, "Meanwhile this machine judges alone.", value)


def _retired(parts: CheckedParts, journal: Journal) -> tuple[str, None] | None:
    for name, ledger in ledgers(parts.settings, journal.database).items():
        if ledger.usage().retired_until:
            return retired(name, in_use(parts.settings)[name]), None
    return None


def _silent(parts: CheckedParts, journal: Journal) -> tuple[str, float] | None:
    """Return text and minutes if a later probe failed after ``alerts.breaker_minutes``; idle nights have no probes."""
    with journal.database.read() as connection:
        opened = latest_first(connection, journal.machine_id, "breaker.opened", _SOME)
        closed = latest_first(connection, journal.machine_id, "breaker.closed", 1)
    since = [row for row in opened if not closed or row.at > closed[0].at]
    if not since or since[0].at - since[-1].at < timedelta(minutes=parts.settings.alerts.breaker_minutes):
        return None
    minutes = (parts.now() - since[-1].at).total_seconds() / 60
    return f"{since[0].reason} has not answered since {since[-1].at:%Y-%m-%d %H:%M} UTC.", round(minutes, 1)


def _left(parts: CheckedParts, journal: Journal, name: str) -> CheckResult:
    ledger = ledgers(parts.settings, journal.database)[name]
    usage = ledger.usage()
    limit = usage.allowance.per_month
    share = usage.used / limit if limit else 0.0
    remedy = "`triof quota` tells when calls come back; meanwhile this machine judges alone."
    if usage.exhausted:
        return warning(f"The quota of {name} is used up: the cloud is not asked.", remedy, share)
    if share >= WARNED_FROM:
        return warning(f"The quota of {name} is nearly used up: {share:.0%} of {limit:,}.", remedy, share)
    now = parts.now()
    runs_out_on = forecast(name, ledger, journal.database, now).runs_out_on
    alert: AlertStep = "keep" if share >= _FREED_SHARE * WARNED_FROM else "clear"
    if runs_out_on and runs_out_on <= (now + _SOON).date():
        return warning(f"The quota of {name} runs out on {runs_out_on} at the present pace.", remedy, share, alert)
    return ok(f"{name}: {usage.used:,} of {limit:,} calls" if limit else f"{name}: {usage.used:,} calls", alert)
