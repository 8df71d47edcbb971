"""``triof slot``: show the state of the hardware, and jam the simulated one."""

from typing import get_args

import click

from triof import services
from triof.cli import load_settings
from triof.machine.simulated import SimulatedHardware
from triof.machine.slot import Part, Slot
from triof.storage import data_folder


@click.group(invoke_without_command=True)
@click.pass_context
def slot(ctx: click.Context) -> None:
    """Show whether the slot is open and whether a part is jammed."""
    if ctx.invoked_subcommand:
        return
    machine = Slot(_hardware(ctx))
    click.echo(f"slot: {'open' if machine.is_open() else 'closed'}, jammed: {machine.jammed() or 'nothing'}")


@slot.command()
@click.argument("part", type=click.Choice(get_args(Part)))
@click.pass_context
def jam(ctx: click.Context, part: Part) -> None:
    """Jam PART of the simulated machine, also in a running kiosk."""
    _hardware(ctx).jam(part)


@slot.command()
@click.pass_context
def clear(ctx: click.Context) -> None:
    """Clear the jam of the simulated machine."""
    _hardware(ctx).jam(None)


def _hardware(ctx: click.Context) -> SimulatedHardware:
    settings = load_settings(ctx).settings
    data_folder.make(settings)
    return services.build_hardware(settings)
