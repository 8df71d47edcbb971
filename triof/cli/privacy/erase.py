"""``triof privacy erase``: erase what could lead to a person in a period."""

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
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--why", default="", help="For the journal; no name of the person.")
@click.option(
    "--copy",
    "copies",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A copy elsewhere: a journal, or a folder of `triof dataset from-journal`. May be repeated.",
)
@click.pass_context
def erase(
    ctx: click.Context, *, since: datetime, last: str | None, yes: bool, why: str, copies: tuple[Path, ...]
) -> None:
    """Erase photos, times and log lines of a period; a running kiosk goes on.

    Photos are deleted. Deposits stay counted on their day, but lose their times, the photo's name and the model's
    embedding, in the journal and in its copies. Lines of the log are overwritten. That it was done stands in the
    journal. Exit code 1: something was left, and a sentence says what to do; then run it again.
    """
    from triof.privacy.erasure import erase as erase_all

    settings = load_settings(ctx).settings
    with data_folder.database(settings) as database:
        scope = scope_of(settings, database.machine_id, since, last)
        if not yes:
            click.confirm(f"Erase for ever what is held of {told(settings, scope)}?", abort=True)
        done = erase_all(settings, Journal(database), scope, actor=user(), comment=why, others=copies)
    click.echo(f"Erased of {told(settings, scope)}:")
    for name, count in done.counts().items():
        if count and name != "uploaded_photos":
            click.echo(f"{count:>9,}  {name.replace('_', ' ')}")
    if done.uploaded_photos:
        click.secho(
            f"{done.uploaded_photos} of these photos were uploaded for training: delete them in the cloud's project.",
            fg="yellow",
        )
    if done.left:
        raise click.ClickException("Not all is erased. " + " ".join(done.left))
