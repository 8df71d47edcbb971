"""``triof journal restore``: replace the journal with a copy."""

from pathlib import Path

import click

from triof.cli import load_settings
from triof.cli.journal import file_of


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def restore(ctx: click.Context, file: Path, *, yes: bool) -> None:
    """Replace the journal with the copy in FILE, while no kiosk runs; the former journal is kept beside it."""
    from triof.journal.restore import restore as put_back

    settings = load_settings(ctx).settings
    path = file_of(settings)
    if not yes:
        click.confirm(f"The journal {path} is replaced by {file}. Go on?", abort=True)
    former = put_back(settings, path, file)
    click.echo(f"{path} holds now what was in {file}.")
    if former:
        click.echo(f"The former journal is {former}; `triof journal salvage {former}` merges its rows.")
