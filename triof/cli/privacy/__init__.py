"""``triof privacy``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click

from triof.cli import LazyGroup

if TYPE_CHECKING:
    from triof.journal.scope import Scope
    from triof.settings.tree import Settings

_Command = TypeVar("_Command", bound=Callable[..., Any])
_DAY, *_TIMES = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S")
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)


@click.command(cls=LazyGroup, package="triof.cli.privacy", names=("show", "export", "erase"))
def privacy() -> None:
    """What is held of people who use the machine: show, export or erase it."""


def period_options(*, required: bool) -> Callable[[_Command], _Command]:
    """Add the options --since and --until."""

    def add(command: _Command) -> _Command:
        since = click.option(
            "--since",
            required=required,
            type=click.DateTime([_DAY, *_TIMES]),
            metavar="TIME",
            help="From this day or time on, in reports.timezone.",
        )
        until = click.option(
            "--until",
            "last",
            metavar="TIME",
            help="To the end of this day, or to this time, excluded; now.",
        )
        return since(until(command))

    return add


def scope_of(settings: Settings, machine: str, since: datetime | None, last: str | None) -> Scope:
    """Return the period of the options on this machine, without its future. Raises BadParameter."""
    from triof.journal.scope import Scope

    zone, now = ZoneInfo(settings.reports.timezone), datetime.now(UTC)
    begun = since.replace(tzinfo=zone).astimezone(UTC) if since else _EARLIEST
    ended = min(_end(last).replace(tzinfo=zone).astimezone(UTC), now) if last else now
    if ended <= begun:
        raise click.BadParameter("The period ends before it begins, or lies in the future.", param_hint="--until")
    return Scope(begun, ended, {machine})


def _end(text: str) -> datetime:
    """Parse --until; a day ends at its midnight. Raises BadParameter."""
    for form in (_DAY, *_TIMES):
        try:
            parsed = datetime.strptime(text, form)
        except ValueError:
            continue
        if 1970 < parsed.year < 9000:
            return parsed + timedelta(days=1) if form == _DAY else parsed
    raise click.BadParameter(
        f"{text!r} is no day or time, such as 2026-11-03 or 2026-11-03T10:20.", param_hint="--until"
    )


def told(settings: Settings, scope: Scope) -> str:
    """Return the period in words."""
    zone = ZoneInfo(settings.reports.timezone)
    begun = "the beginning" if scope.since == _EARLIEST else f"{scope.since.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    return f"{begun} to {scope.until.astimezone(zone):%Y-%m-%d %H:%M:%S} ({settings.reports.timezone})"
