"""``triof setup``: the first run of a machine, from its language to a test deposit."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from providers.base import ProviderError
from triof.cli import load_settings, tell
from triof.cli.installation.questions import Questions
from triof.cli.installation.steps import STEPS, Setup
from triof.common.errors import TriofError
from triof.installation.first_run import FirstRun
from triof.settings.sections.machine.camera import CameraSettings
from triof.settings.sections.machine.slot import KINDS
from triof.settings.tree import Language, Settings

_FILE = click.Path(dir_okay=False, allow_dash=True, path_type=Path)
_CAMERA_LOGIN = ("camera_password_file", "camera_user")


class NotTheOwner(TriofError):
    """The home folder belongs to another user, who could not read what this one writes."""


@click.command()
@click.option("--language", type=click.Choice(get_args(Language)), help="Language of the touchscreen.")
@click.option("--name", help="What people call the machine.")
@click.option("--place", help="Where it stands.")
@click.option("--tenant", help="The company where it stands, for the thanks and the reports.")
@click.option("--camera", type=click.Choice(get_args(CameraSettings.model_fields["kind"].annotation)))
@click.option("--camera-folder", type=click.Path(path_type=Path), help="Of a camera of the kind folder.")
@click.option("--camera-device", metavar="DEVICE", help="Of a webcam: number, path or name in /dev/v4l/by-id.")
@click.option("--camera-url", metavar="URL", help="Of a camera of the kind http.")
@click.option("--camera-user", metavar="NAME", help="Of the login of a camera of the kind http.")
@click.option(
    "--camera-password-file", type=_FILE, help="File with the password of that login; - is the standard input."
)
@click.option("--hardware", metavar="KIND", help=f"Motors and sensors: {', '.join(KINDS)} or module:Class.")
@click.option("--judging", type=click.Choice(["local", "cloud"]), help="This machine alone, or the cloud first.")
@click.option("--endpoint", help="Of the cloud's prediction resource.")
@click.option("--project-id", help="Of the cloud's project.")
@click.option("--published-name", help="Of the cloud's iteration.")
@click.option("--key-file", type=_FILE, help="File with the key of the prediction resource; - is the standard input.")
@click.option("--login", metavar="NAME", help="A technician for the dashboard.")
@click.option("--password-file", type=_FILE, help="File with the technician's password; - is the standard input.")
@click.option("--no-login", is_flag=True, help="Make no login.")
@click.option("--with", "more", multiple=True, metavar="SETTING=VALUE", help="One more setting to keep.")
@click.option("--move", is_flag=True, help="The slot is free: it may open and close without a question.")
@click.option("--no-test", is_flag=True, help="Write the settings only, as for another computer.")
@click.option("--restart", is_flag=True, help="Ask everything anew, also where a first run was interrupted.")
@click.option("--yes", is_flag=True, help="Answer what has no flag by what holds now.")
@click.pass_context
def setup(ctx: click.Context, /, more: Sequence[str], *, no_test: bool, restart: bool, yes: bool, **flags: Any) -> None:
    """Set a machine up: ask for its settings, test its parts, and end with a test deposit.

    Every question has a flag. A run that was interrupted, or that a part has stopped, goes on where it was.
    """
    from triof.storage import data_folder

    _check_flags(flags)
    values = _more(more)
    run = FirstRun(lambda tried: load_settings(ctx, **tried))
    _check_owner(run.loaded.settings)
    lock = data_folder.take_machine(run.loaded.settings)
    try:
        given = {name: value for name, value in flags.items() if value not in (None, False)}
        called = Setup(run, Questions(takes_defaults=yes), given, tests=not no_test)
        if restart:
            run.forget()
        if values:
            called.tried(values)
            tell(run.keep("more", values))
        _do_steps(called)
        is_well = no_test or _end(ctx, called)
        if is_well:
            run.forget()
    finally:
        lock.release()
    if not is_well:
        click.echo("Mend what FAILs, then `triof setup` again: it goes on from here.", err=True)
        ctx.exit(1)
    click.echo(f"The machine is set up; its settings are in {run.file}.")


def _do_steps(called: Setup) -> None:
    run = called.run
    if done := [name for name in run.done if name in STEPS]:
        click.echo(f"Going on: {', '.join(done)} {'is' if len(done) == 1 else 'are'} done (--restart asks again).")
    for name, (step, flags) in STEPS.items():
        if name in run.done and not any(flag in called.flags for flag in flags):
            continue
        click.secho(name, bold=True)
        while True:
            try:
                values = step(called)
                # What is wrong is told before it is written.
                called.tried(values)
                break
            except (TriofError, ProviderError, OSError) as error:
                if not called.questions.can_ask:
                    raise
                click.secho(f"  {error}", fg="red", err=True)
                if not called.questions.is_confirmed("Answer again?"):
                    raise
        tell(run.keep(name, values))


def _end(ctx: click.Context, called: Setup) -> bool:
    """Check every part, then make the test deposit; return whether all is well."""
    from triof.cli.doctor import are_parts_well
    from triof.installation import part_tests
    from triof.storage import data_folder

    click.secho("parts", bold=True)
    with data_folder.database(called.settings):
        pass  # a new machine has a journal from now on
    if not are_parts_well(ctx, called.settings):
        return False
    click.secho("test deposit", bold=True)
    moves = called.questions.is_confirmed("The slot will open for an item of yours. Is it free?")
    click.echo(f"  {part_tests.deposit(called.settings, called.questions.wait if moves else None)}")
    return True


def _more(more: Sequence[str]) -> dict[str, str]:
    for each in more:
        if "=" not in each:
            raise click.BadParameter(f"{each!r} is not SETTING=VALUE", param_hint="--with")
    return dict(each.split("=", 1) for each in more)


def _check_flags(flags: Mapping[str, Any]) -> None:
    """Raise UsageError for a flag that would be ignored."""
    for name, needed in (("key_file", "judging"), ("password_file", "login"), _CAMERA_LOGIN):
        if flags[name] and not flags[needed]:
            raise click.UsageError(f"--{name.replace('_', '-')} belongs to --{needed.replace('_', '-')}.")
    if flags["no_login"] and flags["login"]:
        raise click.UsageError("--login and --no-login exclude each other.")


def _check_owner(settings: Settings) -> None:
    home = settings.home
    if not hasattr(os, "geteuid") or not home.exists() or home.stat().st_uid == os.geteuid():
        return
    from pwd import getpwuid

    try:
        owner = getpwuid(home.stat().st_uid).pw_name
    except KeyError:
        owner = str(home.stat().st_uid)
    raise NotTheOwner(f"The home folder {home} belongs to {owner}: run this as that user, `sudo -u {owner} …`.")
