"""``triof compare``: compare the providers that are set up, on the same photos."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from providers.base import TASKS
from triof.cli import load_settings, tell
from triof.cli.evaluation import contenders
from triof.cli.shared.labelled_photos import doubts, read_photos
from triof.datasets.photo_dataset import SPLITS, LabelledPhoto, Split, Unreadable
from triof.evaluation import engine_comparison
from triof.evaluation.demo_photos import demo_dataset
from triof.evaluation.engine_comparison import Contender, EngineComparison
from triof.reporting import comparison_report
from triof.settings.tree import Settings
from triof.statistics.queries import Statistics
from triof.storage import data_folder

_MONTH = timedelta(30)
_DEMO = "The demo pictures are few, and made for demonstrations: name photos of yours with --data."


@click.command()
@click.option(
    "--data", "source", type=click.Path(path_type=Path), help="A manifest.csv or a folder; default: the demo pictures."
)
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True, help="Of the --data.")
@click.option("--providers", "names", help="Names, separated by commas; default: all that are set up.")
@click.option("--limit", type=click.IntRange(1), help="Use so many photos, spread over all of them.")
@click.option("--corrections", "corrected", type=click.Path(path_type=Path), help="Labels that people changed.")
@click.option("--report", type=click.Path(path_type=Path), help="The page to write; default: one in runs/.")
@click.option("--no-report", is_flag=True, help="Write no page.")
@click.option("--without-pictures", is_flag=True, help="Show no photo on the page, so that it can be passed on.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option("--yes", is_flag=True, help="Do not ask before calls are made that cost or count.")
@click.pass_context
def compare(
    ctx: click.Context,
    source: Path | None,
    *,
    split: Split,
    names: str | None,
    limit: int | None,
    corrected: Path | None,
    report: Path | None,
    no_report: bool,
    without_pictures: bool,
    as_json: bool,
    yes: bool,
) -> None:
    """Compare all providers that are set up on the same photos: accuracy, verdicts, time, cost, where the photos go.

    Answers are kept, so that the same command goes on after an interruption and pays nothing twice. Also writes an HTML
    page.
    """
    if report and no_report:
        raise click.UsageError("--report names a page that --no-report leaves out: give one of them.")
    settings = load_settings(ctx).settings
    dataset = read_photos(source, settings, corrected) if source else demo_dataset()
    items = _spread(dataset.of("waste_type", split) if source else dataset.photos, limit)
    console = Console(stderr=as_json)
    with ExitStack() as stack:
        found = contenders.build(_named(names) or contenders.set_up(settings), settings, stack)
        digests = {item.path: engine_comparison.digest(item) for item in items}
        _agree(found, list(digests.values()), yes=yes, to_stderr=as_json)
        try:
            unreadable = _ask(found, items, settings, console)
        except KeyboardInterrupt:
            raise click.ClickException("Interrupted; the answers are kept: the same command goes on.") from None
    tell(f"Skipped {each.path}: {each.reason}" for each in unreadable)
    result = engine_comparison.compare(found, items, digests, settings.policy, _judged_last_month(settings))
    weak = list(doubts(dataset, TASKS, split)) if source else [_DEMO]
    if as_json:
        click.echo(json.dumps(result.as_dict(dataset.name), indent=2))
    else:
        _print(result, console)
    tell(weak)
    if not no_report:
        report = report or Path("runs") / f"comparison-{datetime.now():%Y%m%d-%H%M%S}.html"
        notes = [*dataset.remarks, *weak]
        comparison_report.write(
            report,
            dataset,
            result,
            notes,
            settings.photo,
            with_pictures=not without_pictures,
            language=settings.language,
        )
        console.print(f"To look at: {report}", soft_wrap=True, markup=False, highlight=False)


def _spread(items: Sequence[LabelledPhoto], limit: int | None) -> Sequence[LabelledPhoto]:
    """Return ``limit`` photos at even distances, as those of one source stand together in a manifest."""
    if limit is None or limit >= len(items):
        return items
    return [items[number * len(items) // limit] for number in range(limit)]


def _named(names: str | None) -> list[str]:
    return [name.strip() for name in (names or "").split(",") if name.strip()]


def _agree(found: Sequence[Contender], digests: Sequence[str], *, yes: bool, to_stderr: bool) -> None:
    """Count the calls to the cloud, and ask before they are made."""
    calls = {each.name: each.missing(digests) for each in found if each.needs_network}
    if not any(calls.values()):
        return
    for each in (each for each in found if calls.get(each.name)):
        photos = calls[each.name] // len(each.members)
        euros = photos * each.euros_per_1000 / 1000
        click.echo(f"{each.name} at {each.place}: {calls[each.name]:,} calls, {euros:.2f} €.", err=to_stderr)
    if not yes:
        click.confirm("Ask them?", default=True, abort=True, err=to_stderr)


def _ask(
    found: Sequence[Contender], items: Sequence[LabelledPhoto], settings: Settings, console: Console
) -> list[Unreadable]:
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task(", ".join(each.name for each in found), total=len(items))
        return engine_comparison.ask(found, items, settings.photo, lambda: progress.advance(bar))


def _judged_last_month(settings: Settings) -> int:
    with data_folder.database(settings) as database:
        statistics = Statistics(database, settings)
        today = statistics.today
        return statistics.totals(statistics.days(today - _MONTH + timedelta(1), today)).judged


def _print(result: EngineComparison, console: Console) -> None:
    console.print(f"{result.photos:,} photos that all have answered, of {result.asked:,}.", markup=False)
    table = Table("", *(engine.name for engine in result.engines))
    for row in comparison_report.rows(result):
        about = f" ({row.about})" if row.about != "" else ""
        table.add_row(f"{row.name}{about}", *(cell.text for cell in row.cells))
    console.print(table)
    tell(result.left_out)
    for engine in result.engines:
        for note in engine.notes:
            console.print(f"{engine.name}: {note}", style="yellow", markup=False, soft_wrap=True)
    console.print(f"{len(result.disagreements)} answers differ between the providers.", markup=False)
