"""``triof models canary``: use a candidate in a share of the deposits."""

import click

from triof.cli import load_settings
from triof.cli.models.beginning import begin


@click.command()
@click.argument("version")
@click.option("--azure", is_flag=True, help="VERSION is the name that an iteration is published by.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.3,
    show_default=True,
    help="Of the deposits; half of them tells soonest which model is better.",
)
@click.option("--why", "comment", default="", help="The reason, for the journal.")
@click.pass_context
def canary(ctx: click.Context, version: str, *, azure: bool, share: float, comment: str) -> None:
    """Use the bundle VERSION (or TASK/VERSION) in a share of the deposits; where it fails, production answers."""
    candidate = begin(load_settings(ctx).settings, version, "canary", share, comment, azure=azure)
    name, task, against = candidate.model.name, candidate.task, candidate.against.name
    click.echo(f"{task}: {name} answers in {share:.0%} of the deposits now, {against} in the others.")
    click.echo(f"To see how it does: triof models compare {task}; to end it: triof models rollback {task}")
