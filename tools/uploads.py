"""What bringing photos to the cloud costs beyond the bare requests: part of ``make bench`` (ARGS='--only uploads').

The service is the strict one of the tests, in a process of its own on loopback, with the pace of a tier. Ours and the
bare side send the very same requests: first ours, and what it sent is what the bare side sends again.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import requests

from providers.custom_vision.options import CustomVisionOptions
from providers.custom_vision.records import Tag
from providers.custom_vision.trainer import Trainer
from providers.custom_vision.upload_matching import UploadPhoto
from providers.text_files import plain
from tools import bench
from tools.bench import Ratio
from tools.labelled_photos import DATA
from triof.azure.upload import Upload
from triof.azure.upload_ledger import UploadLedger
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import LabelledPhoto
from triof.settings.tree import Settings
from triof.storage import data_folder

PHOTOS, FEW_PHOTOS = 3000, 500
RATES = (2, 10)
"""What users of F0 report, and what the vendor's table says."""

SERVER = """
import json, sys
from testing.azure.training_server import TrainingServer
with TrainingServer(tier="S0", rate_per_second=int(sys.argv[1]) or None) as azure:
    print(json.dumps([azure.endpoint, azure.training_key, azure.prediction_resource_id]), flush=True)
    sys.stdin.read()
    sent = [photo.times_sent for photo in azure.photos.values()]
    print(json.dumps([len(sent), max(sent, default=0), azure.peak_per_second, azure.violations[:3]]), flush=True)
"""


@dataclass
class Service:
    """A running service, and the project in it."""

    options: CustomVisionOptions
    told: tuple[int, int, int, list[str]] = (0, 0, 0, [])
    """Once it has ended: photos, how often the most frequent one was sent, most calls in a second, violations."""


@contextmanager
def service(rate: int) -> Iterator[Service]:
    """The strict service with an empty project, which allows ``rate`` calls a second; 0: any number."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", SERVER, str(rate)], **pipes) as process:
        assert process.stdin
        assert process.stdout
        endpoint, key, resource = json.loads(process.stdout.readline())
        given = {"training_endpoint": endpoint, "training_key": key, "prediction_resource_id": resource}
        options = CustomVisionOptions.model_validate(
            {**given, "training_tier": "S0", "training_calls_per_second": rate or None}
        )
        trainer = Trainer(options)
        project = trainer.create_project("bench")
        for name in ("bouteille", "gobelet", "couvert", "Negative"):
            trainer.create_tag(project.id, name, negative=name == "Negative")
        trainer.close()
        running = Service(CustomVisionOptions.model_validate({**options.model_dump(), "project_id": project.id}))
        # What setting up has asked for must not count.
        time.sleep(1.1)
        try:
            yield running
        finally:
            process.stdin.close()
            running.told = tuple(json.loads(process.stdout.readline()))


def labelled(count: int) -> list[LabelledPhoto]:
    """So many photos of the real data, of all kinds."""
    found = [item for item in photo_dataset.read(DATA).photos if "waste_type" in item.labels]
    return [found[position * len(found) // count] for position in range(count)]


class _RecordingTrainer(Trainer):
    """Keeps what it sends, for the bare side to send again."""

    def __init__(self, options: CustomVisionOptions) -> None:
        super().__init__(options)
        self.requests: list[list[UploadPhoto]] = []

    def store(self, batch: str, photos: Any, since: Any = None) -> Any:
        self.requests.append(list(photos))
        return super().store(batch, photos, since)


def ours(options: CustomVisionOptions, items: list[LabelledPhoto]) -> tuple[float, list[list[UploadPhoto]]]:
    """Seconds of an upload with all that belongs to it: reading, hashing, decoding, ledger; and what it sent."""
    trainer = _RecordingTrainer(options)
    by_label: dict[str, Tag] = {trainer.options.tags[plain(tag.name)]: tag for tag in trainer.tags()}
    time.sleep(1.1)
    with tempfile.TemporaryDirectory() as folder, data_folder.database(Settings(home=Path(folder))) as database:
        run = Upload(trainer, UploadLedger(database, trainer.project_id))
        seconds = bench.seconds(lambda: run.run((item, by_label[item.labels["waste_type"]]) for item in items))
    trainer.close()
    assert run.report.sent.total() > len(items) * 0.9, run.report
    return seconds, trainer.requests


def bare(options: CustomVisionOptions, sent: list[list[UploadPhoto]], rate: int) -> float:
    """Seconds of the same requests, their bodies ready, posted by as many threads at the same rate."""
    import base64

    address = (
        f"{options.training_endpoint}/customvision/v3.4-preview/training/projects/{options.project_id}/images/files"
    )
    assert options.training_key
    headers = {"Training-key": options.training_key.get_secret_value(), "Content-Type": "application/json"}
    tags = {tag.name: tag.id for tag in Trainer(options).tags()}
    bodies = [
        json.dumps(
            {
                "images": [
                    {
                        "name": photo.name,
                        "contents": base64.b64encode(photo.image).decode(),
                        # The tags of another project are unknown in this one.
                        "tagIds": [next(iter(tags.values()))],
                    }
                    for photo in request
                ]
            }
        ).encode()
        for request in sent
    ]
    time.sleep(1.1)
    lock, next_at = Lock(), [time.perf_counter()]
    session = requests.Session()

    def post(body: bytes) -> None:
        with lock:
            time.sleep(max(0.0, next_at[0] - time.perf_counter()))
            next_at[0] = time.perf_counter() + 1 / rate
        answer = session.post(address, data=body, headers=headers, timeout=60)
        answer.raise_for_status()

    def run() -> None:
        with ThreadPoolExecutor(min(8, rate)) as pool:
            list(pool.map(post, bodies))

    return bench.seconds(run)


def throughput(rate: int) -> Ratio:
    """Photos a second of an upload against the same requests sent bare at the same rate limit."""
    items = labelled(PHOTOS)
    with service(rate) as running:
        our_seconds, sent = ours(running.options, items)
    photos, times, peak, violations = running.told
    print(
        f"     {photos} photos, each sent {times} time(s), at most {peak} calls in any second, violations {violations}"
    )
    # The bare side leaves no room for a call that arrives early, which the strict service would refuse.
    with service(0) as running:
        bare_seconds = bare(running.options, sent, rate)
    count = sum(map(len, sent))
    name = f"upload / bare requests, {rate} calls a second"
    return Ratio(name, count / our_seconds, count / bare_seconds, "photos/s", ">= 0.95")


def memory() -> Ratio:
    """Peak memory of ``triof azure upload`` with many photos against few."""
    return Ratio(
        f"upload's peak memory, {PHOTOS} / {FEW_PHOTOS} photos", _peak(PHOTOS), _peak(FEW_PHOTOS), "MB", "<= 1.05"
    )


def _peak(count: int) -> float:
    items = labelled(count)
    with tempfile.TemporaryDirectory() as folder, service(10) as running:
        photo_dataset.write(Path(folder) / "manifest.csv", items)
        options = running.options
        assert options.training_key
        ours = {
            "TRIOF_HOME": folder,
            "TRIOF_CUSTOM_VISION__TRAINING_ENDPOINT": options.training_endpoint,
            "TRIOF_CUSTOM_VISION__TRAINING_KEY": options.training_key.get_secret_value(),
            "TRIOF_CUSTOM_VISION__TRAINING_TIER": "S0",
            "TRIOF_CUSTOM_VISION__PROJECT_ID": str(options.project_id),
        }
        command = ["-m", "triof.cli", "azure", "upload", f"{folder}/manifest.csv", "--split", "all"]
        launched = [sys.executable, "-c", bench.LAUNCHER, sys.executable, *command]
        environ = {**os.environ, **{name: str(value) for name, value in ours.items()}}
        ended = subprocess.run(launched, env=environ, check=True, capture_output=True, text=True)
        return int(ended.stderr.split()[-1]) / 1000


def ratios() -> Iterator[Ratio]:
    """Every ratio of this module."""
    yield memory()
    for rate in RATES:
        yield throughput(rate)
