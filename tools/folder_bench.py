"""Many photos at once, on all cores: ``make bench ARGS='--only folders'``.

- ``triof classify`` of a list of photos on all cores against the same command on one core, in photos a second from the
  first to the last line of its output, so that its start does not count; medians of pairs.
- Its resident memory at the last photo against that after the first hundred.
- ``POST /api/v2/predict-batch`` with 16 photos against the same photos in 16 requests, one after the other, with the
  app in this process: medians of turns.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psutil

from tools.bench import Ratio, camera_jpeg, turns
from triof import services
from triof.access.api_keys import Keys
from triof.app import create_app
from triof.settings.sections.api import BATCH
from triof.settings.tree import Settings
from triof.storage import data_folder

_EARLY = 100


class FolderRun(NamedTuple):
    """One run of ``triof classify``; resident memory in MB."""

    per_second: float
    early_memory: float
    last_memory: float


def classify(photo: Path, count: int, cores: Collection[int]) -> FolderRun:
    """Classify ``photo`` ``count`` times in a process on ``cores``."""
    command = ["taskset", "-c", ",".join(map(str, cores)), sys.executable, "-m", "triof.cli", "classify", "-"]
    environ = {**os.environ, "TRIOF_HOME": str(photo.parent), "TRIOF_MODE": "local"}
    # A file, as a pipe holds fewer lines than the list has.
    photos = photo.parent / "photos.txt"
    photos.write_text(f"{photo}\n" * count)
    with photos.open() as listed, subprocess.Popen(command, stdin=listed, stdout=subprocess.PIPE, env=environ) as ran:
        assert ran.stdout
        process, early = psutil.Process(ran.pid), 0.0
        for number, _ in enumerate(ran.stdout, 1):
            if number == 1:
                began = time.perf_counter()
            elif number == _EARLY:
                early = process.memory_info().rss / 1e6
            elif number == count - 1:
                last = process.memory_info().rss / 1e6
        ended = time.perf_counter()
    return FolderRun((count - 1) / (ended - began), early, last)


def batch(rounds: int) -> Ratio:
    """A batch against single requests, in one process."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), mode="local", api={"per_minute": 1_000_000})
        data_folder.make(settings)
        with closing(services.build(settings)) as built:
            secret = Keys(built.journal.database, 1_000_000).create("bench", ["predict"])
            client = create_app(settings, built).test_client()
            headers, image = {"Authorization": f"Bearer {secret}"}, camera_jpeg()

            def single() -> None:
                for _ in range(BATCH):
                    client.post("/api/v2/predict", data=image, headers=headers, content_type="image/jpeg")

            def together() -> None:
                photos = {"image": [(BytesIO(image), f"{number}.jpg") for number in range(BATCH)]}
                answer = client.post("/api/v2/predict-batch", data=photos, headers=headers)
                assert answer.json
                assert all(item["prediction"] for item in answer.json["items"])

            ours, bare = turns(rounds, together, single)
    return Ratio(f"a batch of {BATCH} photos / {BATCH} requests", ours * 1000, bare * 1000, "ms", "<= 0.6")


def ratios(rounds: int) -> Iterator[Ratio]:
    """All cores against one, for a folder and for a batch."""
    cores = sorted(os.sched_getaffinity(0))
    yield batch(max(5, rounds // 10))
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "one.jpg"
        photo.write_bytes(camera_jpeg())
        count = max(2 * _EARLY, 5 * rounds)
        pairs = [(classify(photo, count, cores), classify(photo, count, cores[:1])) for _ in range(5)]
        long = classify(photo, 50 * rounds, cores)
    ours, bare = (median(pair[side].per_second for pair in pairs) for side in (0, 1))
    yield Ratio(f"triof classify, {len(cores)} cores / one", ours, bare, "photos/s", ">= 1.7")
    name = f"memory after {50 * rounds:,} photos / after {_EARLY}"
    yield Ratio(name, long.last_memory, long.early_memory, "MB", "<= 1.05")
