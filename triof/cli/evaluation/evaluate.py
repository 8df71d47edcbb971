"""``triof evaluate``: measure the local network on labelled photos."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from providers.base import LABELS, TASKS, Prediction, Task
from providers.local_cnn import bundle as bundle_folder
from providers.local_cnn.model_card import BY_SOURCE
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.provider import LocalCnn
from triof.cli import load_settings, tell
from triof.cli.shared import source_tables
from triof.cli.shared.labelled_photos import doubts, read_photos
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import SPLITS, Dataset, DatasetError, LabelledPhoto, Split, Unreadable
from triof.evaluation import by_source, robustness
from triof.evaluation.by_source import SourceFigures
from triof.evaluation.curves import Figure
from triof.evaluation.evaluation import Answers, EvaluatedPhoto, Evaluation, ask, measure
from triof.evaluation.robustness import Robustness
from triof.models import bundle_store
from triof.models.errors import writing
from triof.reporting import evaluation_report
from triof.settings.sections.photo import PhotoLimits
from triof.settings.sections.policy import Policy
from triof.settings.tree import Settings


@click.command()
@click.argument("tasks", metavar="[TASK]...", nargs=-1, type=click.Choice(TASKS))
@click.option("--data", "source", required=True, type=click.Path(path_type=Path), help="A manifest.csv or a folder.")
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
@click.option("--bundle", type=click.Path(path_type=Path), help="Another bundle than the settings'.")
@click.option("--corrections", "corrected", type=click.Path(path_type=Path), help="Labels that people changed.")
@click.option("--robustness", "harder", is_flag=True, help="Also measure on blurred, dark, turned … photos; slow.")
@click.option("--by", type=click.Choice(["source"]), help="Also judge each source, as the machine would have.")
@click.option("--record", is_flag=True, help="Store the figures in the --bundle and its model card.")
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
    harder: bool,
    by: str | None,
    record: bool,
    report: Path | None,
    no_report: bool,
    as_json: bool,
) -> None:
    """Measure the local network as the machine uses it: all tasks, those of the --bundle, or each TASK named.

    Also writes an HTML report with curves and the worst mistakes.
    """
    _check(bundle, report, record=record, no_report=no_report)
    tasks = tuple(dict.fromkeys(tasks)) or (bundle_folder.load(bundle).card.tasks if bundle else TASKS)
    chosen = {f"{task}_bundle": bundle for task in tasks} if bundle else {}
    settings = load_settings(ctx).settings
    options = bundle_store.options(settings).model_copy(update=chosen)
    dataset, notes = _data(source, corrected, settings)
    weak = list(doubts(dataset, tasks, split))
    console = Console(stderr=as_json)
    limits = settings.photo
    examiner = _Examiner(options, limits, console, everything=by is not None)
    if by:
        _check_sources(dataset, split)
    found = examiner.evaluate_harder(tasks, dataset, split) if harder else examiner.evaluate(tasks, dataset, split)
    evaluations = {task: one.evaluation for task, one in found.items()}
    robust = {task: one.robust for task, one in found.items() if one.robust}
    parts = _by_source(dataset.within(split), examiner, found, settings.policy) if by else ()
    if bundle and record:
        name = f"{split}, corrected labels" if corrected else split
        for evaluation in evaluations.values():
            _record(bundle, evaluation, robust, name)
        if parts:
            _record_sources(bundle, parts, f"{name}{BY_SOURCE}")
    if not no_report:
        report = report or Path("runs") / f"evaluation-{datetime.now():%Y%m%d-%H%M%S}.html"
        write = partial(evaluation_report.write, limits=limits, language=settings.language)
        shown = list(evaluations.values())
        write(report, dataset, split, shown, robust=robust, parts=parts, notes=[*notes, *weak])
    if as_json:
        numbers: dict[str, Any] = {task: _plain(evaluation, robust) for task, evaluation in evaluations.items()}
        click.echo(json.dumps(numbers | ({"by_source": list(map(asdict, parts))} if by else {}), indent=2))
    else:
        for task, evaluation in evaluations.items():
            _print(evaluation, split, console)
            if task in robust:
                console.print(_robustness(robust[task]))
        source_tables.print_parts(parts, console)
    # Printed last, below the figures that it is about.
    tell(weak)
    if report:
        console.print(f"To look at: {report}", soft_wrap=True, markup=False, highlight=False)


def _check(bundle: Path | None, report: Path | None, *, record: bool, no_report: bool) -> None:
    if record and not bundle:
        raise click.UsageError("--record belongs to one bundle: name it with --bundle.")
    if report and no_report:
        raise click.UsageError("--report names a page that --no-report leaves out: give one of them.")


def _data(source: Path, corrected: Path | None, settings: Settings) -> tuple[Dataset, list[str]]:
    """Return the photos, and remarks to print above the figures."""
    dataset = read_photos(source, settings, corrected)
    if not corrected:
        return dataset, list(dataset.remarks)
    pairs = zip(photo_dataset.read(source, settings.custom_vision.tags).photos, dataset.photos, strict=True)
    changed = sum(before.labels != after.labels for before, after in pairs)
    told = f"With the corrections in {corrected}: {changed} of {len(dataset.photos)} photos changed."
    return dataset, [told, *dataset.remarks]


class _Found(NamedTuple):
    """The evaluation of one model."""

    evaluation: Evaluation
    answers: list[EvaluatedPhoto]
    """Includes photos without a label for the task, if all photos were evaluated."""
    robust: Robustness | None


@dataclass(frozen=True)
class _Examiner:
    """Runs the local network on labelled photos and shows the progress."""

    options: LocalCnnOptions
    limits: PhotoLimits
    console: Console
    everything: bool
    """Whether to include photos that are labelled for the other task only."""

    def evaluate(self, tasks: Sequence[Task], dataset: Dataset, split: Split) -> dict[Task, _Found]:
        """Evaluate the models of ``tasks`` together, photo by photo. Raises DatasetError if a task has no photo."""
        for task in tasks:
            dataset.of(task, split)
        return {task: _found(task, *answers) for task, answers in self.ask(tasks, dataset.within(split)).items()}

    def evaluate_harder(self, tasks: Sequence[Task], dataset: Dataset, split: Split) -> dict[Task, _Found]:
        """Evaluate the models of ``tasks`` one after the other, each with its robustness."""
        return {task: self._evaluate_harder(task, dataset, split) for task in tasks}

    def ask(self, tasks: Sequence[Task], photos: Sequence[LabelledPhoto]) -> dict[Task, Answers]:
        """Return the predictions of each task for ``photos``, and the photos that cannot be read."""
        with ExitStack() as stack:
            providers = {task: stack.enter_context(closing(LocalCnn(task, self.options))) for task in tasks}
            return self._ask(providers, photos)

    def _evaluate_harder(self, task: Task, dataset: Dataset, split: Split) -> _Found:
        labelled = dataset.of(task, split)
        with closing(LocalCnn(task, self.options)) as provider:
            # First, as it fails if OpenCV is missing.
            with self._progress(f"{task}: cutting out", labelled) as advance:
                cuttings = robustness.cut_out(labelled, advance, self.limits)
            found = _found(task, *self._ask({task: provider}, dataset.within(split))[task])
            with self._progress(f"{task}: harder conditions", labelled) as advance:
                robust = robustness.measure(provider, found.evaluation, cuttings, advance, self.limits)
            return found._replace(robust=robust)

    def _ask(self, providers: Mapping[Task, LocalCnn], photos: Sequence[LabelledPhoto]) -> dict[Task, Answers]:
        asked = [item for item in photos if self.everything or not item.labels.keys().isdisjoint(providers)]
        with self._progress(" and ".join(providers), asked) as advance:
            return ask(providers, asked, advance, self.limits, everything=self.everything)

    @contextmanager
    def _progress(self, title: str, photos: Sequence[LabelledPhoto]) -> Iterator[Callable[[], None]]:
        with Progress(console=self.console, transient=True) as progress:
            bar = progress.add_task(title, total=len(photos))
            yield lambda: progress.advance(bar)


def _found(task: Task, answers: list[EvaluatedPhoto], unreadable: list[Unreadable]) -> _Found:
    evaluation = measure(task, [answer for answer in answers if task in answer.item.labels], unreadable)
    return _Found(evaluation, answers, None)


def _check_sources(dataset: Dataset, split: Split) -> None:
    if not any(item.source for item in dataset.within(split)):
        raise DatasetError(
            f"No photo in the {split} split of {dataset.source} names its source: add a column called source, or leave"
            " out --by."
        )


def _by_source(
    photos: Sequence[LabelledPhoto], examiner: _Examiner, found: Mapping[Task, _Found], policy: Policy
) -> tuple[SourceFigures, ...]:
    """Return figures by source; verdicts need both tasks, so the model of a task not evaluated is run here."""
    said = {task: one.answers for task, one in found.items()}
    if missing := [task for task in TASKS if task not in said]:
        said |= {task: answers for task, (answers, _) in examiner.ask(missing, photos).items()}
    dirt = {answer.item.path: answer.prediction for answer in said["cleanliness"]}
    both = [answer for answer in said["waste_type"] if answer.item.path in dirt]
    items = [answer.item for answer in both]
    pairs: Mapping[Task, list[Prediction]] = {
        "waste_type": [answer.prediction for answer in both],
        "cleanliness": [dirt[item.path] for item in items],
    }
    return by_source.measure(by_source.judge(items, pairs, policy))


def _plain(evaluation: Evaluation, robust: Mapping[Task, Robustness]) -> dict[str, Any]:
    numbers = evaluation.as_dict()
    if measured := robust.get(evaluation.task):
        numbers["robustness"] = measured.as_dict()
    return numbers


def _record(folder: Path, evaluation: Evaluation, robust: Mapping[Task, Robustness], name: str) -> None:
    """Store the figures in the card of the bundle; they replace an earlier evaluation of the same name."""
    measured = _plain(evaluation, robust)
    kept = {part: measured[part] for part in ("photos", "groups", "figures", "robustness") if part in measured}
    known = bundle_folder.load(folder, evaluation.task)
    card = known.card.model_copy(update={"metrics": {**known.card.metrics, name: kept}})
    with writing(folder):
        bundle_folder.rewrite(folder.resolve(), card)


def _record_sources(folder: Path, parts: Sequence[SourceFigures], name: str) -> None:
    """Store the machine's figures in the card of the bundle's first task."""
    found = {part.name: {"photos": part.photos, "figures": _figures_of(part)} for part in parts}
    known = bundle_folder.load(folder)
    with writing(folder):
        bundle_folder.rewrite(
            folder.resolve(), known.card.model_copy(update={"metrics": {**known.card.metrics, name: found}})
        )


def _figures_of(part: SourceFigures) -> dict[str, Mapping[str, float]]:
    """Return the figures, rounded as in the report."""
    return {
        name: {key: round(value, 4) for key, value in asdict(figure).items()} for name, figure in part.figures.items()
    }


def _print(evaluation: Evaluation, split: Split, console: Console) -> None:
    console.print(
        f"{evaluation.task} ({evaluation.model_version}) on {split}: {evaluation.photos} photos in"
        f" {evaluation.groups} groups",
        soft_wrap=True,
        markup=False,
    )
    console.print(_figures(evaluation), _labels(evaluation), _confusion(evaluation))
    for fault in evaluation.unreadable:
        # A path may contain rich markup.
        console.print(f"Skipped {fault}", soft_wrap=True, markup=False)


def _figures(evaluation: Evaluation) -> Table:
    table = Table("figure", "value", "95 % interval")
    for name, figure in evaluation.figures.items():
        table.add_row(name, _ratio(figure.value), _interval(figure))
    return table


def _robustness(measured: Robustness) -> Table:
    # Narrow enough for 80 columns.
    table = Table("condition", "photos", "accuracy", "lost, 95 %", "macro F1 lost", show_lines=True)
    for condition in measured.conditions:
        losses = map(_loss, (condition.lost, condition.macro_f1_lost))
        accuracies = f"{condition.unchanged:.3f} → {condition.changed:.3f}"
        table.add_row(condition.name, str(condition.photos), accuracies, *losses)
    means = map(_loss, (measured.mean_lost, measured.mean_macro_f1_lost))
    table.add_row(f"mean of {len(robustness.CORRUPTIONS)}", "", f"without\n{robustness.OTHER_GROUND}", *means)
    return table


def _loss(figure: Figure) -> str:
    return f"{_ratio(figure.value)}\n{_interval(figure)}"


def _interval(figure: Figure) -> str:
    return f"{_ratio(figure.low)} to {_ratio(figure.high)}"


def _ratio(number: float) -> str:
    # Adding 0 turns -0.0 into 0.0.
    return f"{round(number, 3) + 0:.3f}"


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
