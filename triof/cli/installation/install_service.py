"""``triof install-service``: start the machine with the computer."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import click

from triof.cli import load_settings, tell
from triof.installation import service, units
from triof.installation.service import Target
from triof.installation.system_files import changed
from triof.installation.units import ServicePlan

ROOT_OPTION = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--user", "is_user", is_flag=True, help="Install as services of this user, without root.")
@click.option("--browser", is_flag=True, help="Also start the touchscreen's browser.")
@click.option("--root", type=ROOT_OPTION, default="/", help="The tree of another computer, such as a mounted image.")
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    help="The home folder of the machine; else that of TRIOF_HOME, or /var/lib/triof.",
)
@click.pass_context
def install_service(
    ctx: click.Context, root: Path, home: Path | None, *, dry_run: bool, is_user: bool, browser: bool
) -> None:
    """Install the machine as a systemd service: started with the computer, watched, and started again.

    May be run again at any time: it writes only what is not there as it should be.
    """
    target = Target(root.absolute(), is_user)
    plan = _plan(ctx, target, home)
    files = service.files(plan, target, browser=browser)
    differing = changed(files)
    if not dry_run:
        target.check_rights()
    for file in differing:
        if dry_run:
            click.echo("\n".join(file.difference()))
        else:
            file.write()
            click.echo(f"written: {file.path}")
    if not differing:
        click.echo("Everything is installed as it should be.")
    for words in service.steps(plan, target):
        if dry_run:
            click.echo(f"then: {shlex.join(words)}")
        elif problem := service.run(words):
            click.secho(f"Not done: {shlex.join(words)}: {problem}", fg="yellow", err=True)
    tell(_remarks(plan, target, browser=browser))
    if target.is_live and not dry_run:
        click.echo(f"Start it now: systemctl {'--user ' if is_user else ''}start triof")


def _plan(ctx: click.Context, target: Target, home: Path | None) -> ServicePlan:
    """Return the plan, with the folders that the machine's own settings name."""
    loaded = load_settings(ctx, home=home)
    is_chosen = ("home",) in loaded.origins or target.is_user
    place = loaded.settings.home.absolute() if is_chosen else units.SYSTEM_HOME
    if not str(place).isprintable():
        raise click.BadParameter("no unit can name a folder with such signs.", param_hint="--home")
    if target.is_user:
        return ServicePlan(service.command(target.root), place, None)
    settings = load_settings(ctx, home=target.below(place)).settings
    return ServicePlan(service.command(target.root), place, "triof", service.outside(settings))


def _remarks(plan: ServicePlan, target: Target, *, browser: bool) -> list[str]:
    remarks = []
    if not target.below(plan.command[0]).exists():
        remarks.append(f"There is no {plan.command[0]} in {target.root} yet: install Triof there at the same path.")
    if plan.user and plan.needs_homes:
        remarks.append(
            f"{plan.command[0]} or {plan.home} lies in a person's home folder, which the user {plan.user} may not read:"
            " install Triof in /opt (docs/guide/installation.md)."
        )
    if target.is_user:
        groups = ",".join(units.GROUPS)
        remarks.append(f"For cameras and pins: sudo usermod -aG {groups} $USER, then log in again.")
        remarks.append("To start before you log in: loginctl enable-linger")
    needed = ["chromium"] if target.is_user else ["cage", "chromium"]
    missing = [name for name in needed if browser and target.is_live and not shutil.which(name)]
    if missing:
        remarks.append(f"The browser needs what is not installed: apt-get install {' '.join(missing)}")
    return remarks
