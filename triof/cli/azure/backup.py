"""``triof azure backup``: bring everything of the project home."""

from pathlib import Path

import click
from rich.progress import Progress

from providers.base import ProviderError
from triof.backup import Backup
from triof.cli.azure.session import session


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--no-exports", is_flag=True, help="Leave the models, which the cloud has to export first.")
@click.pass_context
def backup(ctx: click.Context, folder: Path, *, no_exports: bool) -> None:
    """Bring the photos with their tags, the iterations, their measures and their models home, into DIR.

    DIR is a data set then. Interrupt it as you like: the same command goes on.
    """
    with session(ctx) as opened:
        total = opened.trainer.count_images()
        try:
            with Progress(console=opened.console, transient=True) as progress:
                bar = progress.add_task("Photos", total=total)
                run = Backup(opened.trainer, folder, lambda: progress.advance(bar))
                trained = run.record()
                photos = run.photos()
            opened.say(f"{photos:,} photos and project.json are in {folder}.")
            left = [found for iteration in trained if not no_exports for found in run.exports(iteration)]
        except (KeyboardInterrupt, ProviderError) as error:
            why = "Interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
            raise click.ClickException(f"{why}\nWhat has come is in {folder}: the same command goes on.") from error
        for found in left:
            opened.say(str(found) if isinstance(found, Path) else f"Not exported: {found}")
        for missing in sorted(run.missing):
            opened.say(f"Not fetched: photo {missing}", "yellow")
        ctx.exit(1 if run.missing or any(isinstance(found, str) for found in left) else 0)
