"""Use cases that change a machine: one function each, called by the command line and the dashboard.

Each takes the name of the ``actor`` and a ``comment`` for the journal, makes the same checks for every caller, and
writes its event before the change, so that no change is missing from the journal.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, get_args

from providers.base import Task
from triof.common.errors import TriofError
from triof.judging.mode import Switch
from triof.judging.quota import QuotaUsage, ledgers
from triof.rollout.candidates import AZURE, LOCAL, Candidate
from triof.rollout.rollout_service import ProductionChange, RolloutRefused, RolloutService
from triof.settings.modes import Mode
from triof.storage import data_folder

if TYPE_CHECKING:
    from triof.journal.journal import Journal
    from triof.monitoring.alerts import Alerts
    from triof.rollout.labelled import PhotoSelection
    from triof.settings.tree import Settings
    from triof.statistics.boxes import BoxFill
    from triof.statistics.queries import Statistics

LONGEST_COMMENT = 500
"""Characters; longer comments are truncated."""


class UseCaseRefused(TriofError):
    """The use case is not possible in the current state; the message names the alternatives."""


def turn_mode(settings: Settings, journal: Journal, mode: str, *, actor: str, comment: str) -> None:
    """Set the mode of the machine. Raises UseCaseRefused, HomeUnusable, SQLAlchemyError."""
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
    """Allow calls to ``provider`` again after it reported an exhausted quota or its retirement; return its usage.

    Raises UseCaseRefused if its calls are not counted, SQLAlchemyError.
    """
    ledger = ledgers(settings, journal.database).get(provider)
    if not ledger:
        raise UseCaseRefused(f"No calls are counted for {provider!r}: nothing can be resumed.")
    journal.record("quota.resumed", reason=provider[:32], who=actor, why=_cut(comment))
    ledger.resume()
    return ledger.usage()


def empty_box(statistics: Statistics, journal: Journal, machine_id: str, number: int, *, actor: str) -> BoxFill:
    """Record that box ``number`` of a machine was emptied, and return what was in it by the count.

    Raises UseCaseRefused for an unknown machine or box, SQLAlchemyError.
    """
    if machine_id not in {journal.machine_id, *statistics.machines()}:
        raise UseCaseRefused(f"No machine {machine_id!r} writes to this journal.")
    boxes = {box.number: box for box in statistics.boxes(machine_id)}
    if number not in boxes:
        raise UseCaseRefused(f"There is no box {number}: slot.boxes has {', '.join(map(str, sorted(boxes)))}.")
    box = boxes[number]
    facts: dict[str, Any] = {"who": actor, "items": box.items, "grams": round(box.grams, 1)}
    event = journal.event("box.emptied", waste_type=box.waste_type, reason=str(number), **facts)
    event.machine_id = machine_id
    journal.write([event])
    journal.tell([event])
    return box


def accept_alerts(alerts: Alerts, machine: str, names: Collection[str], *, actor: str, comment: str) -> None:
    """Mark the changes behind drift alerts as intended: a new baseline begins.

    ``names`` are alert names, or `all`: either all are accepted or none. Raises UseCaseRefused, SQLAlchemyError.
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
    """Promote the candidate of ``task`` if the comparison recommends it, or ``anyway``.

    ``shown`` are labelled photos to compare both models on. Raises RolloutRefused, BundleRefused, NotBetter,
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
    """End the canary of ``task``; without one, restore the previous model of ``provider``.

    Raises RolloutRefused, BundleRefused, ProviderError.
    """
    if provider not in (AZURE, LOCAL):
        raise RolloutRefused(f"{provider!r} has no model to go back to: choose {LOCAL} or {AZURE}.")
    return RolloutService(settings, journal, actor).rollback(task, provider, _cut(comment))


def stop_candidate(settings: Settings, journal: Journal, task: Task, *, actor: str, comment: str) -> Candidate:
    """End the candidate of ``task`` and return it. Raises RolloutRefused if there is none."""
    return RolloutService(settings, journal, actor).stop(task, _cut(comment))


def _cut(comment: str) -> str:
    return comment.strip()[:LONGEST_COMMENT]
