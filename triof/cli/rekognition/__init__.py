"""``triof rekognition``."""

import click

from triof.cli import LazyGroup


@click.command(cls=LazyGroup, package="triof.cli.rekognition", names=("start", "stop", "status"))
def rekognition() -> None:
    """Start and stop the Amazon Rekognition models, which are paid by the hour."""
