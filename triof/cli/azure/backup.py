"""``triof azure backup``: download everything of the project, and verify the copy."""

from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from providers.base import ProviderError
from triof.azure import backup_check
from triof.azure.backup import ProjectBackup
from triof.cli import load_settings
from triof.cli.azure.session import session


@click.command()
@click.argument("folder", metavar="DIR", default="backup", type=click.Path(path_type=Path, file_okay=False))
@click.option("--no-exports", is_flag=True, help="Skip the models, which the cloud has to export first.")
@click.option("--verify", is_flag=True, help="Download nothing: check offline that the backup is complete.")
@click.pass_context
def backup(ctx: click.Context, folder: Path, *, no_exports: bool, verify: bool) -> None:
    """Download photos, tags, iterations, their metrics and models into DIR.

    DIR (default: ./backup) becomes a data set. An interrupted backup is resumed by the same command. Downloads are
    checked: photos are decoded, models loaded; damaged files of an earlier run are fetched again. Exits 1 if
    anything is missing.
    """
    if verify:
        _verify(ctx, folder)
        return
    with session(ctx) as opened:
        total = opened.trainer.count_images()
        try:
            with Progress(console=opened.console, transient=True) as progress:
                bar = progress.add_task("Photos", total=total)
                run = ProjectBackup(opened.trainer, folder, lambda: progress.advance(bar))
                trained = run.record()
                photos = run.photos()
            opened.say(f"{photos:,} photos and project.json are in {folder}.")
            left = [] if no_exports else list(run.exports(trained))
        except (KeyboardInterrupt, ProviderError) as error:
            why = "Interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
            raise click.ClickException(f"{why}\nWhat has come is in {folder}: the same command goes on.") from error
        for found in left:
            opened.say(str(found) if isinstance(found, Path) else f"Not exported: {found}")
        for path in sorted(run.mended):
            again = any(path.parent.glob(f"{path.stem}.*"))
            opened.say(f"Was not whole, and {'was fetched again' if again else 'was removed'}: {path.name}")
        for missing in run.missing:
            opened.say(f"Not fetched: photo {missing}", "yellow")
        lacking = len(run.missing) + sum(isinstance(found, str) for found in left)
        if lacking:
            opened.say(f"{lacking:,} are missing: the same command tries again.", "yellow")
        ctx.exit(1 if lacking else 0)


def _verify(ctx: click.Context, folder: Path) -> None:
    settings = load_settings(ctx).settings
    console = Console(markup=False, emoji=False, highlight=False)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("Checking", total=None)
        found = backup_check.verify(
            folder, settings, lambda done, total: progress.update(bar, completed=done, total=total)
        )
    for line in (*found.exports, *found.left_out):
        console.print(line, soft_wrap=True)
    for line in found.wrong:
        console.print(line, style="yellow", soft_wrap=True)
    if found.wrong:
        count = f"{len(found.wrong):,} thing{'s are' if len(found.wrong) > 1 else ' is'}"
        raise click.ClickException(f"{count} wrong: `triof azure backup {folder}` fetches what the cloud still has.")
    exports = f"{len(found.exports):,} export{'' if len(found.exports) == 1 else 's'}"
    console.print(f"{found.photos:,} photos and {exports} of {folder} are whole.", style="green")
