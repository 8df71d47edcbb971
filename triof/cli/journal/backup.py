"""``triof journal backup``: copy the journal while the machine runs."""

from pathlib import Path

import click

from triof.cli import load_settings
from triof.cli.journal import file_of


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write, instead of one with the date in the folder of the daily copies.",
)
@click.pass_context
def backup(ctx: click.Context, out: Path | None) -> None:
    """Copy the journal into a file and check the copy; a running kiosk goes on."""
    from triof.journal.backups import BackupImpossible, JournalBackups

    settings = load_settings(ctx).settings
    path = file_of(settings)
    if not path.exists():
        raise click.ClickException(f"There is no journal {path} yet: the kiosk makes it at its first start.")
    backups = JournalBackups(settings, path)
    if out and (out.exists() or not out.name):
        raise click.BadParameter(f"{out} exists and is not replaced: name another file.", param_hint="--out")
    try:
        if out:
            backups.copy(out)
        written = out or backups.take()
    except OSError as error:
        raise BackupImpossible(f"{out} cannot be written ({error.strerror}): name another place with --out.") from error
    click.echo(f"Written: {written}")
