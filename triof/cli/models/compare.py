"""``triof models compare``: compare a candidate with production."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from providers.base import TASKS, Task
from triof.cli import load_settings
from triof.cli.shared.labelled_photos import read_photos
from triof.datasets.photo_dataset import SPLITS, Split
from triof.evaluation.paired_comparison import Difference
from triof.journal.journal import Journal
from triof.rollout import comparison
from triof.rollout.candidates import Candidates
from triof.rollout.comparison import Comparison
from triof.rollout.labelled import Labelled, PhotoSelection
from triof.storage import data_folder

if TYPE_CHECKING:
    from triof.settings.tree import Settings

DATA = click.option("--data", "source", type=click.Path(path_type=Path), help="Labelled photos to show to both too.")
CORRECTIONS = click.option(
    "--corrections", "corrected", type=click.Path(path_type=Path), help="Labels of the --data that people changed."
)
SPLIT = click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True, help="Of the --data.")
_COLOURS = {"promote": "green", "keep": "red", "wait": "yellow"}


@click.command()
@click.argument("tasks", metavar="[TASK]...", nargs=-1, type=click.Choice(TASKS))
@DATA
@SPLIT
@CORRECTIONS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@click.pass_context
def compare(
    ctx: click.Context,
    tasks: tuple[Task, ...],
    *,
    source: Path | None,
    split: Split,
    corrected: Path | None,
    as_json: bool,
) -> None:
    """Compare each candidate, or that of TASK, with production on the same photos: promote, keep or wait.

    The comparison uses people's confirmations, or with --data the labels of photos that neither model learned from.
    """
    settings = load_settings(ctx).settings
    candidates = Candidates(settings)
    shown = PhotoSelection(read_photos(source, settings, corrected), split) if source else None
    running = [candidate for task in tasks or TASKS if (candidate := candidates.of(task))]
    with data_folder.database(settings) as database:
        found = [comparison.compare_shown(candidate, settings, Journal(database), shown) for candidate in running]
    if as_json:
        click.echo(json.dumps({each.candidate.task: each.as_dict() for each in found}, indent=2))
    elif not found:
        click.echo("There is no candidate: begin one with `triof models shadow` or `triof models canary`.")
    for each in [] if as_json else found:
        _print(each, settings)


def _print(found: Comparison, settings: Settings) -> None:
    # Fits 80 columns; names may contain rich markup.
    console = Console(markup=False, highlight=False)
    candidate, word = found.candidate, found.opinion.word
    since = f"{candidate.since.astimezone():%Y-%m-%d %H:%M}"
    click.echo(
        f"{candidate.task}: {candidate.model.name} ({candidate.mode}, {candidate.share:.0%} of the deposits) against"
        f" {candidate.against.name}, since {since}"
    )
    agreed = f"; both said the same about {found.agreed / found.pairs:.1%} of them" if found.pairs else ""
    click.echo(f"{found.deposits} deposits asked both, {found.pairs} photos have both answers{agreed}.")
    console.print(_figures(found))
    if candidate.task == "waste_type":
        _print_confirmed(found, settings.rollout.alpha)
    if found.labelled:
        _print_labelled(found.labelled)
    more = f", about {found.needed} more deposits" if found.needed else ""
    click.secho(f"{word}{more}: {found.opinion.reason}", fg=_COLOURS[word])
    if found.needed:
        options = settings.rollout
        click.echo(
            f"(to find {options.power:.0%} of those better by {options.smallest_difference:.1%}, and call no more than"
            f" {options.alpha:.0%} better that are not, however often one looks)"
        )


def _figures(found: Comparison) -> Table:
    table = Table("", "candidate", "production")
    if confirmed := sum(found.table):
        rows = (found.table.both + found.table.only_candidate, found.table.both + found.table.only_production)
        table.add_row(f"right, of {confirmed} confirmed", *(f"{right} ({right / confirmed:.1%})" for right in rows))
        table.add_row("right alone", str(found.table.only_candidate), str(found.table.only_production))
    times = (found.candidate_times, found.production_times)
    table.add_row("half of the answers within", *(_milliseconds(each.p50) for each in times))
    table.add_row("95 % of them within", *(_milliseconds(each.p95) for each in times))
    table.add_row("no answer", f"{found.failed} of the latest {found.asked}", "")
    table.add_row("euros per 1,000 photos", f"{found.candidate_euros:.2f}", f"{found.production_euros:.2f}")
    return table


def _print_confirmed(found: Comparison, alpha: float) -> None:
    if not found.difference:
        click.echo("No type has been confirmed yet.")
        return
    click.echo(f"Difference, corrected for the ticked model: {_points(found.difference)}")
    click.echo(f"McNemar's exact p of the table as it stands, for one look: {found.p:.3g}")
    click.echo(
        f"Evidence, whenever one looks: better {found.better:.3g} (shown from {1 / alpha:.0f} on), worse"
        f" {found.worse:.3g}, disturbs people more {found.disturbing:.3g} (from {2 / alpha:.0f})"
    )


def _print_labelled(labelled: Labelled) -> None:
    table = labelled.table
    click.echo(
        f"On {labelled.photos} labelled photos in {labelled.groups} groups ({labelled.split}): both right {table.both},"
        f" candidate alone {table.only_candidate}, production alone {table.only_production}, neither {table.neither}"
    )
    click.echo(f"Difference: {_points(labelled.difference)}; McNemar's exact p by groups: {labelled.p:.3g}")


def _points(difference: Difference) -> str:
    value, low, high = (100 * number for number in difference)
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.1f} ms"
