"""``triof models stop``: send a candidate away."""

import click

from providers.base import TASKS, Task
from triof import home
from triof.cli import load_settings
from triof.journal import Journal
from triof.rollout.changing import Desk
from triof.who import user


@click.command()
@click.argument("task", type=click.Choice(TASKS))
@click.option("--why", default="", help="The reason, for the journal.")
@click.pass_context
def stop(ctx: click.Context, task: Task, why: str) -> None:
    """End the candidate of TASK; production answers alone, from the next question on."""
    settings = load_settings(ctx).settings
    with home.database(settings) as database:
        candidate = Desk(settings, Journal(database), user()).stop(task, why)
    click.echo(f"{task}: {candidate.model.name} is not asked any more; {candidate.against.name} answers alone.")
