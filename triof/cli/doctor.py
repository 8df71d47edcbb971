"""``triof doctor``: check each part of the machine and print the remedies."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import click

from triof import services
from triof.cli import load_settings
from triof.common.errors import TriofError
from triof.judging.mode import current_mode
from triof.machine.cameras.registry import build_camera
from triof.machine.hardware.registry import build_hardware
from triof.machine.slot import Slot
from triof.settings.loader import SettingsError
from triof.settings.tree import Settings
from triof.storage import data_folder

if TYPE_CHECKING:
    from triof.journal.journal import Journal
    from triof.judging.router import Router
    from triof.observability.health_checks.check import CheckedParts, Status

_WORDS: dict[Status, tuple[str, str | None]] = {
    "ok": ("ok", None),
    "warning": ("warn", "yellow"),
    "failed": ("FAIL", "red"),
}


@click.command()
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Check each part of the machine; exit 1 if a required part fails."""
    from triof.observability.health_checks.registry import all_checks

    try:
        loaded = load_settings(ctx)
    except SettingsError as error:
        _tell("settings", "failed", str(error))
        ctx.exit(1)
    _tell("settings", "ok", f"{len(loaded.origins)} set, the rest as they come")
    parts, has_failed = _parts(ctx, loaded.settings), False
    for check in all_checks():
        if found := check.run(parts):
            has_failed |= found.status == "failed"
            _tell(check.name, found.status, found.text)
    ctx.exit(1 if has_failed else 0)


def _tell(name: str, status: Status, text: str) -> None:
    word, colour = _WORDS[status]
    click.secho(f"{word:<4}  {name:<12} {text}", fg=colour)


def _parts(ctx: click.Context, settings: Settings) -> CheckedParts:
    """Yield the parts to check, each built when first needed and closed at the end of the command."""
    from triof.journal.journal import Journal
    from triof.observability.health_checks.check import CheckedParts

    @cache
    def router() -> Router:
        built = services.build_router(settings, lambda: current_mode(settings).holds)
        ctx.call_on_close(built.close)
        return built

    @cache
    def journal() -> Journal | None:
        try:
            # Read only: the journal may be missing, or of another version.
            found = ctx.with_resource(data_folder.existing_database(settings))
        except TriofError:
            return None
        return Journal(found) if found else None

    def slot() -> Slot:
        built = Slot(build_hardware(settings))
        ctx.call_on_close(built.release)
        return built

    return CheckedParts(
        settings,
        router,
        journal,
        camera=lambda: build_camera(settings.camera),
        slot=slot,
        is_thorough=True,
    )
