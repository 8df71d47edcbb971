"""``triof bundles activate``: put a bundle into service."""

import click

from triof.cli import load_settings
from triof.cli.shared.actor import user
from triof.journal.journal import Journal
from triof.models.bundle_store import LOCAL, BundleChange, Store, holding
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
    store = holding(version, settings)
    with data_folder.database(settings) as database:
        changes = store.activate(version, Journal(database), user(), comment, anyway=anyway)
    whose = "" if store.provider == LOCAL else f" --provider {store.provider}"
    for change in changes:
        show(change, store, f"To go back: triof bundles rollback {change.task}{whose}")


def show(change: BundleChange, store: Store, undo: str) -> None:
    """Print the bundle now in service, and how to ``undo`` the change."""
    task, version, before = change
    if version == before:
        click.echo(f"{task}: {version} answers already.")
    else:
        nothing = "an unknown bundle" if store.provider == LOCAL else "no bundle"
        click.echo(f"{task}: {version} answers now, before it {before or nothing} did.")
    if chosen := store.chosen(task):
        name = f"{store.provider}.{task}_bundle"
        click.secho(f"The settings overrule it: unset {name} ({chosen}) to have it.", fg="yellow")
    elif before not in ("", version):
        click.echo(undo)
