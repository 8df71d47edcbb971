"""``triof dataset split``: divide a data set into train, val and test."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from providers.base import LABELS
from triof.cli import load_settings
from triof.cli.shared.labelled_photos import read_photos
from triof.curation.split import Divided, Shares, divide
from triof.curation.survey import survey
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import SPLITS, LabelledPhoto, Unreadable


def _shares(ctx: click.Context, param: click.Parameter, text: str) -> Shares:
    try:
        numbers = [float(number) for number in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != len(SPLITS) or not abs(sum(numbers) - 1) < 1e-6 or min(numbers) < 0:
        raise click.BadParameter(f"{text!r} is not three shares that add up to 1, such as 0.7,0.15,0.15")
    return dict(zip(SPLITS, numbers, strict=True))


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The manifest to write.")
@click.option("--corrections", "corrected", type=click.Path(path_type=Path), help="Labels that people changed.")
@click.option("--shares", default="0.7,0.15,0.15", show_default=True, callback=_shares, help="Of train, val and test.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another one gives another division.")
@click.option("--keep", is_flag=True, help="Leave photos in the split that SOURCE names; divide only the others.")
@click.pass_context
def split(
    ctx: click.Context, source: Path, *, out: Path, corrected: Path | None, shares: Shares, seed: int, keep: bool
) -> None:
    """Divide SOURCE, a manifest.csv or a folder, into train, val and test, each label by its share.

    Near-duplicates and groups stay in one split. With --keep, those in several go to test if one of them is there,
    or else to val. SOURCE is not changed; with --corrections the new manifest has the corrected labels.
    """
    if out.exists():
        raise click.ClickException(f"{out} exists and is not replaced: name another file, or move it away.")
    console, settings = Console(), load_settings(ctx).settings
    seen = survey(read_photos(source, settings, corrected), settings, console)
    divided = divide(seen, shares, seed=seed, keep=keep)
    try:
        photo_dataset.write(out, divided.photos)
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written ({error.strerror}): name another place.") from error
    _print(divided, seen.unreadable, console)
    # A path may contain rich markup.
    console.print(f"Written to {out}.", soft_wrap=True, markup=False, highlight=False)


def _print(divided: Divided, unreadable: Sequence[Unreadable], console: Console) -> None:
    console.print(_counts(divided.photos))
    console.print(
        f"{divided.families} families of near-duplicates, none of which crosses; {divided.moved} photos lay in another"
        " split before.",
        soft_wrap=True,
    )
    for fault in unreadable:
        console.print(f"Left out {fault.path}: {fault.reason}", soft_wrap=True, markup=False, highlight=False)


def _counts(photos: Sequence[LabelledPhoto]) -> Table:
    counted = Counter((label, item.split) for item in photos for label in item.labels.values())
    table = Table("label", *SPLITS, "all")
    for labels in LABELS.values():
        for label in labels:
            counts = [counted[label, split] for split in SPLITS]
            table.add_row(label, *map(str, counts), str(sum(counts)))
        table.add_section()
    totals = Counter(item.split for item in photos)
    table.add_row("photos", *(str(totals[split]) for split in SPLITS), str(len(photos)))
    return table
