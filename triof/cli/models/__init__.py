"""``triof models``."""

import click

from triof.cli import LazyGroup


@click.command(
    cls=LazyGroup,
    package="triof.cli.models",
    names=("shadow", "canary", "status", "compare", "promote", "rollback", "stop"),
)
def models() -> None:
    """Candidates for production: test one on this machine's photos, promote it, go back."""
