"""``triof bundles list``: list the installed bundles."""

import click

from providers.base import TASKS
from triof.cli import load_settings
from triof.models.acceptance import AcceptanceResult
from triof.models.bundle_store import BundleEntry, Store


@click.command()
@click.pass_context
def list(ctx: click.Context) -> None:  # noqa: A001
    """Show the bundles of each task: * is in service, - was before and would be after a rollback."""
    settings = load_settings(ctx).settings
    store = Store(settings)
    for task in TASKS:
        click.echo(task)
        for entry in store.entries(task):
            mark = "*" if entry.active else "-" if entry.previous else " "
            click.secho(f"  {mark} {entry.version:<32} {_told(entry)}", fg="red" if entry.fault else None)
        if chosen := settings.local_cnn.chosen(task):
            click.secho(f"  The settings overrule this: local_cnn.{task}_bundle is {chosen}.", fg="yellow")


def _told(entry: BundleEntry) -> str:
    card = entry.card
    if not card:
        return entry.fault
    told = [card.version] if card.version != entry.version else []
    if iteration := card.trained_on.get("iteration"):
        told.append(f"Azure's iteration {iteration}")
    if trial := AcceptanceResult.of(card):
        told.append(f"right about {trial.right} of {trial.known} reference photos")
        told += [trial.agreement] if trial.compared else []
    return ", ".join(told)
