"""``triof journal check``: check the journal for damage."""

from datetime import datetime
from pathlib import Path

import click

from triof.cli import load_settings
from triof.cli.journal import file_of
from triof.settings.tree import Settings
from triof.storage import data_folder


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def check(ctx: click.Context, file: Path | None) -> None:
    """Read the whole journal, or a copy in FILE, and report damage; exit 1 if there is any."""
    from sqlite3 import Error

    from triof.storage import database_errors
    from triof.storage.database_file import DatabaseFile

    settings = load_settings(ctx).settings
    path = file or file_of(settings)
    if not path.exists():
        raise click.ClickException(f"There is no journal {path} yet: the kiosk makes it at its first start.")
    try:
        damage = DatabaseFile(path.absolute()).damage()
    except (Error, OSError) as error:
        raise database_errors.of_file(path, error) from error
    if not file:
        _print_surroundings(settings, path)
    if damage:
        remedy = "stop the kiosk, then `triof journal salvage`" if not file else f"`triof journal salvage {file}`"
        raise click.ClickException(f"{path} is damaged ({damage}): {remedy} moves what can be read into a new journal.")
    if not file:
        with data_folder.existing_database(settings):  # raises for a newer version
            pass
    click.echo(f"{path} is whole, {path.stat().st_size / 1e6:,.1f} MB.")


def _print_surroundings(settings: Settings, path: Path) -> None:
    from triof.journal.backups import JournalBackups
    from triof.storage.database_file import DatabaseFile

    backups = JournalBackups(settings, path)
    copies = backups.all()
    newest = f", the newest of {datetime.fromtimestamp(copies[0].at).astimezone():%Y-%m-%d %H:%M}" if copies else ""
    click.echo(f"{len(copies)} copies in {backups.folder}{newest}.")
    for left in DatabaseFile(path).left_aside():
        click.secho(f"Set aside: {left}; `triof journal salvage` merges it into the journal.", fg="yellow")
