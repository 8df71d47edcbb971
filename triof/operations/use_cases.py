"""What people do to a machine: one function each, called by the command line and the dashboard alike.

Each takes the name of the ``actor`` and a ``comment`` for the journal, makes the same checks for each caller, and
writes its event before it changes anything: a change that nobody can explain later is worse than one not made.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, get_args

from providers.base import Task
from triof.common.errors import TriofError
from triof.judging.mode import Switch
from triof.judging.quota import QuotaUsage, ledgers
from triof.rollout.candidates import AZURE, LOCAL, Candidate
from triof.rollout.rollout_service import ProductionChange, RolloutRefused, RolloutService
from triof.settings.tree import Mode
from triof.storage import data_folder

if TYPE_CHECKING:
    from triof.journal.journal import Journal
    from triof.monitoring.alerts import Alerts
    from triof.rollout.labelled import PhotoSelection
    from triof.settings.tree import Settings

LONGEST_COMMENT = 500
"""Characters; what is longer is cut."""


class UseCaseRefused(TriofError):
    """What was asked for cannot be done as things are; the message names what can."""


def turn_mode(settings: Settings, journal: Journal, mode: str, *, actor: str, comment: str) -> None:
    """Turn the switch between cloud and local. Raises UseCaseRefused, HomeUnusable, SQLAlchemyError."""
    chosen: Mode | None = next((each for each in get_args(Mode) if each == mode), None)
    if chosen is None:
        raise UseCaseRefused(f"{mode!r} is no mode: choose {', '.join(get_args(Mode))}.")
    switch, comment = Switch(settings.home, settings.mode).at_kiosk(), _cut(comment)
    journal.record("mode.changed", reason=chosen, before=switch.mode(), who=actor, why=comment)
    try:
        switch.turn(chosen, actor, comment)
    except OSError as error:
        raise data_folder.unusable(settings, error) from error


def resume_quota(settings: Settings, journal: Journal, provider: str, *, actor: str, comment: str) -> QuotaUsage:
    """Let ``provider`` be asked again though it said that its quota is used up, or that it is retired.

    Raises UseCaseRefused where its calls are not counted, SQLAlchemyError.
    """
    ledger = ledgers(settings, journal.database).get(provider)
    if not ledger:
        raise UseCaseRefused(f"No calls are counted for {provider!r}: nothing can be resumed.")
    journal.record("quota.resumed", reason=provider[:32], who=actor, why=_cut(comment))
    ledger.resume()
    return ledger.usage()


def accept_alerts(alerts: Alerts, machine: str, names: Collection[str], *, actor: str, comment: str) -> None:
    """Note that the changes behind alerts of drift are meant: what is seen from now on is the new usual.

    ``names`` are those of alerts, or `all`: none is accepted unless all can be. Raises UseCaseRefused, SQLAlchemyError.
    """
    from triof.monitoring.machine_monitor import ALERT, ALL
    from triof.monitoring.signals import SIGNALS

    known = sorted({ALERT + signal for signal in SIGNALS} | {ALL})
    if unknown := [name for name in names if name not in known]:
        raise UseCaseRefused(
            f"{', '.join(unknown)}: no change of that name can be accepted. These can: {', '.join(known)}."
        )
    if not (comment := _cut(comment)):
        raise UseCaseRefused("Say why the change is meant: the journal keeps it.")
    for name in names:
        alerts.accept(machine, name, actor, comment)


def promote(
    settings: Settings,
    journal: Journal,
    task: Task,
    *,
    actor: str,
    comment: str,
    shown: PhotoSelection | None = None,
    anyway: bool = False,
) -> ProductionChange:
    """Put the candidate of ``task`` into production if the comparison says so, or ``anyway``.

    ``shown`` are labelled photos that both are shown too. Raises RolloutRefused, BundleRefused, NotBetter,
    DatasetError, ProviderError.
    """
    from triof.rollout import comparison

    service = RolloutService(settings, journal, actor)
    if not anyway:
        opinion = comparison.compare_shown(service.of(task), settings, journal, shown).opinion
        if opinion.word != "promote":
            raise RolloutRefused(
                f"The comparison says {opinion.word}: {opinion.reason}. `triof models compare {task}` shows it; to"
                " promote it nevertheless, add --anyway."
            )
    return service.promote(task, _cut(comment), anyway=anyway)


def roll_back(
    settings: Settings, journal: Journal, task: Task, provider: str, *, actor: str, comment: str
) -> ProductionChange:
    """End the canary of ``task``; without one, put the model of ``provider`` before it into production again.

    Raises RolloutRefused, BundleRefused, ProviderError.
    """
    if provider not in (AZURE, LOCAL):
        raise RolloutRefused(f"{provider!r} has no model to go back to: choose {LOCAL} or {AZURE}.")
    return RolloutService(settings, journal, actor).rollback(task, provider, _cut(comment))


def stop_candidate(settings: Settings, journal: Journal, task: Task, *, actor: str, comment: str) -> Candidate:
    """Let production answer alone. Raises RolloutRefused if it does."""
    return RolloutService(settings, journal, actor).stop(task, _cut(comment))


def _cut(comment: str) -> str:
    return comment.strip()[:LONGEST_COMMENT]
