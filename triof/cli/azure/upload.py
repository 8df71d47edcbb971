"""``triof azure upload``: upload labelled photos to the project, each once."""

import hashlib
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

import click
from filelock import FileLock, Timeout
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from providers.base import ProviderError, ProviderMisconfigured
from providers.base import Task as WasteTask
from providers.custom_vision.options import CustomVisionOptions
from providers.custom_vision.records import Tag
from providers.text_files import plain
from triof.azure.upload import Upload, UploadImpossible, check
from triof.azure.upload_ledger import UploadLedger
from triof.azure.upload_report import Report
from triof.cli.azure.session import Session, project_errors, session
from triof.cli.shared.labelled_photos import read_photos
from triof.datasets import corrections
from triof.datasets.photo_dataset import SPLITS, Dataset, LabelledPhoto, Split
from triof.storage import data_folder

_SHOWN_REASONS = 20
_TASK: WasteTask = "waste_type"
_STOPPING = "Stopping: what is under way ends first. Ctrl-\\ leaves at once, and nothing is lost by that either."


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f} photos/s" if task.speed else "")


@click.command()
@click.argument("source", metavar="DATASET", type=click.Path(path_type=Path))
@click.option(
    "--split",
    "splits",
    multiple=True,
    type=click.Choice([*SPLITS, "all"]),
    default=("train", "val"),
    show_default=True,
    help="What is sent; photos that the cloud has learned can no longer test it.",
)
@click.option("--corrections", "corrected", type=click.Path(path_type=Path), help="A file of corrected labels.")
@click.option("--limit", type=click.IntRange(1), help="Send the first so many.")
@click.option("--again", is_flag=True, help="Send what was sent before too, as photos were removed in the portal.")
@click.option("--dry-run", is_flag=True, help="Look at everything, send nothing.")
@click.pass_context
def upload(
    ctx: click.Context,
    source: Path,
    splits: tuple[str, ...],
    corrected: Path | None,
    limit: int | None,
    *,
    again: bool,
    dry_run: bool,
) -> None:
    """Upload the photos of DATASET (a manifest.csv or a folder) with the tags of their labels.

    An interrupted upload is resumed by the same command, and no photo is sent twice.
    """
    with session(ctx) as opened, data_folder.database(opened.settings) as database:
        dataset = read_photos(source, opened.settings, corrected)
        beside = dataset.root / corrections.USUAL_NAME
        if not corrected and beside.exists():
            # Without them, corrected photos would get their old tags back.
            raise UploadImpossible(
                f"There are corrections in {beside}: name them with --corrections, or move them away."
            )
        chosen = SPLITS if "all" in splits else splits
        items = _items(opened, dataset, chosen)[:limit]
        ledger = UploadLedger(database, opened.trainer.project_id)
        with _alone(opened):
            report = _run(opened, ledger, items, held=_held(dataset, chosen), again=again, dry_run=dry_run)
        _print(report, opened, dry_run=dry_run)


def _items(opened: Session, dataset: Dataset, splits: tuple[Split | str, ...]) -> list[tuple[LabelledPhoto, Tag]]:
    """Return the photos to send, each with its tag."""
    project = opened.trainer.project()
    if fault := project_errors(project):
        raise UploadImpossible(f"The project {project.name!r} is of no use here: {fault}. See `triof azure setup`.")
    tags = _tags(opened.settings.custom_vision, opened.trainer.tags())
    labelled = [item for item in dataset.photos if _TASK in item.labels]
    chosen = [item for item in labelled if item.split in splits]
    if left := len(labelled) - len(chosen):
        opened.say(f"{left} photos of other splits stay here (--split all sends them too).")
    if not chosen:
        raise UploadImpossible(f"{dataset.source} has no photo with a {_TASK} in {', '.join(splits)}.")
    missing = {item.labels[_TASK] for item in chosen} - tags.keys()
    if missing:
        raise ProviderMisconfigured(
            f"The project has no tag for {', '.join(sorted(missing))}: make them with `triof azure setup`, or say in"
            " custom_vision.tags what its tags mean."
        )
    return [(item, tags[item.labels[_TASK]]) for item in chosen]


def _tags(options: CustomVisionOptions, tags: list[Tag]) -> dict[str, Tag]:
    """Map each label to its tag: the Negative one if there is one, else the first of the settings."""
    order = {name: position for position, name in enumerate(options.tags)}
    known = [tag for tag in tags if plain(tag.name) in order]
    known.sort(key=lambda tag: (not tag.negative, order[plain(tag.name)]), reverse=True)
    return {options.tags[plain(tag.name)]: tag for tag in known}


def _alone(opened: Session) -> AbstractContextManager[object]:
    lock = FileLock(opened.settings.home / f"upload-{opened.trainer.project_id}.lock", mode=0o600)
    try:
        return lock.acquire(blocking=False)
    except Timeout as error:
        raise UploadImpossible("Another upload to this project is under way here: let it end first.") from error


def _held(dataset: Dataset, splits: tuple[Split | str, ...]) -> frozenset[str]:
    """Return the digests of test photos that are held back, so that copies in another split are not sent either."""
    held = (item.path for item in dataset.photos if item.split == "test" and "test" not in splits)
    return frozenset(hashlib.sha256(path.read_bytes()).hexdigest() for path in held if path.is_file())


def _run(
    opened: Session,
    ledger: UploadLedger,
    items: list[tuple[LabelledPhoto, Tag]],
    *,
    held: frozenset[str],
    again: bool,
    dry_run: bool,
) -> Report:
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), _Speed(), TimeRemainingColumn())
    with Progress(*columns, console=opened.console, transient=True) as progress:
        bar = progress.add_task("Looking" if dry_run else "Sending", total=len(items))
        tell = lambda done: progress.advance(bar, done)  # noqa: E731
        stop = lambda: opened.say(_STOPPING)  # noqa: E731
        run = Upload(opened.trainer, ledger, tell, stop, held=held, again=again, limits=opened.settings.photo)
        check(run, opened.trainer, items)
        if dry_run:
            return run.rehearse(items)
        try:
            return run.run(items)
        except (KeyboardInterrupt, ProviderError) as error:
            progress.stop()
            _print(run.report, opened, dry_run=False)
            why = "Interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
            raise click.ClickException(
                f"{why}\n{_arrived(run.report):,} of {len(items):,} photos have arrived; the same command"
                f"{', without --again,' * again} goes on with the rest."
            ) from error


def _arrived(report: Report) -> int:
    return report.sent.total() + report.there.total() + report.copies.total()


def _print(report: Report, opened: Session, *, dry_run: bool) -> None:
    names = ("would be sent" if dry_run else "sent", "already there", "corrected there", "refused", "copies")
    counters = (report.sent, report.there, report.retagged, report.refused, report.copies)
    table = Table("tag", *names)
    for tag in sorted(set().union(*counters)):
        table.add_row(tag, *(f"{counter[tag]:,}" for counter in counters))
    table.add_row("all", *(f"{counter.total():,}" for counter in counters), style="bold")
    opened.console.print(table)
    for path, reason in report.reasons[:_SHOWN_REASONS]:
        opened.say(f"Refused {path}: {reason}")
    rest = Counter(reason for _, reason in report.reasons[_SHOWN_REASONS:])
    for reason, count in rest.most_common():
        opened.say(f"Refused {count:,} more: {reason}")
