"""``triof models stop``: end a candidate."""

import click

from providers.base import TASKS, Task
from triof.cli import load_settings
from triof.cli.shared.actor import user
from triof.journal.journal import Journal
from triof.operations import use_cases
from triof.storage import data_folder


@click.command()
@click.argument("task", type=click.Choice(TASKS))
@click.option("--why", "comment", default="", help="The reason, for the journal.")
@click.pass_context
def stop(ctx: click.Context, task: Task, comment: str) -> None:
    """End the candidate of TASK; production answers alone from the next photo on."""
    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        candidate = use_cases.stop_candidate(settings, Journal(database), task, actor=user(), comment=comment)
    click.echo(f"{task}: {candidate.model.name} is not asked any more; {candidate.against.name} answers alone.")
