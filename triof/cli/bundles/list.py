"""``triof bundles list``: list the installed bundles."""

import click

from providers.base import TASKS, Task
from triof.cli import load_settings
from triof.models.acceptance import AcceptanceResult
from triof.models.bundle_store import LOCAL, PROVIDERS, BundleEntry, Store


@click.command()
@click.pass_context
def list(ctx: click.Context) -> None:  # noqa: A001
    """Show the bundles of each task: * is in service, - was before and would be after a rollback."""
    settings = load_settings(ctx).settings
    stores = [Store(settings, provider) for provider in PROVIDERS.values()]
    for task in TASKS:
        for store in stores:
            _show(task, store)


def _show(task: Task, store: Store) -> None:
    entries, chosen = store.entries(task), store.chosen(task)
    if store.provider == LOCAL or entries or chosen:
        click.echo(task if store.provider == LOCAL else f"{task}, {store.provider}")
    for entry in entries:
        mark = "*" if entry.active else "-" if entry.previous else " "
        click.secho(f"  {mark} {entry.version:<32} {_told(entry)}", fg="red" if entry.fault else None)
    if chosen:
        click.secho(f"  The settings overrule this: {store.provider}.{task}_bundle is {chosen}.", fg="yellow")


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
