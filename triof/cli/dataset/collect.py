"""``triof dataset collect``: download openly licensed photos for a label, with author and licence of each."""

import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from providers.base import LABELS
from triof.cli import Timing, load_settings, tell
from triof.common.errors import TriofError
from triof.common.image_files import look_in
from triof.curation.collecting.collect import OUTCOMES, Collection, CollectRequest
from triof.curation.collecting.http_client import Web
from triof.curation.collecting.sources import SOURCES, load
from triof.curation.photo_checks import perceptual_hash

_FROM_A_SEARCH = 100
_WORTH_TELLING = 5.0
"""Seconds from which a pause is shown; shorter ones are normal."""
_INTERRUPTED = 130


@click.command()
@click.argument("query")
@click.option("--label", required=True, type=click.Choice(LABELS["waste_type"]), help="What the photos show.")
@click.option("--source", "source_name", required=True, type=click.Choice(list(SOURCES)), help="Where to look.")
@click.option("--cleanliness", type=click.Choice(LABELS["cleanliness"]), help="Left empty where it is not given.")
@click.option("--count", type=click.IntRange(1), help=f"Default: {_FROM_A_SEARCH} of a search, else all.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the set; default: collected/LABEL.")
@click.option("--author", default="", help="Of photos whose author is not named.")
@click.option("--licence", default="", help="Of photos of a folder or list that names none.")
@click.option("--contact", help="Your e-mail address, which hosts may write to; Wikimedia asks for it.")
@click.option("--allow-private", is_flag=True, help="Fetch from addresses in private networks, too.")
@click.pass_context
def collect(
    ctx: click.Context,
    /,
    source_name: str,
    out: Path | None,
    contact: str | None,
    allow_private: bool,
    **request: Any,
) -> None:
    """Collect photos for QUERY: a search text, a folder, or a text file with one URL a line.

    Only licences that allow commercial use and changes are kept; author, licence and URL of each photo are written to
    the set's manifest.csv. An interrupted run is resumed by the same command.
    """
    source = load(source_name)
    if source.needs_contact and not contact:
        raise click.UsageError(
            f"{source_name} asks every program to say whom to write to: add --contact and your e-mail address."
        )
    if source.searches:
        request |= {"count": request["count"] or _FROM_A_SEARCH, "licence": ""}
    if source_name == "folder":
        tell([look_in(Path(request["query"])).remark])
    console, folder = Console(), out or Path("collected") / request["label"]
    with _progress(console) as progress:
        bar = progress.add_task("", total=request["count"])

        def tell_wait(host: str, seconds: float) -> None:
            if seconds > _WORTH_TELLING:
                progress.update(bar, description=f"{host} asks to wait {seconds:.0f} s")

        timing = ctx.ensure_object(Timing)
        web = Web(
            contact=contact,
            allow_private=allow_private,
            clock=timing.clock,
            sleep=timing.sleep or time.sleep,
            on_wait=tell_wait,
        )
        collection = Collection(CollectRequest(**request), source(web), web, load_settings(ctx).settings.photo)
        try:
            collection.run(folder, lambda: _advance(progress, bar, collection))
        except (KeyboardInterrupt, TriofError) as error:
            progress.stop()
            _show(console, collection)
            if isinstance(error, TriofError):
                raise
            click.echo(f"Interrupted with {collection.kept} photos in {folder}: the same command goes on.", err=True)
            ctx.exit(_INTERRUPTED)
    _show(console, collection)
    _conclude(console, collection, folder)
    ctx.exit(0 if collection.kept else 1)


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(), MofNCompleteColumn(), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, TextColumn("{task.description}", markup=False), console=console)


def _advance(progress: Progress, bar: TaskID, collection: Collection) -> None:
    passed = {name: number for name, number in collection.tally.items() if not name.startswith("kept") and number}
    said = ", ".join(f"{number} {name}" for name, number in passed.items())
    progress.update(bar, completed=collection.kept, description=said)


def _show(console: Console, collection: Collection) -> None:
    if not collection.tally.total():
        return
    table = Table("outcome", "photos", "meaning")
    for outcome, meaning in OUTCOMES.items():
        if collection.tally[outcome] or outcome == "kept":
            table.add_row(outcome, str(collection.tally[outcome]), meaning)
    console.print(table)


def _conclude(console: Console, collection: Collection, folder: Path) -> None:
    request = collection.request
    said = [f"{collection.kept} photos of {request.label} for {request.query!r} are in {folder}."]
    if collection.vanished:
        said.append(f"{collection.vanished} photos were taken out of the folder; they left the manifest, too.")
    if request.count and not collection.is_complete:
        said.append(f"That is all there is, not {request.count}: try other words or another --source.")
    if collection.unlicensed:
        said.append(f"Of {collection.unlicensed} the licence is unknown: do not pass them on before you know it.")
    if not perceptual_hash():
        said.append("Near-duplicates were not looked for: pip install 'triof[data]'.")
    console.print("\n".join(said), soft_wrap=True, markup=False)
