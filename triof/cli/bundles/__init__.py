"""``triof bundles``."""

import click

from triof.cli import LazyGroup


@click.command(
    cls=LazyGroup,
    package="triof.cli.bundles",
    names=("install", "list", "check", "activate", "rollback", "remove", "convert"),
)
def bundles() -> None:
    """Local models: install one, put it into service, go back."""
