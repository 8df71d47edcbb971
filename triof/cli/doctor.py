"""``triof doctor``: check each part of the machine and name the remedy."""

import os
import shutil
from collections.abc import Callable, Iterator

import click
from PIL import Image

from providers.base import LABELS, TASKS, Photo, Provider, ProviderError, Task
from triof import capture, services
from triof.cli import load_settings
from triof.errors import TriofError
from triof.paths import TRANSLATIONS
from triof.settings import Settings, SettingsError
from triof.slot import Jammed
from triof.verdict import threshold

_ENOUGH_BYTES = 200_000_000

Check = Callable[[Settings], str]
"""Returns what was found; raises an error whose message names the remedy."""


class CheckFailed(TriofError):
    """A part could not work."""


@click.command()
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Check each part of the machine; exit 1 if it could not work."""
    try:
        loaded = load_settings(ctx)
    except SettingsError as error:
        click.secho(f"FAIL  {'settings':<12} {error}", fg="red")
        ctx.exit(1)
    click.echo(f"ok    {'settings':<12} {len(loaded.origins)} set, the rest as they come")
    failed = False
    for name, check in _checks():
        try:
            click.echo(f"ok    {name:<12} {check(loaded.settings)}")
        # Whatever a part does wrong belongs on its line, so that the other parts are checked too.
        except Exception as error:
            failed = True
            click.secho(f"FAIL  {name:<12} {error}", fg="red")
    ctx.exit(1 if failed else 0)


def _checks() -> Iterator[tuple[str, Check]]:
    yield "home", _home
    yield "journal", _journal
    for task in TASKS:
        yield task, lambda settings, task=task: _route(settings, task)  # type: ignore[misc]
    yield "camera", _camera
    yield "slot", _slot
    yield "languages", _languages


def _home(settings: Settings) -> str:
    home = settings.home
    services.make_home(settings)
    if not os.access(home, os.W_OK):
        raise CheckFailed(f"{home} is not writable: give it to this user, or set TRIOF_HOME to another folder.")
    free = shutil.disk_usage(home).free
    if free < _ENOUGH_BYTES:
        raise CheckFailed(
            f"{home} has only {free / 1e6:.0f} MB free: make room, {_ENOUGH_BYTES / 1e6:.0f} MB at least."
        )
    return f"{home}, {free / 1e9:.1f} GB free"


def _journal(settings: Settings) -> str:
    open_deposits = services.interrupted_deposits(settings)
    if open_deposits is None:
        return "there is none yet, the kiosk makes it at its first start"
    return f"answers, {open_deposits} deposit{'' if open_deposits == 1 else 's'} under way or interrupted"


def _route(settings: Settings, task: Task) -> str:
    sorter = services.build_sorter(settings)
    problems: list[ProviderError] = [error for of, _, error in sorter.router.problems() if of == task]
    sorter.router.close()
    if problems:
        raise problems[0]
    route = services.build_route(settings, task)
    try:
        asked = [_thresholds(provider, task, settings) for provider in route]
    finally:
        for provider in route:
            provider.close()
    return f"mode {settings.mode}: {', then '.join(asked)}"


def _thresholds(provider: Provider, task: Task, settings: Settings) -> str:
    """The model of a provider and from which probability each label is believed, and who says so."""
    if provider.needs_network:
        return f"{provider.name} (in the cloud, not asked)"
    side = max(provider.needed_side, settings.photo.min_side)
    grey = Photo(Image.new("RGB", (side, side), "grey"), "", side, side)
    prediction = provider.predict(grey, timeout=settings.deadline_seconds)
    believed = ((label, *threshold(prediction, label, settings.policy)) for label in LABELS[task])
    labels = ", ".join(f"{label} from {probability:g} ({source})" for label, probability, source in believed)
    return f"{provider.name} {prediction.model_version} believes {labels}"


def _camera(settings: Settings) -> str:
    camera = capture.build(settings.camera)
    camera.ping()
    return f"{camera.kind}{f' {settings.camera.folder}' if camera.kind == 'folder' else ''}"


def _slot(settings: Settings) -> str:
    hardware = services.build_hardware(settings)
    if part := hardware.jammed():
        raise Jammed(part)
    return f"{settings.slot.kind}, {'open' if hardware.slot_is_open() else 'closed'}, boxes {settings.slot.boxes}"


def _languages(_: Settings) -> str:
    catalogues = list(TRANSLATIONS.glob("*/LC_MESSAGES/messages.po"))
    missing = [path.parts[-3] for path in catalogues if not path.with_suffix(".mo").exists()]
    if missing:
        raise CheckFailed(f"The translations of {', '.join(missing)} are not compiled: install Triof again.")
    return ", ".join(["en", *(path.parts[-3] for path in catalogues)])
