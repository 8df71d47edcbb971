"""``triof models rollback``: end a canary, or restore the previous model."""

import click

from providers.base import TASKS, Task
from triof.cli import load_settings
from triof.cli.models.promote import write_name
from triof.cli.shared.actor import user
from triof.journal.journal import Journal
from triof.operations import use_cases
from triof.rollout.candidates import AZURE, LOCAL
from triof.storage import data_folder


@click.command()
@click.argument("task", type=click.Choice(TASKS))
@click.option("--azure", is_flag=True, help="Go back to the iteration before, rather than to the bundle before.")
@click.option("--why", "comment", default="", help="The reason, for the journal.")
@click.pass_context
def rollback(ctx: click.Context, task: Task, *, azure: bool, comment: str) -> None:
    """End the canary of TASK; without one, put the model before the last promotion into production again."""
    loaded = load_settings(ctx)
    with data_folder.database(loaded.settings) as database:
        change = use_cases.roll_back(
            loaded.settings, Journal(database), task, AZURE if azure else LOCAL, actor=user(), comment=comment
        )
    click.echo(f"{task}: {change.name} answers now; {change.before} does not any more.")
    if change.provider == AZURE:
        write_name(loaded, change.name)
