"""``triof doctor``: check each part of the machine and name the remedy."""

import os
import shutil
import time
from collections.abc import Callable, Iterator

import click
from PIL import Image

from providers.base import LABELS, TASKS, Photo, ProviderError, Task
from triof import bundles, capture, home, services
from triof.bundles import Store
from triof.cli import faults, load_settings
from triof.errors import TriofError
from triof.guard import Guard
from triof.paths import TRANSLATIONS
from triof.picture_files import look_in
from triof.router import Member
from triof.settings.loader import SettingsError
from triof.settings.tree import Mode, Settings
from triof.slot import Jammed, Slot
from triof.switch import current_mode
from triof.verdict import threshold

_ENOUGH_BYTES = 200_000_000

Check = Callable[[Settings], str]
"""Returns what was found; raises an error whose message names the remedy."""


class CheckFailed(TriofError):
    """A part could not work."""


class CheckWorried(TriofError):
    """A part does not work, but the machine goes on without it."""


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
        except CheckWorried as error:
            click.secho(f"warn  {name:<12} {error}", fg="yellow")
        # Whatever a part does wrong belongs on its line, so that the other parts are checked too.
        except Exception as error:
            failed = True
            told = faults.sentence(error) if isinstance(error, OSError) else str(error)
            click.secho(f"FAIL  {name:<12} {told}", fg="red")
    ctx.exit(1 if failed else 0)


def _checks() -> Iterator[tuple[str, Check]]:
    yield "home", _home
    yield "journal", _journal
    for task in TASKS:
        yield task, lambda settings, task=task: _route(settings, task)  # type: ignore[misc]
    yield "bundles", _bundles
    yield "precision", _precision
    yield "cloud", _cloud
    yield "camera", _camera
    yield "slot", _slot
    yield "languages", _languages


def _home(settings: Settings) -> str:
    home.make(settings)
    folder = settings.home
    if not os.access(folder, os.W_OK):
        raise CheckFailed(f"{folder} is not writable: give it to this user, or set TRIOF_HOME to another folder.")
    free = shutil.disk_usage(folder).free
    if free < _ENOUGH_BYTES:
        raise CheckFailed(
            f"{folder} has only {free / 1e6:.0f} MB free: make room, {_ENOUGH_BYTES / 1e6:.0f} MB at least."
        )
    return f"{folder}, {free / 1e9:.1f} GB free"


def _journal(settings: Settings) -> str:
    from triof.database_file import DatabaseFile
    from triof.journal import Journal

    with home.existing_database(settings) as database:
        open_deposits = len(Journal(database).unfinished()) if database else None
    path = home.database_path(settings)
    if path and not path.exists() and home.is_machine_taken(settings):
        raise CheckFailed(
            f"A kiosk is running, and its journal {path} is gone: put it back, or start the kiosk again to begin a new"
            " one."
        )
    if path and (left := DatabaseFile(path).left_aside()):
        raise CheckWorried(
            f"A journal was damaged or deleted, and what is left of it lies in {', '.join(map(str, left))}:"
            " `triof journal salvage` merges it into the journal."
        )
    if open_deposits is None:
        return "there is none yet, the kiosk makes it at its first start"
    return f"answers, {open_deposits} deposit{'' if open_deposits == 1 else 's'} under way or interrupted"


def _cloud(settings: Settings) -> str:
    """Really asks the cloud, which is the only way to know that endpoint, key, model and tags fit together."""
    current = current_mode(settings)
    if current.left_out:
        remedies = "; ".join(f"for {name} {remedy}" for name, remedy in current.left_out.items())
        return f"none, this machine answers by itself; {remedies}"
    mode = current.holds
    router = services.build_router(settings, lambda: mode)
    router.prepare()
    guards = [(task, member) for task in TASKS for member in router.members(task) if isinstance(member, Guard)]
    try:
        answers = [_asked(guard, task, settings, mode) for task, guard in guards]
    finally:
        router.close()
    return "; ".join(answers) or f"not asked in mode {mode}"


def _asked(guard: Guard, task: Task, settings: Settings, mode: Mode) -> str:
    started = time.monotonic()
    try:
        prediction = guard.trial(_grey(guard.needed_side, settings), settings.cloud_seconds)
    except ProviderError as error:
        if mode == "cloud":
            raise CheckFailed(f"{guard.name} did not answer for {task}: {error}") from error
        raise CheckWorried(f"{guard.name} did not answer for {task}, so this machine does: {error}") from error
    seconds = time.monotonic() - started
    return f"{guard.name} {prediction.model_version} answers in {seconds:.2f} s (this took one call of the quota)"


def _route(settings: Settings, task: Task) -> str:
    router = services.build_router(settings, lambda: current_mode(settings).holds)
    try:
        asked = [_thresholds(member, task, settings) for member in router.members(task)]
        return f"mode {router.mode}: {', then '.join(asked)}"
    finally:
        router.close()


def _bundles(settings: Settings) -> str:
    """Whether what was activated can answer: where it cannot, the model that ships does, and only the log says so."""
    found = []
    for task in TASKS:
        if settings.local_cnn.chosen(task):
            found.append(f"{task} as the settings say")
            continue
        try:
            found.append(f"{task} {Store(settings).check_active(task)}")
        # As in the provider: whatever is wrong with it.
        except Exception as error:
            raise CheckWorried(
                f"The active bundle of {task} cannot answer, so that a machine which starts takes the shipped one:"
                f" {error} Install it again, or `triof bundles rollback {task}`."
            ) from error
    return ", ".join(found)


def _precision(settings: Settings) -> str:
    """Which network of each bundle answers; where it was not measured yet on this machine, it is now."""
    from providers.local_cnn.provider import LocalCnn
    from triof import precision_trial

    precision_trial.run_due(settings)
    choices = {task: LocalCnn(task, bundles.options(settings)).choice for task in TASKS}
    told = "; ".join(
        f"{task} in {'8 bits' if choice.eight_bit else 'half precision'}: {choice.why}"
        for task, choice in choices.items()
    )
    if any(choice.is_fault for choice in choices.values()):
        raise CheckWorried(told)
    return told


def _thresholds(member: Member, task: Task, settings: Settings) -> str:
    """The model of a provider and from which probability each label is believed, and who says so."""
    if isinstance(member, Guard):
        return member.name
    member.ping()
    prediction = member.predict(_grey(member.needed_side, settings), timeout=settings.deadline_seconds)
    believed = ((label, *threshold(prediction, label, settings.policy)) for label in LABELS[task])
    labels = ", ".join(f"{label} from {probability:g} ({source})" for label, probability, source in believed)
    return f"{member.name} {prediction.model_version} believes {labels}"


def _grey(side: int, settings: Settings) -> Photo:
    side = max(side, settings.photo.min_side)
    return Photo(Image.new("RGB", (side, side), "grey"), "", side, side)


def _camera(settings: Settings) -> str:
    camera = capture.build(settings.camera)
    camera.ping()
    if camera.kind != "folder":
        return camera.kind
    if remark := look_in(settings.camera.folder).remark:
        raise CheckWorried(remark)
    return f"{camera.kind} {settings.camera.folder}"


def _slot(settings: Settings) -> str:
    slot = Slot(services.build_hardware(settings))
    if part := slot.jammed():
        raise Jammed(part)
    return f"{settings.slot.kind}, {'open' if slot.is_open() else 'closed'}, boxes {settings.slot.boxes}"


def _languages(_: Settings) -> str:
    catalogues = list(TRANSLATIONS.glob("*/LC_MESSAGES/messages.po"))
    missing = [path.parts[-3] for path in catalogues if not path.with_suffix(".mo").exists()]
    if missing:
        raise CheckFailed(f"The translations of {', '.join(missing)} are not compiled: install Triof again.")
    return ", ".join(["en", *(path.parts[-3] for path in catalogues)])
