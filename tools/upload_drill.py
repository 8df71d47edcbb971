"""Kill ``triof azure upload`` 20 times, cut its network, count what was sent twice or refused: ``make upload-drill``.

The command is a process of its own and is killed with SIGKILL when one of its requests has come, before or after it was
carried out; the next life goes on. The cloud is the strict service of the tests, which once refuses ``$filter``.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image

from providers.custom_vision.options import CustomVisionOptions
from providers.custom_vision.trainer import Trainer
from testing.azure.training_server import TrainingServer

Filters = Literal["both", "refused"]
TAGS = {"bottle": "bouteille", "cup": "gobelet", "cutlery": "couvert", "other": "Negative"}
STORE = "/images/files"
MOST_LIVES = 10
"""After the last kill it must be done in so many."""


@dataclass(frozen=True)
class UploadDrillResult:
    """What came of one drill."""

    filters: Filters
    photos: int
    lives: int
    requests: int
    arrived: int
    twice: int
    """Photos that came again, whether or not the service knew them."""
    refused: int
    """Requests that were answered with 400 to 499."""
    most_in_a_second: int
    violations: int
    seconds: float

    @property
    def well(self) -> bool:
        """Whether every photo has arrived once, and nothing was refused."""
        return self.arrived == self.photos and not (self.twice or self.refused or self.violations)


def photos_in(folder: Path, count: int, side: int) -> None:
    """So many different photos of noise, which stay as large as they are, in folders of their labels."""
    for number in range(count):
        place = folder / list(TAGS)[number % len(TAGS)]
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.frombytes("RGB", (side, side), random.Random(number).randbytes(3 * side * side))
        buffer = BytesIO()
        picture.save(buffer, "JPEG", quality=80)
        (place / f"{number:05}.jpg").write_bytes(buffer.getvalue())


class _Killer:
    """Kills the process that has made a chosen request, and is told when the answer to it would leave."""

    def __init__(self, azure: TrainingServer, seed: int) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._left = 0
        self._late = self._any = False
        azure.on_request = lambda _, path: self._meet(path, late=False)
        azure.after_store = lambda _: self._meet(STORE, late=True)

    def arm(self, process: subprocess.Popen[str]) -> None:
        """Choose one of the next requests that store photos, or any of the first ones, and kill at it."""
        with self._lock:
            self._process = process
            self._late = self._random.random() < 0.5
            self._left = self._random.randint(1, 3)
            self._any = not self._late and self._random.random() < 0.3

    def disarm(self) -> None:
        """Kill nothing any more."""
        with self._lock:
            self._process = None

    def _meet(self, path: str, *, late: bool) -> None:
        with self._lock:
            if not self._process or late is not self._late or not (self._any or path.endswith(STORE)):
                return
            self._left -= 1
            if self._left == 0:
                self._process.kill()
                self._process = None


def drill(
    filters: Filters,
    photos: int,
    kills: int,
    *,
    rate: int = 10,
    side: int = 200,
    seed: int = 1,
    cut_seconds: float = 2.0,
) -> UploadDrillResult:
    """One upload with so many kills and, after them, one cut of the network."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as place, TrainingServer(tier="S0", rate_per_second=rate) as azure:
        folder = Path(place)
        photos_in(folder / "photos", photos, side)
        environ = _set_up(azure, folder)
        azure.filters = filters
        azure.refused = 0
        killer = _Killer(azure, seed)
        lives = sum(1 for _ in _lives(folder, environ, kills, killer.arm))
        killer.disarm()
        cut = threading.Event()
        azure.after_store = lambda _: cut.set()
        process = _begin(folder, environ)
        while process.poll() is None and not cut.wait(0.1):
            pass
        if cut.is_set():
            azure.stop()
            time.sleep(cut_seconds)
            azure.start()
        ended = process.wait(300)
        while ended and lives < kills + MOST_LIVES:
            lives += 1
            ended = _begin(folder, environ).wait(300)
        sent = [photo.times_sent for photo in azure.photos.values()]
        return UploadDrillResult(
            filters=filters,
            photos=photos,
            lives=lives + 1,
            requests=azure.received,
            arrived=len(sent),
            twice=sum(times - 1 for times in sent),
            refused=azure.refused,
            most_in_a_second=azure.peak_per_second,
            violations=len(azure.violations),
            seconds=time.monotonic() - started,
        )


def _lives(
    folder: Path, environ: dict[str, str], kills: int, arm: Callable[[subprocess.Popen[str]], None]
) -> Iterator[int]:
    for life in range(kills):
        process = _begin(folder, environ)
        arm(process)
        process.wait(300)
        yield life


def _begin(folder: Path, environ: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "triof.cli", "azure", "upload", str(folder / "photos"), "--split", "all"]
    return subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)


def _set_up(azure: TrainingServer, folder: Path) -> dict[str, str]:
    """An empty project, and the environment in which the command finds it."""
    resource = {"training_endpoint": azure.endpoint, "training_key": azure.training_key, "training_tier": "S0"}
    trainer = Trainer(CustomVisionOptions.model_validate(resource))
    project = trainer.create_project("drill")
    for tag in TAGS.values():
        trainer.create_tag(project.id, tag, negative=tag == "Negative")
    trainer.close()
    # Several uploads even of the few small photos of a test, so that kill and cut fall between some.
    given = resource | {"project_id": project.id, "training_batch_bytes": "150000"}
    ours = {f"TRIOF_CUSTOM_VISION__{name.upper()}": value for name, value in given.items()}
    return {**os.environ, **ours, "TRIOF_HOME": str(folder / "home")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--photos", type=int, default=800)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print("| `$filter` | photos | lives | requests | arrived | sent twice | refused | most a second | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    well = True
    for filters in ("refused", "both"):
        came = drill(filters, given.photos, given.kills, seed=given.seed)
        well = well and came.well
        print(
            f"| {'allowed' if filters == 'both' else filters} | {came.photos} | {came.lives} | {came.requests:,} |"
            f" {came.arrived} | {came.twice} | {came.refused} | {came.most_in_a_second} | {came.seconds:.0f} |",
            flush=True,
        )
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
