"""``triof privacy export``: write what is held of a period to a zip file."""

from datetime import datetime
from pathlib import Path

import click

from triof.cli import load_settings
from triof.cli.privacy import period_options, scope_of, told
from triof.cli.shared.actor import user
from triof.journal.journal import Journal
from triof.storage import data_folder


@click.command()
@period_options(required=True)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The zip file to write.")
@click.option("--why", default="", help="For the journal.")
@click.pass_context
def export(ctx: click.Context, *, since: datetime, last: str | None, out: Path, why: str) -> None:
    """Write the photos and events of a period to a zip file, for a person who asks what is held.

    Choose the period as narrow as the person's words allow: it holds what others did in that time, too.
    """
    from triof.privacy.export import export as write

    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        scope = scope_of(settings, database.machine_id, since, last)
        found = write(settings, Journal(database), scope, out, actor=user(), comment=why)
    click.echo(f"Written: {out}, of {told(settings, scope)}")
    click.echo(
        f"{found.photos} photos ({found.missing} more are not kept), {found.events} events, {found.predictions}"
        f" predictions, {found.log_lines} lines of the log."
    )
