"""Finds and builds the providers that ``triof compare`` compares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from typing import Any

import click

import providers
from providers.base import TASKS, Metered, Provider, ProviderError, ProviderMisconfigured, Task
from providers.local_cnn.options import BundleOptions
from providers.local_cnn.pointer import serving
from providers.onnx.options import ENGINES
from providers.options import CloudOptions
from triof import services
from triof.cli.rekognition.session import HOURS_A_WEEK
from triof.evaluation.engine_comparison import Contender, Member
from triof.evaluation.kept_answers import KeptAnswers
from triof.judging.guarded_provider import GuardedProvider
from triof.models.bundle_store import LOCAL, ONNX, options_of
from triof.settings.tree import Settings

_SCRIPTED = "fake"


def set_up(settings: Settings) -> list[str]:
    """Return the names of the providers that are set up, local ones first; ``onnx`` once for each installed engine."""
    return [*_local(settings), *(name for name in providers.PROVIDERS if _is_cloud(name, settings))]


def build(names: Sequence[str], settings: Settings, stack: ExitStack) -> list[Contender]:
    """Build the contenders; ``stack`` closes them. Raises BadParameter, ProviderError, OSError."""
    return [_build(name, settings, stack) for name in dict.fromkeys(names)]


def _local(settings: Settings) -> Iterator[str]:
    yield LOCAL
    with suppress(ProviderError):
        for task in TASKS:
            serving(task, options_of(ONNX, settings))
        yield from (f"{ONNX}/{runtime}" for runtime, engine in ENGINES.items() if engine.is_installed)


def _is_cloud(name: str, settings: Settings) -> bool:
    options = getattr(settings, name, None)
    return isinstance(options, CloudOptions) and options.is_set


def _build(name: str, settings: Settings, stack: ExitStack) -> Contender:
    provider, _, runtime = name.partition("/")
    if (runtime and (provider != ONNX or runtime not in ENGINES)) or provider == _SCRIPTED:
        raise _unknown(name)
    if provider not in providers.PROVIDERS and not providers.names_a_class(provider):
        raise _unknown(name)
    if runtime:
        chosen = settings.onnx.model_copy(update={"runtime": runtime})
        settings = settings.model_copy(update={ONNX: chosen})
    members, notes = _members(provider, settings, stack)
    options = getattr(settings, provider, None)
    allowance = options.allowance if isinstance(options, Metered) else None
    needs_network = any(member.needs_network for member in members.values())
    kept = KeptAnswers(settings.home, name, _fingerprint(options, members))
    kept.read()
    return Contender(
        name=name,
        members=members,
        kept=kept,
        needs_network=needs_network,
        place=(allowance.resource if allowance else "the network") if needs_network else "nowhere: they stay here",
        euros_per_1000=len(members) * allowance.euros_per_1000 if allowance else 0.0,
        euros_a_month=_by_the_hour(options) if allowance and allowance.is_paid_by_the_hour else None,
        notes=notes,
    )


def _by_the_hour(options: Any) -> float:
    """Return the euros that a service costs a month in its opening hours, or else without a pause."""
    hours = options.hours.hours_a_week if options.hours.is_set else HOURS_A_WEEK
    return float(options.euros_a_month(hours))


def _members(provider: str, settings: Settings, stack: ExitStack) -> tuple[dict[Task, Member], list[str]]:
    """Return what the router of a machine with this provider alone would ask, and the tasks that it cannot answer.

    Raises ProviderError if there is no task that it can answer.
    """
    alone = settings.model_copy(update={"mode": "auto", "routes": dict.fromkeys(TASKS, (provider,))})
    router = services.build_router(alone, lambda: "auto")
    stack.enter_context(closing(router))
    routed = {task for task in TASKS if provider in settings.routes[task]}
    # A provider in the cloud has a model for the tasks that it is asked about.
    tasks = TASKS if isinstance(getattr(settings, provider, None), BundleOptions) or not routed else routed
    members: dict[Task, Member] = {}
    faults: list[ProviderError] = []
    for task, member in ((name, member) for name in TASKS if name in tasks for member in router.members(name)):
        try:
            if isinstance(member, GuardedProvider):
                member.prepare()
            else:
                member.ping()
        except ProviderError as error:
            faults.append(error)
        else:
            members[task] = member
    if not members:
        missing = ProviderMisconfigured(f"{provider} is not set up: {_remedy(provider, settings)}.")
        raise faults[0] if faults else missing
    return members, [str(fault) for fault in faults]


def _remedy(provider: str, settings: Settings) -> str:
    return str(getattr(getattr(settings, provider, None), "remedy", "see docs/reference/settings.md"))


def _fingerprint(options: Any, members: dict[Task, Member]) -> str:
    """Return a digest that changes with the settings and the models, but for secrets, which it leaves out."""
    told = options.model_dump_json() if options is not None else ""
    models = [_model(member) for member in members.values()]
    return hashlib.sha256(json.dumps([told, models]).encode()).hexdigest()


def _model(member: Provider | GuardedProvider) -> str:
    card = getattr(member, "card", None)
    choice = getattr(member, "choice", None)
    return f"{card.version} {card.sha256} {choice.eight_bit if choice else ''}" if card else ""


def _unknown(name: str) -> click.BadParameter:
    known = [*(each for each in providers.PROVIDERS if each != _SCRIPTED), *(f"{ONNX}/{each}" for each in ENGINES)]
    return click.BadParameter(
        f"{name!r} is no provider to compare: use {', '.join(known)} or module:Class.", param_hint="--providers"
    )
