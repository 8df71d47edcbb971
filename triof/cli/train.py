"""``triof train``: train a bundle for the local network on labelled photos."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
from pydantic import Field, ValidationError
from rich.console import Console
from rich.progress import Progress, TaskID

from providers.base import TASKS, Task
from providers.local_cnn import bundle
from providers.local_cnn.options import shipped
from providers.local_cnn.pointer import SHIPPED
from providers.local_cnn.regular_files import read_regular
from providers.local_cnn.training import rehearsal, rehearsal_check
from providers.local_cnn.training.hyperparameters import Hyperparameters
from providers.local_cnn.training.rehearsal import RehearsalSet
from providers.local_cnn.training.trainer import Part, Trained
from providers.local_cnn.training.trainer import train as train_bundle
from providers.local_cnn.training.training_set import Pictures
from providers.local_cnn.training.tuning import Checkpoint
from providers.options import Options
from providers.text_files import decoded
from triof import __version__
from triof.cli import load_settings, tell
from triof.cli.shared.labelled_photos import read_photos, without
from triof.datasets import photo_dataset, training_photos
from triof.datasets.photo_dataset import Dataset, Split, Unreadable
from triof.evaluation import before_after
from triof.models.errors import writing
from triof.settings.sections.photo import PhotoLimits
from triof.settings.tree import Settings

_USED_SPLITS: tuple[Part, ...] = ("train", "val")
_DEFAULTS = Hyperparameters()
_MOST_BYTES = 1_000_000
"""Maximum bytes of a calibration file; a usual one has some hundred."""


@click.command()
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...", type=click.Choice(TASKS))
@click.option("--data", "source", required=True, type=click.Path(path_type=Path), help="A manifest.csv or a folder.")
@click.option("--corrections", "corrected", type=click.Path(path_type=Path), help="Labels that people changed.")
@click.option("--leave-out", "left_out", multiple=True, metavar="SOURCE", help="Learn nothing from its photos.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the new bundle; default: in the run's folder.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), help="Where every run is recorded.")
@click.option("--start", help="A bundle to go on from, or shipped; default: ImageNet's weights.")
@click.option("--epochs", type=click.IntRange(0), default=_DEFAULTS.epochs, show_default=True, help="Of fine-tuning.")
@click.option("--seed", type=int, default=_DEFAULTS.seed, show_default=True)
@click.option(
    "--notes", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="On the photos, for the model card."
)
@click.option(
    "--calibration", "calibrated", type=click.Path(path_type=Path), help="Of tools/leave_one_out.py; default: by val."
)
@click.option("--recipe", "others", multiple=True, metavar="NAME=VALUE", help="Any other number of the recipe.")
@click.pass_context
def train(
    ctx: click.Context,
    tasks: tuple[Task, ...],
    source: Path,
    *,
    corrected: Path | None,
    left_out: tuple[str, ...],
    out: Path | None,
    runs: Path,
    notes: Path | None,
    calibrated: Path | None,
    others: tuple[str, ...],
    start: str | None,
    epochs: int,
    seed: int,
) -> None:
    """Train a bundle that answers each TASK, with one network, and record the run.

    An interrupted training is resumed by the same command after the last complete epoch.
    """
    tasks = tuple(task for task in TASKS if task in tasks)
    before, old = _begun(start, tasks)
    begun = before.card.version if before else "ImageNet"
    settings = load_settings(ctx).settings
    hyperparameters = _hyperparameters({"epochs": epochs, "seed": seed, **_like(before, old)}, others, settings)
    said = _notes(notes)
    _check_place(out, runs)
    calibration = _calibration(calibrated, tasks)
    console = Console()
    dataset = without(read_photos(source, settings, corrected), left_out)
    used = [item for item in dataset.photos if set(tasks) & set(item.labels) and item.split != "test"]
    fingerprint = photo_dataset.fingerprint(used)
    checkpoint = Checkpoint(runs / f"unfinished-{_identity(tasks, hyperparameters, begun, fingerprint)}.npz")
    started = time.monotonic()
    with Progress(console=console) as progress:
        bars = Bars(progress)
        photos = {
            split: _pictures(tasks, dataset, split, settings.photo, partial(bars.show, f"reading {split}"))
            for split in _USED_SPLITS
        }
        with writing(runs):
            trained = train_bundle(tasks, photos, hyperparameters, checkpoint, bars.show, start=before, old=old)
        made = bundle.Bundle(out or runs, _calibrated(trained.card, calibration), trained.model)
        bars.show("keeping rows", 0, 1)
        kept = rehearsal_check.keep(made, photos, old, (hyperparameters.train_side, hyperparameters.input_side))
        bars.show("keeping rows", 1, 1)
        card = _compared(before, made, photos["val"], old, settings) if before else made.card
    run = runs / f"{'-'.join(tasks)}-{datetime.now():%Y%m%d-%H%M%S}"
    counts = {split: len(shown.subjects) for split, shown in photos.items()}
    sources = sorted({item.source for item in used} - {""})
    origin = {**trained.card.trained_on, "photos": counts, "sources": sources, "data_sha256": fingerprint}
    origin |= {"start": begun, "left_out": sorted(left_out), **said}
    card = card.model_copy(update={"trained_on": origin})
    out = out or run / "bundle"
    with writing(out):
        bundle.save(out.resolve(), card, trained.model, rehearsal=kept)
    with writing(run):
        _record(run, trained, card, duration=time.monotonic() - started)
        checkpoint.clear()
    console.print(f"{card.version} is in {out}; the run is recorded in {run}.", soft_wrap=True, markup=False)


def _begun(start: str | None, tasks: tuple[Task, ...]) -> tuple[bundle.Bundle | None, RehearsalSet | None]:
    """Return the bundle to start from and its rehearsal rows. Raises ProviderMisconfigured."""
    if not start:
        return None, None
    before = bundle.load(shipped(tasks[0]) if start == SHIPPED else Path(start))
    old = rehearsal.load(before)
    if not old:
        version = before.card.version
        tell([f"Nothing keeps this training from forgetting: {version} has no {bundle.REHEARSAL_FILE}."])
    return before, old


def _compared(
    before: bundle.Bundle, made: bundle.Bundle, val: Pictures, old: RehearsalSet | None, settings: Settings
) -> bundle.BundleCard:
    """Return the card of ``made`` with a comparison to ``before``, if they share a task. Prints it."""
    found = before_after.compare(before, made, val, old, settings.policy)
    if not found.hits:
        return made.card
    click.echo(str(found))
    return found.on(made.card)


class _Calibration(Options):
    """The temperature and the thresholds of one task."""

    temperature: float = Field(gt=0, le=100)
    thresholds: Mapping[str, bundle.Probability]
    unfamiliar: float = Field(default=1.0, gt=0)
    """Factor on the distance threshold from ``val`` above which a photo is unfamiliar."""


def _calibration(path: Path | None, tasks: tuple[Task, ...]) -> dict[Task, _Calibration]:
    """Read a file of tools/leave_one_out.py, by task; empty without one. Raises UsageError."""
    if not path:
        return {}
    try:
        found = json.loads(read_regular(path, _MOST_BYTES))
        return {task: _Calibration.model_validate(found[task]) for task in tasks}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise click.UsageError(f"--calibration {path} is none of tools/leave_one_out.py ({error}).") from error


def _calibrated(card: bundle.BundleCard, by_task: Mapping[Task, _Calibration]) -> bundle.BundleCard:
    """Return ``card`` with the calibration of each task in ``by_task``."""
    changes = {
        task: {"temperature": found.temperature, "thresholds": found.thresholds} for task, found in by_task.items()
    }
    also = tuple(other.model_copy(update=changes.get(other.task, {})) for other in card.also)
    start = card.unfamiliar_from
    if start and "waste_type" in by_task:
        start = round(start * by_task["waste_type"].unfamiliar, 6)
    return card.model_copy(update={**changes.get(card.task, {}), "also": also, "unfamiliar_from": start})


def _hyperparameters(numbers: dict[str, Any], others: tuple[str, ...], settings: Settings) -> Hyperparameters:
    """Build the hyperparameters from the options, ``--recipe`` and the costs of the policy."""
    given = {**numbers, "costs": settings.policy.costs}
    for other in others:
        name, equals, value = other.partition("=")
        if not equals:
            raise click.UsageError(f"--recipe {other}: write NAME=VALUE, such as --recipe learning_rate=0.0001.")
        if name in given:
            raise click.UsageError(f"--recipe {name}: it comes from --epochs, --seed, --start or policy.costs.")
        given[name] = value
    try:
        return Hyperparameters.model_validate(given)
    except ValidationError as error:
        raise click.UsageError(f"The recipe is wrong: {bundle.validation_errors(error)}.") from error


def _like(before: bundle.Bundle | None, old: RehearsalSet | None) -> dict[str, Any]:
    """Return the hyperparameters given by the starting bundle and its rows."""
    if not before:
        return {}
    rows = {"frozen_blocks": old.blocks, "train_side": old.learned_side} if old else {}
    known = before.card.trained_on.get("backbone", _DEFAULTS.backbone)
    return {"backbone": known, "input_side": before.card.input.width, **rows}


def _notes(path: Path | None) -> dict[str, str]:
    try:
        return {"notes": decoded(path.read_bytes())} if path else {}
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--notes {path} cannot be read as text in UTF-8 ({error}).") from error


def _check_place(out: Path | None, runs: Path) -> None:
    """Raise UsageError now if the results could not be written after the training."""
    if out and out.exists() and not (out / bundle.CARD_FILE).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise click.UsageError(f"--out {out} holds something else than a bundle: name a new folder.")
    for folder in (runs, out.resolve().parent if out else runs):
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)


def _identity(tasks: tuple[Task, ...], hyperparameters: Hyperparameters, start: str, fingerprint: str) -> str:
    """Return an id that is the same for the same training, so that it can be resumed."""
    return hashlib.sha256(
        "|".join((*tasks, __version__, start, hyperparameters.model_dump_json(), fingerprint)).encode()
    ).hexdigest()[:12]


class Bars:
    """A progress bar for each stage that has begun."""

    def __init__(self, progress: Progress) -> None:
        """Draw on ``progress``."""
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def show(self, stage: str, done: int, total: int) -> None:
        """Update the number of completed steps of a stage."""
        if stage not in self._bars:
            self._bars[stage] = self._progress.add_task(stage)
        self._progress.update(self._bars[stage], completed=done, total=total)


def _pictures(
    tasks: tuple[Task, ...],
    dataset: Dataset,
    split: Split,
    limits: PhotoLimits,
    on_photo: Callable[[int, int], None],
) -> Pictures:
    unreadable: list[Unreadable] = []
    try:
        return training_photos.read(tasks, dataset, split, limits, on_photo=on_photo, unreadable=unreadable)
    finally:
        # Also before an error, which unreadable photos may explain.
        tell(f"Skipped {fault.path}: {fault.reason}" for fault in unreadable)


def _record(run: Path, trained: Trained, card: bundle.BundleCard, duration: float) -> None:
    run.mkdir(parents=True, exist_ok=True)
    record = {"card": card.model_dump(mode="json"), "curves": trained.curves, "duration": round(duration, 1)}
    (run / "run.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
