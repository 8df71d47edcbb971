"""``triof bundles rollback``: restore the previous bundle."""

import click

from providers.base import TASKS, Task
from providers.local_cnn.pointer import SHIPPED
from triof.cli import load_settings
from triof.cli.bundles.activate import show
from triof.cli.shared.actor import user
from triof.journal.journal import Journal
from triof.models.bundle_store import LOCAL, PROVIDERS, Store
from triof.storage import data_folder


@click.command()
@click.argument("task", type=click.Choice(TASKS))
@click.option(
    "--provider", type=click.Choice(tuple(PROVIDERS.values())), default=LOCAL, show_default=True, help="Whose bundle."
)
@click.option("--why", "comment", default="", help="The reason, for the journal.")
@click.pass_context
def rollback(ctx: click.Context, task: Task, provider: str, comment: str) -> None:
    """Put the previous bundle of TASK into service again, at once in a running kiosk."""
    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        store = Store(settings, provider)
        change = store.rollback(task, Journal(database), user(), comment)
    before = change.before if change.before != SHIPPED else f"{task}/{SHIPPED}"
    show(change, store, f"To undo it: triof bundles activate {before}")
