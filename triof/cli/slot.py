"""``triof slot``: show the state of the hardware, clear a fault, move parts, and play with the simulated machine."""

import time
from typing import get_args

import click

from triof.cli import Timing, load_settings
from triof.cli.shared.actor import user
from triof.journal.journal import Journal
from triof.machine.hardware.base import Hardware, Part, StatusLight
from triof.machine.hardware.registry import build_hardware
from triof.machine.hardware.simulated import SimulatedHardware
from triof.machine.slot import Slot
from triof.operations import use_cases
from triof.statistics.queries import Statistics
from triof.storage import data_folder

_ITEMS = {"present": True, "absent": False, "no-sensor": None}


@click.group(invoke_without_command=True)
@click.pass_context
def slot(ctx: click.Context) -> None:
    """Show whether the slot is open, whether a part is jammed, and what the sensors say."""
    if ctx.invoked_subcommand:
        return
    machine = Slot(_hardware(ctx))
    sensors = machine.sensors()
    item = {True: "present", False: "absent", None: "no sensor"}[sensors.item]
    click.echo(
        f"slot: {'open' if sensors.slot_open else 'closed'}, jammed: {machine.jammed() or 'nothing'}, item: {item},"
        f" emergency stop: {'pressed' if sensors.emergency_stop else 'no'}"
    )


@slot.command("open")
@click.pass_context
def open_(ctx: click.Context) -> None:
    """Open the slot, on a machine whose kiosk is stopped."""
    _alone(ctx).open()


@slot.command()
@click.pass_context
def close(ctx: click.Context) -> None:
    """Close the slot, on a machine whose kiosk is stopped."""
    _alone(ctx).close()


@slot.command()
@click.argument("number", type=click.IntRange(min=1))
@click.pass_context
def box(ctx: click.Context, number: int) -> None:
    """Move box NUMBER under the slot, on a machine whose kiosk is stopped."""
    boxes = load_settings(ctx).settings.slot.boxes.model_dump().values()
    if number not in boxes:
        raise click.UsageError(f"There is no box {number}: slot.boxes has {', '.join(map(str, sorted(boxes)))}.")
    _alone(ctx).move_box(number)


@slot.command()
@click.pass_context
def boxes(ctx: click.Context) -> None:
    """Show how full each box is by the count, and when it was last emptied."""
    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        found = Statistics(database, settings).boxes(database.machine_id)
    for each in found:
        last = f"emptied {each.emptied_at:%Y-%m-%d %H:%M} by {each.emptied_by}" if each.emptied_at else "never emptied"
        content = f"{each.share:.0%} full, {each.grams:,.0f} of {each.capacity_grams:,.0f} g, {each.items:,} items"
        click.echo(f"box {each.number}  {each.waste_type:8} {content}; {last}")


@slot.command()
@click.argument("number", type=click.IntRange(min=1))
@click.option("--machine", help="Another machine of this journal; default: this one.")
@click.pass_context
def emptied(ctx: click.Context, number: int, machine: str | None) -> None:
    """Record that box NUMBER was emptied; its count begins at zero."""
    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        statistics, journal = Statistics(database, settings), Journal(database)
        box = use_cases.empty_box(statistics, journal, machine or database.machine_id, number, actor=user())
    click.echo(f"Box {box.number} ({box.waste_type}) was emptied of {box.grams:,.0f} g, {box.items:,} items.")


@slot.command()
@click.option("--yes", is_flag=True, help="Do not ask whether it is free.")
@click.pass_context
def shred(ctx: click.Context, yes: bool) -> None:
    """Run the shredder once, on a machine whose kiosk is stopped."""
    if not yes:
        click.confirm("The shredder will run. Are all hands away, and is the slot closed?", abort=True)
    _alone(ctx).shred()


@slot.command()
@click.option("--seconds", type=click.FloatRange(0, 60), default=1.0, show_default=True, help="How long for each.")
@click.pass_context
def lights(ctx: click.Context, seconds: float) -> None:
    """Show the lamp and each status light in turn, on a machine whose kiosk is stopped."""
    machine, wait = _alone(ctx), ctx.ensure_object(Timing).sleep or time.sleep
    click.echo("lamp")
    machine.set_lamp(True)
    try:
        wait(seconds)
    finally:
        machine.set_lamp(False)
    for status in get_args(StatusLight):
        click.echo(status)
        machine.set_status(status)
        wait(seconds)


@slot.command()
@click.argument("part", type=click.Choice(get_args(Part)))
@click.pass_context
def jam(ctx: click.Context, part: Part) -> None:
    """Jam PART of the simulated machine, also in a running kiosk."""
    _simulated(ctx).jam(part)


@slot.command()
@click.pass_context
def clear(ctx: click.Context) -> None:
    """Forget a jam and an emergency stop, once the cause is removed."""
    Slot(_hardware(ctx)).clear()


@slot.command()
@click.argument("what", type=click.Choice(tuple(_ITEMS)))
@click.pass_context
def item(ctx: click.Context, what: str) -> None:
    """Put an item into the simulated machine, which has a sensor for it from then on."""
    _simulated(ctx).put_item(_ITEMS[what])


@slot.command()
@click.option("--release", is_flag=True, help="Release it; the machine stays off until `triof slot clear`.")
@click.pass_context
def stop(ctx: click.Context, release: bool) -> None:
    """Press the emergency stop of the simulated machine, also in a running kiosk."""
    machine = _simulated(ctx)
    machine.release_stop() if release else machine.press_stop()


def _alone(ctx: click.Context) -> Slot:
    """Return the slot of a machine that no kiosk runs; its parts are let go at the end of the command."""
    settings = load_settings(ctx).settings
    data_folder.make(settings)
    ctx.call_on_close(data_folder.take_machine(settings).release)
    return Slot(_hardware(ctx))


def _simulated(ctx: click.Context) -> SimulatedHardware:
    hardware = _hardware(ctx)
    if not isinstance(hardware, SimulatedHardware):
        raise click.UsageError("Only the simulated machine can do this: set slot.kind to simulated.")
    return hardware


def _hardware(ctx: click.Context) -> Hardware:
    settings = load_settings(ctx).settings
    data_folder.make(settings)
    hardware = build_hardware(settings)
    ctx.call_on_close(hardware.close)
    return hardware
