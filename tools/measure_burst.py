"""Measures what a burst of three frames gains over one: the first frame, the sharpest, averaged probabilities.

Bursts are made from labelled photos of the split ``val``: each frame has its own motion blur, exposure and noise, as an
item that still rolls, a camera whose exposure still changes, and too little light give them. Prints the tables of
docs/measurements/cameras.md.
"""

import argparse
import csv
import random
import sys
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from providers.base import LABELS, TASKS, Task
from tools.labelled_photos import DATA, need
from triof import services
from triof.judging.sorter import Sorter
from triof.machine.cameras.burst import sharpness
from triof.machine.cameras.frame import from_jpeg
from triof.settings.tree import Settings

FRAMES = 3
_WIDTH = 640

Levels = NDArray[np.float32]


class Disturbance(NamedTuple):
    """Largest disturbances: ``motion`` in pixels of 640, ``stops`` of exposure, ``noise`` in grey levels."""

    motion: float = 0
    stops: float = 0
    noise: float = 0


DISTURBANCES = {
    "none": Disturbance(),
    "motion blur, up to 40 pixels": Disturbance(motion=40),
    "exposure, up to 2 stops": Disturbance(stops=2),
    "noise, up to 40 levels": Disturbance(noise=40),
    "all three, half as strong": Disturbance(20, 1, 20),
}


class BurstPhoto(NamedTuple):
    """A labelled photo."""

    path: Path
    labels: Mapping[Task, str]


class Answer(NamedTuple):
    """The scores of one frame, and its sharpness: as the camera layer measures it, and as a share of its variance."""

    scores: Mapping[Task, Mapping[str, float]]
    sharpness: float
    relative: float


def photos(count: int) -> list[BurstPhoto]:
    """A sample of the labelled photos."""
    with (DATA / "all.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    return [
        BurstPhoto(
            DATA / row["path"],
            {
                "waste_type": "other" if row["waste_type"] == "negative" else row["waste_type"],
                "cleanliness": row["cleanliness"],
            },
        )
        for row in random.Random(2).sample(rows, count)
    ]


def _averaged(levels: Levels, down: int, across: int) -> Levels:
    """The mean over a box of so many pixels, which an item moving evenly leaves; the borders are lost."""
    sums = np.cumsum(np.cumsum(np.pad(levels, ((1, 0), (1, 0), (0, 0))), axis=0, dtype=np.float64), axis=1)
    boxes = sums[down:, across:] - sums[:-down, across:] - sums[down:, :-across] + sums[:-down, :-across]
    return np.asarray(boxes / (down * across), np.float32)


def disturbed(levels: Levels, most: Disturbance, rng: np.random.Generator) -> Levels:
    """One frame; how much of each disturbance it has is drawn evenly up to the most."""
    length = round(rng.uniform(0, most.motion))
    if length > 1:
        levels = _averaged(levels, *((length, 1) if rng.integers(2) else (1, length)))
    levels = levels * 2 ** rng.uniform(-most.stops, most.stops)
    return np.asarray(levels + rng.normal(0, rng.uniform(0, most.noise) + 1e-9, levels.shape), np.float32)


def burst(photo: BurstPhoto, most: Disturbance, seed: int) -> list[bytes]:
    """The frames of a burst, as JPEGs."""
    picture = Image.open(photo.path).convert("RGB")
    picture = picture.resize((_WIDTH, max(64, round(picture.height * _WIDTH / picture.width))))
    levels, rng = np.asarray(picture, np.float32), np.random.default_rng(seed)
    frames = []
    for _ in range(FRAMES):
        buffer = BytesIO()
        pixels = np.clip(disturbed(levels, most, rng), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(buffer, "JPEG", quality=92)
        frames.append(buffer.getvalue())
    return frames


def answers(sorter: Sorter, frames: Sequence[bytes]) -> list[Answer]:
    """What the machine's models say about each frame."""
    heard = []
    for frame in frames:
        grey = from_jpeg(frame).grey
        scores = {task: prediction.scores for task, prediction in sorter.judge(frame).predictions.items()}
        heard.append(Answer(scores, sharpness(grey), sharpness(grey) / max(float(grey.var()), 1)))
    return heard


def _mean(chosen: Sequence[Answer], task: Task) -> Mapping[str, float]:
    return {label: fmean(answer.scores[task][label] for answer in chosen) for label in LABELS[task]}


def chosen_by(way: str, heard: Sequence[Answer]) -> Sequence[Answer]:
    """The frames of which a way takes the mean."""
    ordered = sorted(heard, key=lambda answer: answer.sharpness)
    relative = max(heard, key=lambda answer: answer.relative)
    return dict(zip(WAYS, (heard[:1], ordered[-1:], [relative], heard, ordered[1:]), strict=True))[way]


WAYS = ("first", "sharpest", "sharpest for its contrast", "mean", "mean without the softest")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=200)
    options = parser.parse_args()
    need(DATA)
    sorter = services.build_sorter(Settings(mode="local"))
    sample = photos(options.photos)
    print(f"| bursts with | task | {' | '.join(WAYS)} |\n|---|---|{'---|' * len(WAYS)}")
    for name, most in DISTURBANCES.items():
        heard = [answers(sorter, burst(photo, most, seed)) for seed, photo in enumerate(sample)]
        for task in TASKS:
            known = [
                (photo, each) for photo, each in zip(sample, heard, strict=True) if photo.labels[task] in LABELS[task]
            ]
            shares = []
            for way in WAYS:
                means = [(photo.labels[task], _mean(chosen_by(way, each), task)) for photo, each in known]
                shares.append(fmean(max(mean, key=mean.__getitem__) == label for label, mean in means))
            print(f"| {name} | {task} | {' | '.join(f'{share:.3f}' for share in shares)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
