"""``triof journal salvage``: merge the readable rows of a damaged journal into the current one."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from triof.cli import load_settings
from triof.cli.journal import file_of
from triof.settings.tree import Settings
from triof.storage import data_folder

_ASIDE = re.compile(r"\.(damaged|lost)-")


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--access", is_flag=True, help="Users and keys of FILES too, though some may have been removed since.")
@click.pass_context
def salvage(ctx: click.Context, files: tuple[Path, ...], *, access: bool) -> None:
    """Merge the readable rows of FILES into the journal; a running kiosk goes on.

    Without FILES those of journals that were set aside or rescued, and of the journal itself if it is damaged: then a
    new one is begun, for which no kiosk may run. Rows that the journal has already are left alone. Of other FILES than
    these, users and keys are left out.
    """
    from triof.journal.salvage import salvage as merge

    settings = load_settings(ctx).settings
    path = file_of(settings)
    sources = files or _left(settings, path)
    if not sources:
        click.echo("There is nothing to salvage: no journal was set aside, and the one in service is whole.")
        return
    with data_folder.database(settings) as database:
        for source in sources:
            done = merge(
                source,
                database,
                access=access or _is_aside(source),
                progress=lambda part: click.echo(f"Reading {part} …", err=True),
            )
            for table, found in done.found.items():
                if found:
                    click.echo(f"{table:<12} {found:>9,} read, {done.merged[table]:>9,} of them merged")
            if not any(done.found.values()):
                raise click.ClickException(f"Nothing could be read of {source}: it is no journal, or wholly destroyed.")
            _finish(source)


def _left(settings: Settings, path: Path) -> Sequence[Path]:
    """Return the journals that were set aside, and the current one if it is damaged."""
    from triof.storage.database_file import DatabaseFile

    file = DatabaseFile(path)
    if path.exists() and file.damage():
        lock = data_folder.take_machine(settings)
        try:
            file.set_aside(datetime.now(UTC))
        finally:
            lock.release()
    return file.left_aside()


def _is_aside(source: Path) -> bool:
    """Return whether it was in service until it was set aside or rescued."""
    return bool(_ASIDE.search(source.name))


def _finish(source: Path) -> None:
    """Rename a salvaged journal, so that its alert clears."""
    if _is_aside(source):
        done = source.with_name(_ASIDE.sub(".salvaged-", source.name))
        for companion in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                source.with_name(source.name + companion).rename(done.with_name(done.name + companion))
        click.echo(f"{source} is now {done.name}: remove it when nothing of it is missed.")
