"""``triof azure evaluate``: measure an iteration, by the vendor's figures and on labelled photos."""

from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime
from functools import partial
from pathlib import Path

import click
from rich.progress import Progress
from rich.table import Table

from providers.base import Task
from providers.custom_vision.records import Iteration, Performance
from providers.local_cnn.provider import LocalCnn
from triof import services
from triof.azure import iteration_evaluation
from triof.cli.azure.session import Session, check_trained, session
from triof.cli.shared.labelled_photos import read_photos
from triof.datasets.photo_dataset import SPLITS, LabelledPhoto, Split, Unreadable
from triof.evaluation.evaluation import Evaluation, measure
from triof.evaluation.evaluation import evaluate as ask_local
from triof.judging.guarded_provider import GuardedProvider
from triof.models import bundle_store
from triof.reporting import evaluation_report
from triof.reporting.evaluation_report import VendorMetrics
from triof.settings.tree import Settings

_TASK: Task = "waste_type"
_PROVIDER = "custom_vision"


@click.command()
@click.argument("iteration", metavar="[ITERATION]", default="latest")
@click.option("--data", "source", type=click.Path(path_type=Path), help="Labelled photos: a manifest.csv or a folder.")
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
@click.option("--limit", type=click.IntRange(1), help="Use the first so many photos; each costs one call of the quota.")
@click.option("--corrections", "corrected", type=click.Path(path_type=Path), help="A file of corrected labels.")
@click.option("--report", type=click.Path(path_type=Path), help="The page to write; default: one in runs/.")
@click.option("--no-report", is_flag=True, help="Write no page.")
@click.option("--yes", is_flag=True, help="Do not ask before calls are made.")
@click.pass_context
def evaluate(
    ctx: click.Context,
    iteration: str,
    source: Path | None,
    *,
    split: Split,
    limit: int | None,
    corrected: Path | None,
    report: Path | None,
    no_report: bool,
    yes: bool,
) -> None:
    """Show the vendor's figures for ITERATION, and measure it on photos it was not trained on.

    The vendor measures by cross-validation on the training photos. With --data the published iteration and the local
    model predict the same labelled photos, and a report compares them.
    """
    if report and no_report:
        raise click.UsageError("--report names a page that --no-report leaves out: give one of them.")
    with session(ctx) as opened:
        chosen = opened.trainer.find_iteration(iteration)
        check_trained(chosen)
        performance = opened.trainer.performance(chosen)
        _print_vendor(opened, chosen, performance)
        if not source:
            opened.say("To measure it on photos that it has not seen, and beside the local model: --data DATASET.")
            return
        if not chosen.published_as:
            opened.say(f"It is not published: `triof azure publish {chosen.id[:8]}` first, then measure it.", "yellow")
            return
        dataset = read_photos(source, opened.settings, corrected)
        items = dataset.of(_TASK, split)[:limit]
        settings = _asking(opened.settings, chosen)
        if not _agreed(opened, settings, chosen, items, yes=yes):
            return
        try:
            cloud = _ask_cloud(opened, settings, chosen, items)
        except KeyboardInterrupt:
            raise click.ClickException("Interrupted; the answers are kept: the same command goes on.") from None
        for reason in cloud.unreadable:
            opened.say(f"Left out {reason}", "yellow")
        # Both must be measured on the same photos to be compared.
        evaluations = [cloud, _ask_local(opened, settings, [answer.item for answer in cloud.answers])]
        _print_ours(opened, evaluations)
        for version in _exported(settings, chosen):
            opened.say(f"It is installed here: `triof bundles check {version}` holds it against these answers.")
        if not no_report:
            path = report or Path("runs") / f"azure-evaluation-{datetime.now():%Y%m%d-%H%M%S}.html"
            vendor = [VendorMetrics(*astuple(tag)) for tag in performance.tags]
            write = partial(evaluation_report.write, limits=settings.photo, language=settings.language)
            write(path, dataset, split, evaluations, vendor=vendor, notes=dataset.remarks)
            opened.say(f"To look at: {path}")


def _asking(settings: Settings, iteration: Iteration) -> Settings:
    """Return settings that call this iteration, whatever iteration the machine uses."""
    options = settings.custom_vision.model_copy(update={"published_name": iteration.published_as})
    # A route with this provider only, so that the evaluation never falls back.
    return settings.model_copy(
        update={"custom_vision": options, "mode": "auto", "routes": {**settings.routes, _TASK: (_PROVIDER,)}}
    )


def _exported(settings: Settings, iteration: Iteration) -> list[str]:
    """Return the versions of installed bundles that were exported from this iteration."""
    entries = bundle_store.Store(settings).entries(_TASK)
    return [
        entry.version
        for entry in entries
        if entry.card and str(entry.card.trained_on.get("iteration", "")).lower() == iteration.id.lower()
    ]


def _agreed(
    opened: Session, settings: Settings, iteration: Iteration, items: Sequence[LabelledPhoto], *, yes: bool
) -> bool:
    """Return whether the user agrees to the cost of the calls."""
    settings.custom_vision.check()
    calls = iteration_evaluation.count_new(items, settings, iteration.id)
    euros = calls * settings.custom_vision.allowance.euros_per_1000 / 1000
    opened.say(f"{len(items):,} photos, of which {calls:,} are to be asked: so many calls of the quota, {euros:.2f} €.")
    return not calls or yes or click.confirm("Ask them?", default=True)


def _ask_cloud(opened: Session, settings: Settings, iteration: Iteration, items: Sequence[LabelledPhoto]) -> Evaluation:
    router = services.build_router(settings, lambda: "auto")
    try:
        guard = next(member for member in router.members(_TASK) if isinstance(member, GuardedProvider))
        guard.prepare()
        unreadable: list[Unreadable] = []
        with Progress(console=opened.console, transient=True) as progress:
            bar = progress.add_task(_PROVIDER, total=len(items))
            tell = lambda: progress.advance(bar)  # noqa: E731
            answers = list(
                iteration_evaluation.ask(guard, iteration.id, items, settings, unreadable=unreadable, on_photo=tell)
            )
        return measure(_TASK, answers, unreadable)
    finally:
        router.close()


def _ask_local(opened: Session, settings: Settings, items: Sequence[LabelledPhoto]) -> Evaluation:
    provider = LocalCnn(_TASK, bundle_store.options(settings))
    try:
        with Progress(console=opened.console, transient=True) as progress:
            bar = progress.add_task(provider.name, total=len(items))
            return ask_local(provider, _TASK, items, lambda: progress.advance(bar), settings.photo)
    finally:
        provider.close()


def _print_vendor(opened: Session, iteration: Iteration, performance: Performance) -> None:
    opened.say(f"{iteration.name} ({iteration.id[:8]}), by the vendor's cross-validation, from 50 % on:")
    table = Table("tag", "precision", "recall", "average precision")
    for tag in performance.tags:
        table.add_row(tag.tag, f"{tag.precision:.3f}", f"{tag.recall:.3f}", f"{tag.average_precision:.3f}")
    whole = (performance.precision, performance.recall, performance.average_precision)
    table.add_row("all", *(f"{share:.3f}" for share in whole), style="bold")
    opened.console.print(table)


def _print_ours(opened: Session, evaluations: Sequence[Evaluation]) -> None:
    opened.say("On photos of ours:")
    table = Table("", *(evaluation.provider for evaluation in evaluations))
    for name in ("accuracy", "macro_f1", "group_accuracy", "calibration_error"):
        numbers = (f"{getattr(evaluation, name):.3f}" for evaluation in evaluations)
        table.add_row(name.replace("_", " "), *numbers)
    for label in evaluations[0].labels:
        numbers = (f"{evaluation.labels[label].recall:.3f}" for evaluation in evaluations)
        table.add_row(f"recall of {label}", *numbers)
    opened.console.print(table)
