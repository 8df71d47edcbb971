"""What people notice when the cloud fails, and what the cloud notices of us: ``make bench``.

A fake of each cloud (Azure Custom Vision, Amazon Rekognition) on loopback fails in each of its ways while photos are
judged through real settings. Two ratios say what the cloud costs: while it is not asked, and while it answers. The
method of each number is in its function's docstring and in docs/measurements/resilience.md. Prints a table and writes
``resilience.json``.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from providers.base import Photo, Prediction, Task
from providers.custom_vision.options import CustomVisionOptions
from providers.custom_vision.provider import LIMITS
from providers.photo_encoding import fitted
from testing.aws.rekognition_server import RekognitionServer
from testing.azure.custom_vision_server import CustomVisionServer
from tools import bench
from triof import services
from triof.common.atomic_files import read_json
from triof.common.image_files import pictures_in
from triof.common.paths import DEMO_PICTURES
from triof.journal.journal import Journal
from triof.judging import photo as photos
from triof.judging.sorter import Judgement, Sorter
from triof.settings.loader import load
from triof.settings.tree import Settings
from triof.storage import data_folder
from triof.storage.tables import Event

CLOUD = "custom_vision"
MADE_UP = {"AWS_ACCESS_KEY_ID": "rehearsal", "AWS_SECRET_ACCESS_KEY": "rehearsal"}
"""What signs where TLS is spoken; the fakes know no other key."""
LATENCY = 0.1
"""Seconds the cloud takes when it is well."""
GRACE = 0.1
"""So many seconds beyond the deadline a question may take: this is no real-time system."""

SERVER = """
import json, sys
from testing.azure.custom_vision_server import CustomVisionServer
with CustomVisionServer() as server:
    server.latency = float(sys.argv[1])
    names = ("endpoint", "key", "project_id", "published_name")
    print(json.dumps({name: getattr(server, name) for name in names}), flush=True)
    sys.stdin.read()
"""


class FailureMode(NamedTuple):
    """One way to fail.

    ``rests``: for so many seconds after it the vendor does not want to be asked; ``after``: so many good answers.
    """

    name: str
    server: str | None
    stopped: bool = False
    tls: bool = False
    rests: float = 0.0
    after: int = 0
    settings: Mapping[str, str] = {}


IMPATIENT = {"TRIOF_BREAKER__OPEN_SECONDS": "0.5", "TRIOF_BREAKER__LONGEST_OPEN_SECONDS": "2"}
COMMON = (
    FailureMode("refused", None, stopped=True),
    FailureMode("silent", "silent"),
    FailureMode("silent, after 10 good answers", "silent", after=10),
    FailureMode("silent, probed every 0.5 to 2 s", "silent", settings=IMPATIENT),
    FailureMode("drip", "drip"),
    FailureMode("503 without a body", "empty_503"),
    FailureMode("a Wi-Fi's login page with 200", "html_200"),
    FailureMode("TLS not trusted", None, tls=True),
)


@dataclass(frozen=True)
class BenchedCloud:
    """A provider, its fake, the variables that lead to it, and all ways in which it fails."""

    name: str
    server: Callable[..., Any]
    variables: Callable[[Any], Mapping[str, str]]
    faults: tuple[FailureMode, ...]


def _azure(server: Any) -> Mapping[str, str]:
    return azure_variables(vars(server))


def _amazon(server: RekognitionServer) -> Mapping[str, str]:
    ours = {"WASTE_TYPE": server.arn, "ENDPOINT": server.endpoint, "CALLS_PER_SECOND": "1000"}
    return {f"TRIOF_REKOGNITION__{name}": value for name, value in ours.items()} | {
        "TRIOF_ROUTES__WASTE_TYPE": "rekognition,local_cnn"
    }


CLOUDS = (
    BenchedCloud(
        CLOUD,
        CustomVisionServer,
        _azure,
        (
            *COMMON,
            FailureMode("429", "rate_limited", rests=1.0),
            FailureMode("403 quota", "quota_403", rests=1_952_292.0),
        ),
    ),
    BenchedCloud(
        "rekognition",
        RekognitionServer,
        _amazon,
        (
            *COMMON,
            FailureMode("throttled", "throttled", rests=1.0),
            FailureMode("a limit of the account", "limit", rests=3600.0),
            FailureMode("the model does not run", "not_ready", rests=60.0),
        ),
    ),
)


@dataclass(frozen=True)
class ResilienceResult:
    """One line of the table. Times in seconds, the worst of all photos."""

    cloud: str
    fault: str
    photos: int
    decided: int
    """Photos of which both questions were answered."""
    deadline: float
    question: float
    """Of ``waste_type``, the one that goes to the cloud."""
    judgement: float
    asked: int
    """Requests and connections that reached the server, or would have if there were one."""
    in_vain: int
    """Of these: while the breaker was open, or the vendor had told us to wait."""
    opened: int
    """How often the journal says that the breaker opened."""

    @property
    def met(self) -> bool:
        """Whether everything is as it should be; a fault that nothing ran into proves nothing."""
        in_time = self.question <= self.deadline + GRACE
        return self.decided == self.photos and in_time and self.asked > 0 and not self.in_vain


@dataclass
class Observer:
    """Judges photos and counts what reaches the server meanwhile."""

    sorter: Sorter
    server: Any
    cloud: str
    home: Path
    rests: float
    decided: int = 0
    asked: int = 0
    in_vain: int = 0
    questions: list[float] = field(default_factory=list)
    judgements: list[float] = field(default_factory=list)
    _rests_until: float = 0.0

    def judge(self, image: bytes) -> None:
        """Judge one photo."""
        started, quiet_until, before = time.time(), self._quiet_until(), self._knocks()
        judgement = self.sorter.judge(image)
        told = _asked(judgement, self.cloud)
        asked = max(*(after - was for after, was in zip(self._knocks(), before, strict=True)), told)
        if asked and self.rests:
            self._rests_until = started + self.rests
        self.decided += not judgement.unanswered
        self.asked += asked
        # Where the time was up only meanwhile, it was a probe.
        self.in_vain += asked if time.time() < quiet_until else 0
        self.judgements.append(judgement.duration)

    def late(self) -> None:
        """Count what comes when nobody is asking any more."""
        before = self._knocks()
        time.sleep(0.3)
        late = max(after - was for after, was in zip(self._knocks(), before, strict=True))
        self.asked += late
        self.in_vain += late

    @contextmanager
    def stopwatch(self) -> Iterator[None]:
        """Time every question that goes to the cloud."""
        predict = self.sorter.router.predict

        def timed(photo: Photo, task: Task, *others: Any, **options: Any) -> Prediction:
            started = time.perf_counter()
            try:
                return predict(photo, task, *others, **options)
            finally:
                if task == "waste_type":
                    self.questions.append(time.perf_counter() - started)

        with mock.patch.object(self.sorter.router, "predict", timed):
            yield

    def _knocks(self) -> tuple[int, int]:
        # A kept connection carries many requests, and a refused certificate a connection without any.
        return self.server.received, self.server.connections

    def _quiet_until(self) -> float:
        kept = read_json(self.home / f"breaker-{self.cloud}.json")
        return max(self._rests_until, float(kept["until"]) if kept.get("state") == "open" else 0.0)


def _asked(judgement: Judgement, cloud: str) -> int:
    """Whether the router says that it asked and failed: a stopped server counts nothing."""
    attempts = judgement.predictions["waste_type"].attempts if "waste_type" in judgement.predictions else ()
    return sum(
        each.provider == cloud and each.outcome == "ProviderUnavailable" and not each.message.startswith("not asked")
        for each in attempts
    )


def azure_variables(server: Mapping[str, str]) -> Mapping[str, str]:
    """What leads to the fake of Azure; our own limit a second is not what is measured."""
    cloud = {
        "PREDICTION_ENDPOINT": server["endpoint"],
        "PREDICTION_KEY": server["key"],
        "PROJECT_ID": server["project_id"],
        "PUBLISHED_NAME": server["published_name"],
        "CALLS_PER_SECOND": "1000",
    }
    return {f"TRIOF_CUSTOM_VISION__{name}": value for name, value in cloud.items()}


def settings_for(folder: str, variables: Mapping[str, str], **more: str) -> Settings:
    """The settings of a machine that is new but for its cloud."""
    return load(environ={"TRIOF_HOME": folder, **variables, **more}, env_file=Path(folder, "no.env")).settings


@contextmanager
def machine(settings: Settings) -> Iterator[tuple[Sorter, Callable[[], int]]]:
    """A sorter, started as the kiosk starts it, and how often its journal says that the breaker opened."""
    from sqlalchemy import func, select

    journal = Journal(data_folder.open_database(settings))
    sorter = services.build_sorter(settings, journal=lambda: journal)

    def opened() -> int:
        with journal.database.read() as connection:
            return connection.scalar(select(func.count()).where(Event.kind == "breaker.opened")) or 0

    try:
        list(sorter.router.problems())
        yield sorter, opened
    finally:
        sorter.close()
        journal.database.close()


def under(cloud: BenchedCloud, fault: FailureMode, rounds: int) -> ResilienceResult:
    """Judge the demo pictures in turn, ``rounds`` photos, on a fresh home folder; the fault begins after the start."""
    images = [path.read_bytes() for path in pictures_in(DEMO_PICTURES)]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(mock.patch.dict(os.environ, MADE_UP))
        server = stack.enter_context(cloud.server(tls=fault.tls))
        settings = settings_for(folder, cloud.variables(server), **fault.settings)
        sorter, opened = stack.enter_context(machine(settings))
        for _ in range(fault.after):
            sorter.judge(images[0])
        observer = Observer(sorter, server, cloud.name, settings.home, fault.rests)
        stack.enter_context(observer.stopwatch())
        server.fault = fault.server
        if fault.stopped:
            server.stop()
        for number in range(rounds):
            observer.judge(images[number % len(images)])
        observer.late()
        return ResilienceResult(
            cloud.name,
            fault.name,
            rounds,
            observer.decided,
            settings.deadline_seconds,
            max(observer.questions),
            max(observer.judgements),
            observer.asked,
            observer.in_vain,
            opened(),
        )


def unasked(rounds: int) -> bench.Ratio:
    """``Sorter.judge`` in mode auto with an open breaker against mode local, 1280 x 720 JPEG, turn by turn."""
    image = bench.camera_jpeg()
    # Open for longer than the measurement takes.
    patient = {"TRIOF_BREAKER__OPEN_SECONDS": "300"}
    with ExitStack() as stack:
        server = stack.enter_context(CustomVisionServer())
        sorters = []
        for mode in ("auto", "local"):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            settings = settings_for(folder, azure_variables(vars(server)), TRIOF_MODE=mode, **patient)
            sorter, _ = stack.enter_context(machine(settings))
            sorters.append(sorter)
            if mode == "auto":
                server.stop()
                for _ in range(settings.breaker.window_calls):
                    sorter.judge(image)
        ours, bare = bench.turns(rounds, *(lambda sorter=sorter: sorter.judge(image) for sorter in sorters))
        attempt = sorters[0].judge(image).predictions["waste_type"].attempts[0]
    if attempt.outcome != "BreakerOpen":
        raise RuntimeError(f"the breaker did not stay open: {attempt}")
    return bench.Ratio("judge, breaker open / mode local", ours * 1000, bare * 1000, "ms", "<= 1.05")


def healthy(rounds: int) -> bench.Ratio:
    """``Router.predict`` of the waste type against the SDK's call alone, the same bytes, turn by turn.

    The cloud answers after 0.1 s, from a process of its own. Ours encodes the photo, counts the call in the ledger and
    asks the local model beside the cloud; the bare call gets the encoded bytes.
    """
    command = [sys.executable, "-c", SERVER, str(LATENCY)]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        assert process.stdin
        assert process.stdout
        stack.callback(process.stdin.close)
        settings = settings_for(folder, azure_variables(json.loads(process.stdout.readline())))
        sorter, _ = stack.enter_context(machine(settings))
        photo = photos.load(bench.camera_jpeg(), needed_side=sorter.router.needed_side)

        def ours() -> None:
            # A copy, because a photo keeps what it has resized once.
            prediction = sorter.router.predict(replace(photo, _resized={}), "waste_type")
            if prediction.provider != CLOUD:
                raise RuntimeError(f"the cloud did not answer: {prediction.attempts}")

        bare = bare_call(settings.custom_vision, fitted(photo.picture, settings.custom_vision.side, LIMITS))
        slow, fast = bench.turns(rounds, ours, bare)
    return bench.Ratio("predict, cloud well / bare SDK call", slow * 1000, fast * 1000, "ms", "<= 1.10")


def bare_call(options: CustomVisionOptions, jpeg: bytes) -> Callable[[], object]:
    """The vendor's SDK as Triof sets it up: no retries, no redirections, both timeouts."""
    from azure.cognitiveservices.vision.customvision.prediction import CustomVisionPredictionClient
    from msrest.authentication import ApiKeyCredentials

    endpoint, key, project_id, published_name = options.check()
    client: Any = CustomVisionPredictionClient(endpoint, ApiKeyCredentials(in_headers={"Prediction-key": str(key)}))
    retries = client.config.retry_policy.policy
    retries.total = retries.connect = retries.read = retries.status = retries.other = retries.redirect = 0
    client.config.connection.timeout = options.connect_seconds, Settings().cloud_seconds
    return lambda: client.classify_image_with_no_store(project_id, published_name, jpeg, allow_redirects=False)


def shown(outcome: ResilienceResult) -> dict[str, Any]:
    """The outcome, as it goes into the report; prints its line of the table."""
    print(
        f"{'ok  ' if outcome.met else 'MISS'} {outcome.cloud:<13} {outcome.fault:<31}"
        f"   decided {outcome.decided} of {outcome.photos}"
        f"   worst question {outcome.question:.2f} s (goal <= {outcome.deadline + GRACE:.1f})"
        f"   judgement {outcome.judgement:.2f} s   asked {outcome.asked:>2}, in vain {outcome.in_vain} (goal 0)",
        flush=True,
    )
    return {**asdict(outcome), "met": outcome.met}


@contextmanager
def _log_to_nowhere() -> Iterator[None]:
    """Written as the kiosk writes it, which takes its time too, and read by nobody."""
    with Path(os.devnull).open("w") as nowhere:
        handler = logging.StreamHandler(nowhere)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        with mock.patch.object(logging.getLogger(), "handlers", [handler]):
            yield


def report(rounds: int, out: Path = Path("resilience.json"), clouds: Sequence[BenchedCloud] = CLOUDS) -> None:
    """Measure everything, print the table, and write ``out``."""
    with _log_to_nowhere():
        outcomes = [shown(under(cloud, fault, rounds)) for cloud in clouds for fault in cloud.faults]
        ratios = [bench.shown(measure(rounds)) for measure in (unasked, healthy)]
    out.write_text(json.dumps({"faults": outcomes, "ratios": ratios}, indent=2) + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="photos a fault, and turns a ratio")
    parser.add_argument("--out", type=Path, default=Path("resilience.json"))
    parser.add_argument("--cloud", choices=[cloud.name for cloud in CLOUDS], help="only this one (default: all)")
    options = parser.parse_args()
    report(options.rounds, options.out, [cloud for cloud in CLOUDS if options.cloud in (None, cloud.name)])


if __name__ == "__main__":
    main()
