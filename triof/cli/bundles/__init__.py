"""``triof bundles``."""

import click

from triof.cli import LazyGroup


@click.command(
    cls=LazyGroup, package="triof.cli.bundles", names=("install", "list", "check", "activate", "rollback", "remove")
)
def bundles() -> None:
    """The models of the local network: bring one in, put it into service, go back."""
