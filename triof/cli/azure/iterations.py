"""``triof azure iterations``: list the models trained in the cloud."""

import click
from rich.table import Table

from triof.cli.azure.session import session


@click.command()
@click.pass_context
def iterations(ctx: click.Context) -> None:
    """List the iterations, the newest first."""
    with session(ctx) as opened:
        found = opened.trainer.iterations()
        table = Table("name", "id", "status", "trained", "minutes", "published as")
        for iteration in found:
            table.add_row(
                f"{iteration.name}{' (advanced)' if iteration.advanced else ''}",
                iteration.id[:8],
                f"{iteration.status}{f': {iteration.failure}' if iteration.failure else ''}",
                f"{iteration.trained_at.astimezone():%Y-%m-%d %H:%M}" if iteration.trained_at else "",
                str(iteration.minutes or ""),
                iteration.published_as,
            )
        opened.console.print(table)
        opened.say(f"{len(found)} of the {opened.trainer.tier.iterations} that the vendor allows.")
