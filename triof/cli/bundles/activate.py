"""``triof bundles activate``: put a bundle into service."""

import click

from triof.cli import load_settings
from triof.cli.shared.actor import user
from triof.journal.journal import Journal
from triof.models.bundle_store import BundleChange, Store
from triof.settings.tree import Settings
from triof.storage import data_folder


@click.command()
@click.argument("version")
@click.option("--why", "comment", default="", help="The reason, for the journal.")
@click.option("--anyway", is_flag=True, help="Even if its training did not find it better than the one before.")
@click.pass_context
def activate(ctx: click.Context, version: str, comment: str, *, anyway: bool) -> None:
    """Put the bundle VERSION into service: at once in a running kiosk, and after restarts.

    One that answers several tasks serves for all of them, or with TASK/VERSION for that one.
    """
    put_into_service(load_settings(ctx).settings, version, comment, anyway=anyway)


def put_into_service(settings: Settings, version: str, comment: str, *, anyway: bool = False) -> None:
    """Activate the bundle and print the change. Raises TriofError, ProviderError."""
    with data_folder.database(settings) as database:
        changes = Store(settings).activate(version, Journal(database), user(), comment, anyway=anyway)
    for change in changes:
        show(change, settings, f"To go back: triof bundles rollback {change.task}")


def show(change: BundleChange, settings: Settings, undo: str) -> None:
    """Print the bundle now in service, and how to ``undo`` the change."""
    task, version, before = change
    if version == before:
        click.echo(f"{task}: {version} answers already.")
    else:
        click.echo(f"{task}: {version} answers now, before it {before or 'an unknown bundle'} did.")
    if chosen := settings.local_cnn.chosen(task):
        click.secho(f"The settings overrule it: unset local_cnn.{task}_bundle ({chosen}) to have it.", fg="yellow")
    elif version != before:
        click.echo(undo)
