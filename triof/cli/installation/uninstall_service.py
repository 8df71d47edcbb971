"""``triof uninstall-service``: no longer start the machine with the computer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from triof.cli.installation.install_service import ROOT_OPTION
from triof.installation import service, units
from triof.installation.service import Target
from triof.installation.units import ServicePlan


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--user", "is_user", is_flag=True, help="Remove the services of this user.")
@click.option("--root", type=ROOT_OPTION, default="/", help="The tree of another computer, such as a mounted image.")
def uninstall_service(root: Path, *, dry_run: bool, is_user: bool) -> None:
    """Stop the services and remove their files. Journal, photos, settings and the user stay."""
    target = Target(root.absolute(), is_user)
    plan = ServicePlan(service.command(), units.SYSTEM_HOME, None if is_user else "triof")
    files = [file for file in service.files(plan, target, browser=True) if file.is_there]
    for file in files:
        file.check_ours()
    if not files:
        click.echo("No service of Triof is installed.")
        return
    if not dry_run:
        target.check_rights()
    for words in service.end(target):
        _do(words, dry_run=dry_run)
    # Links first: an interrupted removal leaves no link to nothing.
    for file in sorted(files, key=lambda file: not file.target):
        if dry_run:
            click.echo("\n".join(file.difference(removed=True)))
        else:
            file.remove()
            click.echo(f"removed: {file.path}")
    if target.is_live:
        _do(["systemctl", *(["--user"] if is_user else []), "daemon-reload"], dry_run=dry_run)
    click.echo("Journal, photos and settings stay in the home folder, and so does the user of the service.", err=True)


def _do(words: Sequence[str], *, dry_run: bool) -> None:
    if dry_run:
        click.echo(f"then: {shlex.join(words)}")
    elif problem := service.run(words):
        click.secho(f"Not done: {shlex.join(words)}: {problem}", fg="yellow", err=True)
