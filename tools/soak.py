"""Keep a kiosk busy for an hour and see whether it grows: ``.venv/bin/python -m tools.soak --minutes 60``.

A real ``triof kiosk`` on a home folder of its own gets photos by the API, so many a second, and a person who makes one
deposit after the other; every few seconds its memory, threads and open files are noted. What counts is the median of
the last tenth against that of the second tenth, when caches and threads are there: resident memory may have grown by
5 %. Exits with 1 if it has grown more, or if anything but answers came. Prints a line of JSON at the end; interrupted,
it tells what it has seen so far.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, NamedTuple

import psutil
import requests
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tools.bench import camera_jpeg
from tools.running_kiosk import QUICK, RunningKiosk
from tools.serving import key
from triof.common.image_files import pictures_in
from triof.common.paths import DEMO_PICTURES
from triof.drills.visitor import Visitor

_GROWTH = 1.05
_PAUSE_SECONDS = 2.0
"""Between two deposits."""


class Sample(NamedTuple):
    """The process at one moment; memory in megabytes."""

    memory: float
    threads: int
    files: int


class SoakLoad:
    """Those who ask, each in a thread of its own, until ended; ``seen`` counts what they were told."""

    def __init__(self, url: str, secret: str, per_second: float) -> None:
        self.seen = Counter[str]()
        self._url = url
        self._secret = secret
        self._pause = 1 / per_second
        self._ended = Event()
        self._threads = [Thread(target=self._ask), Thread(target=self._deposit)]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Ask nothing more, and finish the deposit under way."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        images = [camera_jpeg(), *(path.read_bytes() for path in pictures_in(DEMO_PICTURES))]
        headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": "image/jpeg"}
        with requests.Session() as session:
            while not self._ended.wait(self._pause):
                image = images[self.seen["photos 200"] % len(images)]
                answer = session.post(f"{self._url}/api/v2/predict", image, headers=headers, timeout=60)
                self.seen[f"photos {answer.status_code}"] += 1
                if self.seen["photos 200"] % 50 == 0:
                    self.seen[f"metrics {session.get(f'{self._url}/metrics', timeout=60).status_code}"] += 1

    def _deposit(self) -> None:
        person = Visitor(self._url)
        while not self._ended.wait(_PAUSE_SECONDS):
            person.press("/start")
            person.press("/waste/pick-type")
            if person.shown == "pick_type":
                # A type is always chosen, and sure of: what the machine thinks of it is not what is measured.
                person.press("/confirmation", waste_type="bottle", sure="1")
                if person.shown == "pick_type":
                    person.press("/confirmation", waste_type="bottle", sure="1")
                while person.shown == "sorting":
                    person.open("/confirmation")
            self.seen[f"deposits {person.shown}"] += 1
            person.press("/done")


def sample(process: psutil.Process) -> Sample:
    """What the process takes now."""
    return Sample(process.memory_info().rss / 1e6, process.num_threads(), process.num_fds())


def judged(samples: list[Sample], seen: Counter[str]) -> dict[str, Any]:
    """What came of it: the medians of the second and of the last tenth."""
    tenth = max(1, len(samples) // 10)
    parts = samples[tenth : 2 * tenth] or samples, samples[-tenth:]
    early, late = (Sample(*(median(column) for column in zip(*part, strict=True))) for part in parts)
    return {
        "samples": len(samples),
        "seen": dict(sorted(seen.items())),
        "early": early._asdict(),
        "late": late._asdict(),
        "growth": round(late.memory / early.memory, 4),
    }


def soak(minutes: float, per_second: float, seconds: float) -> dict[str, Any]:
    """Run it; Ctrl-C ends it early."""
    samples: list[Sample] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with TemporaryDirectory(prefix="triof-") as folder:
        secret = key(Path(folder))
        with RunningKiosk(Path(folder), QUICK) as kiosk, Progress(*columns) as progress:
            load = SoakLoad(kiosk.url, secret, per_second)
            load.start()
            process, bar = psutil.Process(kiosk.pid), progress.add_task("soak", total=minutes * 60)
            began = time.monotonic()
            try:
                while (passed := time.monotonic() - began) < minutes * 60:
                    time.sleep(seconds)
                    samples.append(sample(process))
                    now = samples[-1]
                    told = f"{now.memory:.1f} MB, {now.threads} threads, {now.files} files"
                    progress.update(bar, completed=passed, description=told)
            except KeyboardInterrupt:
                print("interrupted", file=sys.stderr)
            load.end()
    return judged(samples, load.seen)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--per-second", type=float, default=5, help="photos by the API, if the machine can")
    parser.add_argument("--every", type=float, default=5, help="seconds between two looks at the process")
    options = parser.parse_args()
    found = soak(options.minutes, options.per_second, options.every)
    print(json.dumps(found))
    told = {name for name in found["seen"] if name.split()[0] in ("photos", "metrics")}
    sys.exit(0 if found["growth"] <= _GROWTH and told <= {"photos 200", "metrics 200"} else 1)


if __name__ == "__main__":
    main()
