"""``triof models``."""

import click

from triof.cli import LazyGroup


@click.command(
    cls=LazyGroup,
    package="triof.cli.models",
    names=("shadow", "canary", "status", "compare", "promote", "rollback", "stop"),
)
def models() -> None:
    """New models beside those in production: try one on this machine's own photos, promote it, go back."""
