"""``triof bundles remove``: delete an unused bundle."""

import click

from triof.cli import load_settings
from triof.cli.shared.actor import user
from triof.journal.journal import Journal
from triof.models.bundle_store import holding
from triof.storage import data_folder


@click.command()
@click.argument("version")
@click.pass_context
def remove(ctx: click.Context, version: str) -> None:
    """Delete the installed bundle VERSION (or TASK/VERSION); the active and the shipped one cannot be deleted."""
    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        removed = holding(version, settings).remove(version, Journal(database), user())
    for change in removed:
        click.echo(f"{change.version} is removed; {change.task} is answered by {change.before} as before.")
