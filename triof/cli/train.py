"""``triof train``: make a bundle for the local network out of labelled photos."""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress, TaskID

from providers.base import LABELS, TASKS, Task
from providers.local_cnn import bundle
from providers.local_cnn.backbone import INPUT_SIDE
from providers.local_cnn.trainer import Pictures, Trained, TrainerSettings
from providers.local_cnn.trainer import train as train_bundle
from triof import corrections, datasets
from triof.datasets import Dataset, DatasetError, Split, Unreadable

_USED_SPLITS: tuple[Split, ...] = ("train", "val")
_DEFAULTS = TrainerSettings()


@click.command()
@click.argument("task", type=click.Choice(TASKS))
@click.option("--data", "source", required=True, type=click.Path(path_type=Path), help="A manifest.csv or a folder.")
@click.option("--corrections", "corrected", type=click.Path(path_type=Path), help="Labels that people changed.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the new bundle; default: in the run's folder.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), help="Where every run is recorded.")
@click.option("--epochs", type=click.IntRange(0), default=_DEFAULTS.epochs, show_default=True, help="Of fine-tuning.")
@click.option("--views", type=click.IntRange(1), default=_DEFAULTS.views, show_default=True, help="Of each photo.")
@click.option("--seed", type=int, default=_DEFAULTS.seed, show_default=True)
def train(task: Task, source: Path, corrected: Path | None, out: Path | None, runs: Path, **recipe: int) -> None:
    """Train a bundle that answers TASK, and record the run.

    Nothing is written before the end, so a training may be interrupted at any time.
    """
    settings = TrainerSettings.model_validate(recipe)
    console = Console()
    dataset, told = corrections.mending(source, corrected)
    for sentence in told:
        console.print(sentence, soft_wrap=True, markup=False, highlight=False)
    started = time.monotonic()
    trained = _train(task, dataset, settings, console)
    run = runs / f"{task}-{datetime.now():%Y%m%d-%H%M%S}"
    card = _with_origin(trained, task, dataset)
    out = out or run / "bundle"
    bundle.save(out, card, trained.model)
    _record(run, trained, card, duration=time.monotonic() - started)
    console.print(f"{card.version} is in {out}; the run is recorded in {run}.", soft_wrap=True, markup=False)


def _train(task: Task, dataset: Dataset, settings: TrainerSettings, console: Console) -> Trained:
    with Progress(console=console) as progress:
        bars: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in bars:
                bars[stage] = progress.add_task(stage)
            progress.update(bars[stage], completed=done, total=total)

        parts = {split: _pictures(task, dataset, split, console) for split in _USED_SPLITS}
        return train_bundle(task, parts["train"], parts["val"], settings, show)


def _pictures(task: Task, dataset: Dataset, split: Split, console: Console) -> Pictures:
    unreadable: list[Unreadable] = []
    pictures, classes = [], []
    for item, photo in datasets.decode(dataset.of(task, split), needed_side=INPUT_SIDE, unreadable=unreadable):
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


def _with_origin(trained: Trained, task: Task, dataset: Dataset) -> bundle.BundleCard:
    used = [item for item in dataset.photos if task in item.labels and item.split != "test"]
    origin: dict[str, Any] = {
        **trained.card.trained_on,
        "photos": {split: sum(item.split == split for item in used) for split in _USED_SPLITS},
        "data_sha256": datasets.fingerprint(used),
    }
    return trained.card.model_copy(update={"trained_on": origin})


def _record(run: Path, trained: Trained, card: bundle.BundleCard, duration: float) -> None:
    run.mkdir(parents=True, exist_ok=True)
    record = {"card": card.model_dump(mode="json"), "curves": trained.curves, "duration": round(duration, 1)}
    (run / "run.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
