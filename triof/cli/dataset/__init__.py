"""``triof dataset``."""

import click

from triof.cli import LazyGroup


@click.command(
    cls=LazyGroup, package="triof.cli.dataset", names=("check", "label", "split", "augment", "collect", "from-journal")
)
def dataset() -> None:
    """Build, check and correct sets of labelled photos."""
