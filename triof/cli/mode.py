"""``triof mode``: look at the switch between cloud and local, and turn it."""

from typing import get_args

import click

from triof import home, services
from triof.cli import load_settings
from triof.router import Mode
from triof.settings import Settings
from triof.switch import Switch
from triof.who import user

_MEANING = {
    "auto": "the routes as written: the cloud first, this machine where it does not answer",
    "cloud": "the cloud has to answer: a fall-back to this machine is shown as a fault",
    "local": "this machine alone: nothing that needs the network is asked",
}


@click.command()
@click.argument("mode", required=False, type=click.Choice(get_args(Mode)))
@click.option("--why", default="", help="The reason, for the journal.")
@click.pass_context
def mode(ctx: click.Context, mode: Mode | None, why: str) -> None:
    """Show which MODE holds, or turn to it: at once in a running kiosk, and after restarts.

    It holds until it is turned again, or until somebody changes the mode of the settings.
    """
    settings = load_settings(ctx).settings
    switch = Switch(settings.home, settings.mode).at_kiosk()
    if mode:
        _turn(settings, switch, mode, why)
    stands = switch.mode()
    missing = services.left_out(settings) if stands != "local" else {}
    holds = "local" if missing else stands
    click.echo(f"{holds}: {_MEANING[holds]}")
    for name, remedy in missing.items():
        click.secho(f"The switch stands at {stands}, but there is no {name}: to have it, {remedy}.", fg="yellow")
    if turned := switch.turned():
        click.echo(f"turned by {turned.who} on {turned.at}{f': {turned.why}' if turned.why else ''}")
    else:
        click.echo("as the settings say")


def _turn(settings: Settings, switch: Switch, mode: Mode, why: str) -> None:
    who, before = user(), switch.mode()
    # In the journal first: a change that nobody can explain later is worse than one that was not made.
    with home.journal(settings) as journal:
        journal.record("mode.changed", reason=mode, before=before, who=who, why=why)
    try:
        switch.turn(mode, who, why)
    except OSError as error:
        raise home.unusable(settings, error) from error
