"""``triof azure``."""

import click

from triof.cli import LazyGroup


@click.command(
    cls=LazyGroup,
    package="triof.cli.azure",
    names=(
        "login",
        "setup",
        "status",
        "upload",
        "train",
        "iterations",
        "evaluate",
        "publish",
        "unpublish",
        "export",
        "backup",
    ),
)
def azure() -> None:
    """Upload photos to Azure Custom Vision, train, publish, and back up the project."""
