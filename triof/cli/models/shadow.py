"""``triof models shadow``: run a candidate on new photos without using its predictions."""

import click

from triof.cli import load_settings
from triof.cli.models.beginning import begin


@click.command()
@click.argument("version")
@click.option("--azure", is_flag=True, help="VERSION is the name that an iteration is published by.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Of the deposits; each one that asks the cloud costs a call more.",
)
@click.option("--why", "comment", default="", help="The reason, for the journal.")
@click.pass_context
def shadow(ctx: click.Context, version: str, *, azure: bool, share: float, comment: str) -> None:
    """Run the bundle VERSION (or TASK/VERSION) too, after the employee has the answer of the one in production."""
    candidate = begin(load_settings(ctx).settings, version, "shadow", share, comment, azure=azure)
    name, task = candidate.model.name, candidate.task
    click.echo(
        f"{task}: {name} is asked beside {candidate.against.name} in {share:.0%} of the deposits, never believed."
    )
    click.echo(f"To see how it does: triof models compare {task}")
