"""``triof technician pin``: set or remove the PIN of the technician's page."""

import sys

import click

from triof.access.technician_pin import TechnicianPin
from triof.cli import load_settings
from triof.storage import data_folder


@click.command()
@click.option("--pin-stdin", is_flag=True, help="Read the PIN from the first line of the standard input.")
@click.option("--remove", is_flag=True, help="Remove the PIN: only technicians of the dashboard may log in then.")
@click.pass_context
def pin(ctx: click.Context, *, pin_stdin: bool, remove: bool) -> None:
    """Set the PIN (6 to 12 digits) that opens /technician on the machine; prompts for it."""
    settings = load_settings(ctx).settings
    data_folder.make(settings)
    kept = TechnicianPin(settings.home)
    if remove:
        kept.remove()
        click.echo("There is no PIN any more.")
        return
    kept.set(_asked(from_stdin=pin_stdin))
    click.echo("The PIN is set; it opens /technician on the machine itself.")


def _asked(*, from_stdin: bool) -> str:
    """Return the PIN. Never an argument, which other processes can read."""
    if from_stdin:
        return sys.stdin.readline().strip().removeprefix("\ufeff")
    typed: str = click.prompt("PIN", hide_input=True, confirmation_prompt="Once more")
    return typed.strip()
