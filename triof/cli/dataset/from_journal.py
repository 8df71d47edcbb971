"""``triof dataset from-journal``: copy the machine's own photos with their confirmed labels."""

from datetime import datetime
from pathlib import Path

import click

from triof.cli import load_settings
from triof.curation.from_journal import WHYS, ExtractionCounts, JournalFilter, Why, collect
from triof.journal.journal import Journal
from triof.settings.tree import Settings
from triof.storage import data_folder

_USUAL: tuple[Why, ...] = ("unfamiliar", "corrected", "unsure", "disagreeing")
_SHARE = 0.05


@click.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder to add to.")
@click.option(
    "--which",
    "whys",
    multiple=True,
    type=click.Choice(WHYS),
    default=_USUAL,
    show_default=True,
    help="May be repeated.",
)
@click.option("--share", type=click.FloatRange(0, 1), help=f"For random: how much of all.  [default: {_SHARE}]")
@click.option("--seed", type=int, default=0, show_default=True, help="For random: another one draws others.")
@click.option("--since", type=click.DateTime(), metavar="DATE", help="Only deposits from that day on.")
@click.option("--limit", type=click.IntRange(1), help="So many new photos at most, the oldest first.")
@click.pass_context
def from_journal(
    ctx: click.Context,
    out: Path,
    *,
    whys: tuple[Why, ...],
    share: float | None,
    seed: int,
    since: datetime | None,
    limit: int | None,
) -> None:
    """Copy selected photos of this machine's deposits, with the labels that people confirmed.

    `--which confirmed` selects every deposit whose type was confirmed, also where the machine was right.
    Only photos that are still kept can be copied. Run again, it adds only new ones. Labels that
    were not confirmed stay empty: `triof dataset label` fills them in.
    """
    if share is not None and "random" not in whys:
        raise click.UsageError("--share belongs to --which random.")
    settings = load_settings(ctx).settings
    # Days are in local time.
    journal_filter = JournalFilter(
        frozenset(whys), _SHARE if share is None else share, seed, since and since.astimezone(), limit
    )
    with data_folder.database(settings) as database:
        tally = collect(Journal(database), out, journal_filter, settings)
    _print(tally, journal_filter, out, settings)


def _print(tally: ExtractionCounts, journal_filter: JournalFilter, out: Path, settings: Settings) -> None:
    whys = ", ".join(f"{count} {why}" for why, count in tally.copied.items())
    click.echo(f"{_photos(tally.new)} copied into {out}{f' ({whys})' if whys else ''}.")
    if tally.new:
        known = ", ".join(f"{task} of {count}" for task, count in tally.labelled.items())
        click.echo(f"People have told the {known or 'label of none'}; the rest is left empty.")
    if tally.new == journal_filter.limit:
        click.echo("There may be more: this was the --limit, run it again for the next ones.")
    is_selective = settings.privacy.keep_photos == "unsure_and_corrected"
    gone = (
        "never kept (privacy.keep_photos = unsure_and_corrected) or not any more"
        if is_selective
        else "not kept any more"
    )
    for count, what in (
        (tally.there, "there already"),
        (tally.gone, gone),
        (tally.drilled, "left out, as a drill made them"),
    ):
        if count:
            click.echo(f"{_photos(count)} {what}.")
    if tally.confirmed_left_out:
        click.echo(
            f"{_photos(tally.confirmed_left_out)} with a confirmed type left out, as no --which applies:"
            " `--which confirmed` copies all of those."
        )
    if tally.new:
        click.secho(
            f"These copies outlive the {settings.journal.keep_photo_days:g} days for which the machine keeps photos:"
            f" {out} is yours to look after, and to delete.",
            fg="yellow",
        )
        click.echo(f"Next: triof dataset label {out}")


def _photos(count: int) -> str:
    return f"{count} photo{'' if count == 1 else 's'}"
