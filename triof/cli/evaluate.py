"""``triof evaluate``: how often the local network is right on labelled photos."""

import json
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from providers.base import LABELS, TASKS, Task
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.provider import LocalCnn
from triof import datasets
from triof.cli import load_settings
from triof.datasets import SPLITS, LabelledPhoto, Split
from triof.evaluation import Evaluation
from triof.evaluation import evaluate as measure


@click.command()
@click.argument("tasks", metavar="[TASK]...", nargs=-1, type=click.Choice(TASKS))
@click.option("--data", "source", required=True, type=click.Path(path_type=Path), help="A manifest.csv or a folder.")
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
@click.option("--bundle", type=click.Path(path_type=Path), help="Another bundle than the settings', of one TASK.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@click.pass_context
def evaluate(
    ctx: click.Context, tasks: tuple[Task, ...], source: Path, *, split: Split, bundle: Path | None, as_json: bool
) -> None:
    """Measure the local network the way the machine asks it: both tasks, or each TASK named."""
    tasks = tasks or TASKS
    if bundle and len(tasks) != 1:
        raise click.UsageError("--bundle belongs to one task: name it, as in `triof evaluate waste_type --bundle …`.")
    chosen = {f"{tasks[0]}_bundle": bundle} if bundle else {}
    options = load_settings(ctx).settings.local_cnn.model_copy(update=chosen)
    dataset = datasets.read(source)
    console = Console(stderr=as_json)
    evaluations = {task: _evaluate(task, dataset.of(task, split), options, console) for task in tasks}
    if as_json:
        click.echo(json.dumps({task: evaluation.as_dict() for task, evaluation in evaluations.items()}, indent=2))
        return
    for evaluation in evaluations.values():
        _print(evaluation, split, console)


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
