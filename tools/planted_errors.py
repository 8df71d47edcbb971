"""How many wrong labels ``triof dataset check`` finds: plant some and count: ``make planted-errors``.

For each seed 60 labels are changed in a copy of the manifest, by default 30 waste types to another type at random and
30 cleanlinesses to the other one. They are planted at random among the photos, of all splits, whose label is
unanimous: every photo of its group carries it (most groups are one photo; ``--groups`` takes larger ones only).
``triof dataset check COPY --json`` then runs as a process of its own; an error counts as found when its photo and task
are among the first 300 suggestions. The check sees the copy alone, so every label it learns from may be a planted one.
``undisputed`` counts the errors on photos about whose labels the check had nothing to say before the planting: where
it suggests a photo with and without an error, it found nothing.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from providers.base import LABELS, TASKS, Task
from tools.labelled_photos import DATA, need
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import LabelledPhoto

TUNED_ON, UNSEEN = (1, 2, 3), (11, 12, 13)
"""Seeds: the check was tuned while watching the first ones, and run on the others once, at the end."""

Error = tuple[str, Task]
"""A photo, by its absolute path, and the task whose label is wrong."""


def unanimous(photos: Sequence[LabelledPhoto], task: Task, smallest_group: int = 1) -> list[int]:
    """Indices of the photos whose group, of so many photos at least, agrees on the label."""
    labels, sizes = defaultdict(set), Counter(item.group for item in photos)
    for item in photos:
        if task in item.labels:
            labels[item.group].add(item.labels[task])
    return [
        index
        for index, item in enumerate(photos)
        if task in item.labels and len(labels[item.group]) == 1 and sizes[item.group] >= smallest_group
    ]


def plant(
    photos: Sequence[LabelledPhoto], tasks: Sequence[Task], count: int, seed: int, smallest_group: int = 1
) -> tuple[list[LabelledPhoto], set[Error]]:
    """The photos with ``count`` wrong labels, shared out evenly among ``tasks``, and where these are."""
    rng = random.Random(seed)
    changed, errors = list(photos), set()
    for task in tasks:
        for index in rng.sample(unanimous(photos, task, smallest_group), count // len(tasks)):
            right = photos[index].labels[task]
            wrong = rng.choice([label for label in LABELS[task] if label != right])
            changed[index] = replace(changed[index], labels={**changed[index].labels, task: wrong})
            errors.add((str(photos[index].path.absolute()), task))
    return changed, errors


def suggested(photos: Sequence[LabelledPhoto], limit: int) -> list[Error]:
    """What the command suggests for a manifest of ``photos``, worst first."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.csv"
        photo_dataset.write(manifest, photos)
        command = [sys.executable, "-m", "triof.cli", "dataset", "check", str(manifest), "--json", "--no-report"]
        ran = subprocess.run([*command, "--limit", str(limit)], check=True, stdout=subprocess.PIPE, text=True)
    return [(each["path"], each["task"]) for each in json.loads(ran.stdout)["suggestions"]]


def main() -> int:
    asked = _arguments()
    need(asked.data)
    photos = photo_dataset.read(asked.data).photos
    tasks: Sequence[Task] = [asked.task] if asked.task else TASKS
    disputed = set(suggested(photos, len(TASKS) * len(photos)))
    table = Table("seed", "found", *tasks, "undisputed", "found", "seconds")
    worst = asked.count
    for seed in track(asked.seeds, "Planting", console=Console(stderr=True), transient=True):
        changed, errors = plant(photos, tasks, asked.count, seed, 2 if asked.groups else 1)
        started = time.monotonic()
        found = errors & set(suggested(changed, asked.limit))
        seconds = time.monotonic() - started
        by_task = [_share(found, [error for error in errors if error[1] == task]) for task in tasks]
        fresh = errors - disputed
        name = f"{seed}" if seed in TUNED_ON else f"{seed} (unseen)"
        row = (name, _share(found, errors), *by_task, str(len(fresh)), _share(found, fresh), f"{seconds:.0f}")
        table.add_row(*row)
        worst = min(worst, len(found))
    console = Console(width=100)
    print(__doc__.split("\n\n")[1])
    console.print(f"\n{asked.count} errors among the first {asked.limit} suggestions of {len(photos)} photos:", table)
    return 0 if worst >= asked.required * asked.count else 1


def _share(found: Collection[Error], of: Collection[Error]) -> str:
    hits = len(set(found) & set(of))
    return f"{hits}/{len(of)} {hits / max(len(of), 1):.0%}"


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="a manifest.csv or a folder")
    parser.add_argument("--task", choices=TASKS, help="plant in this task alone; default: half in each")
    parser.add_argument("--groups", action="store_true", help="plant in groups of two photos and more only")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[*TUNED_ON, *UNSEEN])
    parser.add_argument("--required", type=float, default=0.9, help="share to find with each seed, or exit with 1")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
