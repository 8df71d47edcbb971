"""``triof keys``."""

import click

from triof.cli import LazyGroup


@click.command(cls=LazyGroup, package="triof.cli.keys", names=("create", "list", "revoke", "rotate"))
def keys() -> None:
    """The keys of the API, with their scopes and limits."""
