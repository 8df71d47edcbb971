"""``triof mode``: show or set the mode, auto, cloud or local."""

from typing import get_args

import click

from triof.cli import load_settings
from triof.cli.shared.actor import user
from triof.judging.mode import CurrentMode, current_mode
from triof.operations import use_cases
from triof.settings.modes import Mode
from triof.storage import data_folder

_MEANING = {
    "auto": "the routes as written: the cloud first, this machine where it does not answer",
    "cloud": "the cloud has to answer: a fall-back to this machine is shown as a fault",
    "local": "this machine alone: nothing that needs the network is asked",
}


@click.command()
@click.argument("mode", required=False, type=click.Choice(get_args(Mode)))
@click.option("--why", "comment", default="", help="The reason, for the journal.")
@click.pass_context
def mode(ctx: click.Context, mode: Mode | None, comment: str) -> None:
    """Show the current mode, or set MODE: at once in a running kiosk, and after restarts.

    It holds until it is set again, or until the mode of the settings changes.
    """
    settings = load_settings(ctx).settings
    if mode:
        from triof.journal.journal import Journal

        with data_folder.database(settings) as database:
            use_cases.turn_mode(settings, Journal(database), mode, actor=user(), comment=comment)
    current = current_mode(settings)
    click.echo(f"{current.holds}: {_MEANING[current.holds]}")
    if current.chosen != "local":
        _tell_missing(current)
    if turned := current.turned:
        click.echo(f"turned by {turned.actor} on {turned.at}{f': {turned.comment}' if turned.comment else ''}")
    else:
        click.echo("as the settings say")


def _tell_missing(current: CurrentMode) -> None:
    for name, remedy in current.left_out.items():
        click.secho(
            f"The switch stands at {current.chosen}, but there is no {name}: to have it, {remedy}.", fg="yellow"
        )
    if current.holds != current.chosen and not current.left_out:
        click.secho(f"The switch stands at {current.chosen}, but no route names a provider in the cloud.", fg="yellow")
