"""``triof slot``: look at the machine's hardware, and let the simulated one jam."""

from typing import get_args

import click

from triof.cli import load_settings
from triof.services import build_hardware
from triof.slot import Part


@click.group(invoke_without_command=True)
@click.pass_context
def slot(ctx: click.Context) -> None:
    """Show whether the slot is open and whether a part is jammed."""
    if ctx.invoked_subcommand:
        return
    hardware = build_hardware(load_settings(ctx).settings)
    click.echo(f"slot: {'open' if hardware.slot_is_open() else 'closed'}, jammed: {hardware.jammed() or 'nothing'}")


@slot.command()
@click.argument("part", type=click.Choice(get_args(Part)))
@click.pass_context
def jam(ctx: click.Context, part: Part) -> None:
    """Let PART of the simulated machine be stuck, also in a running kiosk."""
    build_hardware(load_settings(ctx).settings).jam(part)


@slot.command()
@click.pass_context
def clear(ctx: click.Context) -> None:
    """Say that nothing is stuck any more."""
    build_hardware(load_settings(ctx).settings).jam(None)
