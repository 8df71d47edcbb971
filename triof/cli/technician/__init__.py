"""``triof technician``."""

import click

from triof.cli import LazyGroup


@click.command(cls=LazyGroup, package="triof.cli.technician", names=("pin",))
def technician() -> None:
    """The technician's page of the machine."""
