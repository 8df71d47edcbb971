"""``triof train``: make a bundle for the local network out of labelled photos."""

import hashlib
import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress, TaskID

from providers.base import LABELS, TASKS, Task
from providers.local_cnn import bundle
from providers.local_cnn.augmentation import KEPT_SIDE
from providers.local_cnn.recipe import Recipe
from providers.local_cnn.trainer import Part, Trained
from providers.local_cnn.trainer import train as train_bundle
from providers.local_cnn.training_set import Pictures
from providers.local_cnn.tuning import Checkpoint
from providers.text_files import decoded
from triof import __version__, bundles, datasets
from triof.cli import load_settings
from triof.cli.labelled_photos import read_photos
from triof.datasets import Dataset, DatasetError, Split, Unreadable
from triof.photo import PhotoLimits
from triof.settings import Settings

_USED_SPLITS: tuple[Part, ...] = ("train", "val")
_DEFAULTS = Recipe()


@click.command()
@click.argument("task", type=click.Choice(TASKS))
@click.option("--data", "source", required=True, type=click.Path(path_type=Path), help="A manifest.csv or a folder.")
@click.option("--corrections", "corrected", type=click.Path(path_type=Path), help="Labels that people changed.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the new bundle; default: in the run's folder.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), help="Where every run is recorded.")
@click.option("--start", type=click.Path(path_type=Path), help="A bundle to go on from; default: ImageNet's weights.")
@click.option("--epochs", type=click.IntRange(0), default=_DEFAULTS.epochs, show_default=True, help="Of fine-tuning.")
@click.option("--seed", type=int, default=_DEFAULTS.seed, show_default=True)
@click.option(
    "--notes", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="On the photos, for the model card."
)
@click.option("--recipe", "others", multiple=True, metavar="NAME=VALUE", help="Any other number of the recipe.")
@click.pass_context
def train(
    ctx: click.Context,
    task: Task,
    source: Path,
    *,
    corrected: Path | None,
    out: Path | None,
    runs: Path,
    notes: Path | None,
    others: tuple[str, ...],
    start: Path | None,
    epochs: int,
    seed: int,
) -> None:
    """Train a bundle that answers TASK, and record the run.

    It may be interrupted at any time: the same command goes on after the last whole epoch.
    """
    before = bundle.load(start, task) if start else None
    said = {"start": before.card.version if before else "ImageNet", **_notes(notes)}
    settings = load_settings(ctx).settings
    recipe = _recipe({"epochs": epochs, "seed": seed, **_like(before)}, others, settings)
    _check_place(out, runs)
    console = Console()
    dataset = read_photos(source, settings, corrected)
    used = [item for item in dataset.photos if task in item.labels and item.split != "test"]
    fingerprint = datasets.fingerprint(used)
    checkpoint = Checkpoint(runs / f"unfinished-{_identity(task, recipe, said['start'], fingerprint)}.npz")
    started = time.monotonic()
    with Progress(console=console) as progress:
        photos = {split: _pictures(task, dataset, split, console, settings.photo) for split in _USED_SPLITS}
        with bundles.writing(runs):
            trained = train_bundle(task, photos, recipe, checkpoint, Bars(progress).show, start=before)
    run = runs / f"{task}-{datetime.now():%Y%m%d-%H%M%S}"
    counts = {split: len(shown.pictures) for split, shown in photos.items()}
    origin = {**trained.card.trained_on, "photos": counts, "data_sha256": fingerprint, **said}
    card = trained.card.model_copy(update={"trained_on": origin})
    out = out or run / "bundle"
    with bundles.writing(out):
        bundle.save(out.resolve(), card, trained.model)
    with bundles.writing(run):
        _record(run, trained, card, duration=time.monotonic() - started)
        checkpoint.clear()
    console.print(f"{card.version} is in {out}; the run is recorded in {run}.", soft_wrap=True, markup=False)


def _recipe(numbers: dict[str, Any], others: tuple[str, ...], settings: Settings) -> Recipe:
    """The recipe out of its own options, ``--recipe`` and the costs of the policy."""
    given = {**numbers, "costs": settings.policy.costs}
    for other in others:
        name, equals, value = other.partition("=")
        if not equals:
            raise click.UsageError(f"--recipe {other}: write NAME=VALUE, such as --recipe learning_rate=0.0001.")
        if name in given:
            raise click.UsageError(f"--recipe {name}: it comes from --epochs, --seed, --start or policy.costs.")
        given[name] = value
    try:
        return Recipe.model_validate(given)
    except ValidationError as error:
        raise click.UsageError(f"The recipe is wrong: {bundle.faults(error)}.") from error


def _like(before: bundle.Bundle | None) -> dict[str, Any]:
    """What a bundle that is gone on from says of the recipe."""
    if not before:
        return {}
    known = before.card.trained_on.get("backbone", _DEFAULTS.backbone)
    return {"backbone": known, "input_side": before.card.input.width}


def _notes(path: Path | None) -> dict[str, str]:
    try:
        return {"notes": decoded(path.read_bytes())} if path else {}
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--notes {path} cannot be read as text in UTF-8 ({error}).") from error


def _check_place(out: Path | None, runs: Path) -> None:
    """Refuse now what could not be written in an hour."""
    if out and out.exists() and not (out / bundle.CARD_FILE).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise click.UsageError(f"--out {out} holds something else than a bundle: name a new folder.")
    for folder in (runs, out.resolve().parent if out else runs):
        with bundles.writing(folder):
            folder.mkdir(parents=True, exist_ok=True)


def _identity(task: Task, recipe: Recipe, start: str, fingerprint: str) -> str:
    """The same for the same training, so that it can be gone on with."""
    return hashlib.sha256(
        "|".join((task, __version__, start, recipe.model_dump_json(), fingerprint)).encode()
    ).hexdigest()[:12]


class Bars:
    """A bar for each stage, once it begins."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def show(self, stage: str, done: int, total: int) -> None:
        """Show how far ``stage`` is, of ``total`` steps."""
        if stage not in self._bars:
            self._bars[stage] = self._progress.add_task(stage)
        self._progress.update(self._bars[stage], completed=done, total=total)


def _pictures(task: Task, dataset: Dataset, split: Split, console: Console, limits: PhotoLimits) -> Pictures:
    unreadable: list[Unreadable] = []
    pictures, classes = [], []
    labelled = dataset.of(task, split)
    for item, photo in datasets.decode(labelled, limits, needed_side=KEPT_SIDE, unreadable=unreadable):
        # What is not JPEG is decoded whole, and a thousand such pictures would not fit into the memory.
        photo.picture.thumbnail((2 * KEPT_SIDE, 2 * KEPT_SIDE), reducing_gap=2.0)
        pictures.append(photo.picture)
        classes.append(LABELS[task].index(item.labels[task]))
    for fault in unreadable:
        # A path may hold what rich would take for markup.
        console.print(f"Skipped {fault.path}: {fault.reason}", soft_wrap=True, markup=False)
    if len(set(classes)) < 2:
        raise DatasetError(
            f"The {split} split of {dataset.source} shows fewer than two labels of {task}: add photos of"
            f" {', '.join(LABELS[task])}."
        )
    return Pictures(pictures, np.array(classes, np.int64))


def _record(run: Path, trained: Trained, card: bundle.BundleCard, duration: float) -> None:
    run.mkdir(parents=True, exist_ok=True)
    record = {"card": card.model_dump(mode="json"), "curves": trained.curves, "duration": round(duration, 1)}
    (run / "run.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
