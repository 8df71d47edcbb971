"""``triof dataset augment``: write augmented copies of the training photos."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from triof.cli import load_settings
from triof.cli.shared.labelled_photos import read_photos
from triof.curation.augmentation import Augmentation, Plan
from triof.curation.copies import OPERATIONS, PROBABILITIES, Operation
from triof.datasets.photo_dataset import SPLITS

_CHANCES = ", ".join(f"{name} {PROBABILITIES[name]:.0%}" for name in OPERATIONS)
_INTERRUPTED = 130


def _operations(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[Operation, ...]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    unknown = [name for name in names if name not in OPERATIONS]
    if unknown or not names:
        raise click.BadParameter(f"{', '.join(unknown) or 'nothing'} is not among {', '.join(OPERATIONS)}")
    return tuple(name for name in OPERATIONS if name in names)


@click.command(
    epilog=f"Chances of each operation: {_CHANCES}; at least one is done. Turns of up to 10 degrees, zooms of 1.1 to"
    " 1.5, corners tilted by up to 15 % of a side; what would be empty at the edges is cropped away."
)
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the copies.")
@click.option("--corrections", "corrected", type=click.Path(path_type=Path), help="Labels that people changed.")
@click.option("--copies", type=click.IntRange(1, 100), default=3, show_default=True, help="Of each photo.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another one makes other copies.")
@click.option("--only", callback=_operations, default=",".join(OPERATIONS), show_default=True, help="Operations.")
@click.option("--split", "splits", multiple=True, type=click.Choice(SPLITS), default=("train",), show_default=True)
@click.pass_context
def augment(ctx: click.Context, /, source: Path, out: Path, corrected: Path | None, **plan: Any) -> None:
    """Write augmented copies of the photos in SOURCE, a manifest.csv or a folder, for a vendor that needs files.

    `triof train` needs none: it augments during training. A copy has the group and the split of its original.
    An interrupted run is resumed by the same command.
    """
    console, settings = Console(), load_settings(ctx).settings
    dataset = read_photos(source, settings, corrected)
    work = Augmentation(dataset, out, Plan(**plan), settings.photo)
    columns = (TextColumn("photos"), MofNCompleteColumn(), BarColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task("", total=len(work.originals))
            work.run(lambda: progress.advance(bar))
    except KeyboardInterrupt:
        click.echo(f"Interrupted after {work.tally['written']} copies: the same command makes the others.", err=True)
        ctx.exit(_INTERRUPTED)
    _conclude(console, work, out)
    ctx.exit(0 if work.tally["written"] or work.tally["there"] else 1)


def _conclude(console: Console, work: Augmentation, out: Path) -> None:
    said = [f"Skipped {fault.path}: {fault.reason}" for fault in work.unreadable]
    said.append(f"{work.tally['written']} copies written to {out}, {work.tally['there']} were there already.")
    if work.tally["twins"]:
        said.append(f"{work.tally['twins']} photos are the very same file as another: copied once.")
    if work.tally["same"]:
        said.append(f"{work.tally['same']} more would be the same as others: allow further operations with --only.")
    if work.tally["dropped"]:
        said.append(f"{work.tally['dropped']} copies of photos that have another label now were removed.")
    console.print("\n".join(said), soft_wrap=True, markup=False)
