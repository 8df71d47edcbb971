"""``triof evaluate``: how often the local network is right on labelled photos."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from providers.base import LABELS, TASKS, Task
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.provider import LocalCnn
from triof import bundles, corrections, datasets, evaluation_report
from triof.cli import load_settings
from triof.datasets import SPLITS, Dataset, LabelledPhoto, Split
from triof.evaluation import Evaluation
from triof.evaluation import evaluate as measure


@click.command()
@click.argument("tasks", metavar="[TASK]...", nargs=-1, type=click.Choice(TASKS))
@click.option("--data", "source", required=True, type=click.Path(path_type=Path), help="A manifest.csv or a folder.")
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
@click.option("--bundle", type=click.Path(path_type=Path), help="Another bundle than the settings', of one TASK.")
@click.option("--corrections", "corrected", type=click.Path(path_type=Path), help="Labels that people changed.")
@click.option("--report", type=click.Path(path_type=Path), help="The page to write; default: one in runs/.")
@click.option("--no-report", is_flag=True, help="Write no page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@click.pass_context
def evaluate(
    ctx: click.Context,
    tasks: tuple[Task, ...],
    source: Path,
    *,
    split: Split,
    bundle: Path | None,
    corrected: Path | None,
    report: Path | None,
    no_report: bool,
    as_json: bool,
) -> None:
    """Measure the local network the way the machine asks it: both tasks, or each TASK named.

    Also writes a page to look at, with curves and the worst mistakes.
    """
    tasks = tasks or TASKS
    if bundle and len(tasks) != 1:
        raise click.UsageError("--bundle belongs to one task: name it, as in `triof evaluate waste_type --bundle …`.")
    if report and no_report:
        raise click.UsageError("--report names a page that --no-report leaves out: give one of them.")
    chosen = {f"{tasks[0]}_bundle": bundle} if bundle else {}
    options = bundles.options(load_settings(ctx).settings).model_copy(update=chosen)
    dataset, notes = _data(source, corrected)
    console = Console(stderr=as_json)
    evaluations = {task: _evaluate(task, dataset.of(task, split), options, console) for task in tasks}
    if not no_report:
        report = report or Path("runs") / f"evaluation-{datetime.now():%Y%m%d-%H%M%S}.html"
        evaluation_report.write(report, dataset, split, list(evaluations.values()), notes=notes)
    if as_json:
        click.echo(json.dumps({task: evaluation.as_dict() for task, evaluation in evaluations.items()}, indent=2))
    else:
        for evaluation in evaluations.values():
            _print(evaluation, split, console)
    if report:
        console.print(f"To look at: {report}", soft_wrap=True, markup=False, highlight=False)


def _data(source: Path, corrected: Path | None) -> tuple[Dataset, list[str]]:
    """The photos, and what to say of them above the numbers."""
    dataset, told = corrections.mending(source, corrected)
    if not corrected:
        return dataset, []
    pairs = zip(datasets.read(source).photos, dataset.photos, strict=True)
    changed = sum(before.labels != after.labels for before, after in pairs)
    return dataset, [f"With the corrections in {corrected}: {changed} of {len(dataset.photos)} photos changed.", *told]


def _evaluate(task: Task, photos: Sequence[LabelledPhoto], options: LocalCnnOptions, console: Console) -> Evaluation:
    provider = LocalCnn(task, options)
    try:
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task(task, total=len(photos))
            return measure(provider, task, photos, on_photo=lambda: progress.advance(bar))
    finally:
        provider.close()


def _print(evaluation: Evaluation, split: Split, console: Console) -> None:
    console.print(
        f"{evaluation.task} ({evaluation.model_version}) on {split}: {evaluation.photos} photos in"
        f" {evaluation.groups} groups",
        soft_wrap=True,
        markup=False,
    )
    console.print(_summary(evaluation), _labels(evaluation), _confusion(evaluation))
    for fault in evaluation.unreadable:
        # A path may hold what rich would take for markup.
        console.print(f"Skipped {fault}", soft_wrap=True, markup=False)


def _summary(evaluation: Evaluation) -> Table:
    table = Table("accuracy", "macro-F1", "per group", "calibration error", "believed", "of these right")
    numbers = (
        evaluation.accuracy,
        evaluation.macro_f1,
        evaluation.group_accuracy,
        evaluation.calibration_error,
        evaluation.believed,
        evaluation.believed_accuracy,
    )
    table.add_row(*(f"{number:.3f}" for number in numbers))
    return table


def _labels(evaluation: Evaluation) -> Table:
    table = Table("label", "precision", "recall", "F1", "photos")
    for label, metrics in evaluation.labels.items():
        ratios = (f"{ratio:.3f}" for ratio in (metrics.precision, metrics.recall, metrics.f1))
        table.add_row(label, *ratios, str(metrics.support))
    return table


def _confusion(evaluation: Evaluation) -> Table:
    labels = LABELS[evaluation.task]
    table = Table("it is, and was called", *labels)
    for label, counts in zip(labels, evaluation.confusion, strict=True):
        table.add_row(label, *map(str, counts))
    return table
