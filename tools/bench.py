"""Speed and memory as ratios within one run: ``make bench``.

Every ratio compares Triof with the least that could do the same work, measured turn by turn in the same run, so that
a slow or busy machine changes both sides alike. Medians; the method of each is in its function's docstring and in
docs/measurements/bench.md. Prints a table and writes ``bench.json``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import numpy as np
import psutil
from PIL import Image

from providers.base import TASKS
from providers.local_cnn import bundle
from providers.local_cnn.options import shipped
from tools.labelled_photos import missing
from triof import services
from triof.common.image_files import pictures_in
from triof.common.paths import DEMO_PICTURES
from triof.judging import photo as photos
from triof.judging.sorter import Sorter
from triof.settings.tree import Settings

TRAYS = Path(__file__).parent / "trays"
BARE = """
import sys
from io import BytesIO
import numpy as np
from PIL import Image
from ai_edge_litert.interpreter import Interpreter
models = [Interpreter(model_path=path, num_threads=1) for path in sys.argv[2:]]
for model in models:
    model.allocate_tensors()
picture = Image.open(BytesIO(open(sys.argv[1], "rb").read()))
picture.draft("RGB", (224, 224))
picture = picture.convert("RGB")
for model in models:
    tensor = model.get_input_details()[0]
    _, height, width, _ = tensor["shape"]
    model.set_tensor(tensor["index"], np.asarray(picture.resize((width, height)), np.float32)[None])
    model.invoke()
    print(model.get_tensor(model.get_output_details()[0]["index"]))
"""

LAUNCHER = """
import os, sys, time
started = time.perf_counter()
nowhere = os.open(os.devnull, os.O_WRONLY)
files = [(os.POSIX_SPAWN_DUP2, nowhere, 1), (os.POSIX_SPAWN_DUP2, nowhere, 2)]
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=files), 0)
print(time.perf_counter() - started, usage.ru_maxrss, file=sys.stderr)
sys.exit(bool(status))
"""


@dataclass(frozen=True)
class Ratio:
    """One line of the table. ``ours`` and ``bare`` in ``unit``; the goal bounds ours / bare."""

    name: str
    ours: float
    bare: float
    unit: str
    goal: str

    @property
    def value(self) -> float:
        """Ours over bare."""
        return self.ours / self.bare

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        sign, number = self.goal.split()
        return self.value <= float(number) if sign == "<=" else self.value >= float(number)


def seconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def turns(rounds: int, *calls: Callable[[], object]) -> list[float]:
    """The median seconds of each call, taken in turns."""
    for call in calls:
        call()
    return [median(column) for column in zip(*([seconds(call) for call in calls] for _ in range(rounds)), strict=True)]


def camera_jpeg(width: int = 1280, height: int = 720) -> bytes:
    """A demo picture as the camera would send it, a JPEG; or as one of so many pixels would."""
    return encoded(Image.open(pictures_in(DEMO_PICTURES)[0]).convert("RGB").resize((width, height)))


def encoded(picture: Image.Image) -> bytes:
    """A JPEG as cameras make them."""
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def bare_pipeline(image: bytes, *, resizing: bool = False) -> Callable[[], object]:
    """The decode and the interpreter call of each model, and nothing else: the tensors are ready-made.

    With ``resizing`` the calls get the photo, at the size that each model reads.
    """
    from ai_edge_litert.interpreter import Interpreter

    folders = dict.fromkeys(shipped(task) for task in TASKS)
    models = [Interpreter(str(folder / bundle.MODEL_FILE), num_threads=1) for folder in folders]
    for model in models:
        model.allocate_tensors()
    inputs = [model.get_input_details()[0] for model in models]
    tensors = [(np.random.default_rng(0).random(tensor["shape"]) * 255).astype(np.float32) for tensor in inputs]

    def run() -> None:
        picture = Image.open(BytesIO(image))
        picture.draft("RGB", (224, 224))
        picture.load()
        for model, tensor, values in zip(models, inputs, tensors, strict=True):
            if resizing:
                values[0] = picture.resize(values.shape[2:0:-1], Image.Resampling.BILINEAR)
            model.set_tensor(tensor["index"], values)
            model.invoke()

    return run


def verdict(rounds: int) -> Ratio:
    """``Sorter.judge`` (bytes in, both tasks, verdict out) against decoding and invoking alone, 1280 x 720 JPEG.

    The bare side neither resizes nor hashes nor calibrates: its tensors are ready-made.
    """
    image = camera_jpeg()
    sorter = services.build_sorter(Settings())
    ours, bare = turns(rounds, lambda: sorter.judge(image), bare_pipeline(image))
    return Ratio("verdict / (decode + 2 interpreter calls)", ours * 1000, bare * 1000, "ms", "<= 1.25")


def cut(rounds: int) -> list[Ratio]:
    """``Sorter.judge`` of a photo of the machine's camera, 1280 x 720, with a reference of the empty slot and without.

    The small item is decoded again at the full scale, the large one is not.
    """
    from triof.judging.slot_view import SlotView
    from triof.machine.reference_store import SlotReference
    from triof.settings.sections.photo import SlotViewSettings

    tray = Image.open(TRAYS / "above.jpg").convert("RGB").resize((1280, 720))
    reference = SlotReference(tray, "bench", *tray.size, None)
    router = services.build_router(Settings(mode="local"))
    view = SlotView(SlotViewSettings(), lambda: [reference])
    whole, with_cut = Sorter(router, Settings().policy), Sorter(router, Settings().policy, slot_view=view)
    found = []
    for name, side in (("small", 180), ("large", 520)):
        picture = tray.copy()
        picture.paste(
            Image.open(DEMO_PICTURES / "cup-clean-2.jpg").crop((240, 60, 720, 560)).resize((side, side)), (420, 120)
        )
        ours, bare = turns(
            rounds, *(partial(judge, encoded(picture), uuid4()) for judge in (with_cut.judge, whole.judge))
        )
        found.append(Ratio(f"verdict on the cut / on the whole, {name} item", ours * 1000, bare * 1000, "ms", "<= 1.3"))
    return found


def keras(rounds: int) -> Ratio:
    """``keras.Model.predict`` on a ready tensor against ``LocalCnn.predict`` on a decoded photo, the same network."""
    from providers.local_cnn.options import LocalCnnOptions
    from providers.local_cnn.provider import LocalCnn
    from providers.local_cnn.training import trainer

    model = trainer.build_model(labels=4)
    tensor = np.zeros((1, 224, 224, 3), np.float32)
    provider = LocalCnn("waste_type", LocalCnnOptions())
    photo = photos.load(camera_jpeg(), needed_side=provider.needed_side)

    def ours() -> None:
        # A copy, because a photo keeps what it has resized once.
        provider.predict(replace(photo, _resized={}), timeout=5)

    slow, fast = turns(min(rounds, 30), lambda: model.predict(tensor, verbose=0), ours)
    return Ratio("keras.Model.predict / LocalCnn.predict", slow * 1000, fast * 1000, "ms", ">= 10")


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this thread, and those that it starts, on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def models(rounds: int) -> Ratio:
    """Both questions about one decoded photo, each through ``LocalCnn.predict`` (resizing, the interpreter's call,
    calibration), against one float32 call of EfficientNet-Lite0 at 224 px on a ready tensor; one core, one thread.
    """
    from providers.local_cnn.options import LocalCnnOptions
    from providers.local_cnn.provider import LocalCnn
    from providers.local_cnn.runtime import Extractor
    from providers.local_cnn.training import trainer

    bare_model = Extractor(trainer.convert(trainer.build_model(labels=4), 224))
    tensor = np.random.default_rng(0).uniform(-1, 1, (224, 224, 3)).astype(np.float32)
    providers = [LocalCnn(task, LocalCnnOptions()) for task in TASKS]
    photo = photos.load(camera_jpeg(), needed_side=max(provider.needed_side for provider in providers))

    def ours() -> None:
        # A copy, because a photo keeps what it has resized once; both models share it, as in the machine.
        fresh = replace(photo, _resized={})
        for provider in providers:
            provider.predict(fresh, timeout=5)

    with one_core():
        both, bare = turns(rounds, ours, lambda: bare_model(tensor))
    return Ratio("both models / one EfficientNet-Lite0 call", both * 1000, bare * 1000, "ms", "<= 2.5")


def run_process(command: Sequence[str], environ: dict[str, str]) -> tuple[float, float]:
    """Seconds and peak megabytes of one process.

    It is started by a small process of its own: a child's peak counts the memory of whoever started it.
    """
    measured = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LAUNCHER, *command], env=environ, capture_output=True, text=True, check=True
    )
    wall, peak = measured.stderr.split()[-2:]
    return float(wall), float(peak) / 1024


def classify(rounds: int) -> list[Ratio]:
    """``triof classify one.jpg`` as a process against a bare script that does the same, in wall time and memory."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "one.jpg"
        photo.write_bytes(camera_jpeg())
        environ = {**os.environ, "TRIOF_HOME": folder}
        models = [str(folder / bundle.MODEL_FILE) for folder in dict.fromkeys(shipped(task) for task in TASKS)]
        ours = [str(Path(sys.executable).with_name("triof")), "classify", str(photo)]
        bare = [sys.executable, "-c", BARE, str(photo), *models]
        pairs = [(run_process(ours, environ), run_process(bare, environ)) for _ in range(max(5, rounds // 20))]
    medians = [[median(pair[side][what] for pair in pairs) for side in (0, 1)] for what in (0, 1)]
    (wall, bare_wall), (peak, bare_peak) = medians
    return [
        Ratio("triof classify / bare script, wall", wall * 1000, bare_wall * 1000, "ms", "<= 2.0"),
        Ratio("triof classify / bare script, peak memory", peak, bare_peak, "MB", "<= 2.0"),
    ]


def memory() -> Ratio:
    """Resident memory after 1,000 photos against after 10, the demo pictures in turn."""
    sorter = services.build_sorter(Settings())
    images = [path.read_bytes() for path in pictures_in(DEMO_PICTURES)]
    resident = psutil.Process().memory_info
    for number in range(10):
        sorter.judge(images[number % len(images)])
    early = resident().rss
    for number in range(10, 1000):
        sorter.judge(images[number % len(images)])
    return Ratio("memory after 1,000 photos / after 10", resident().rss / 1e6, early / 1e6, "MB", "<= 1.05")


def ratios(rounds: int) -> Iterator[Ratio]:
    """Those of one photo and one process."""
    # Memory first: what the other measurements leave behind would hide a leak.
    yield memory()
    yield verdict(rounds)
    yield from classify(rounds)
    yield keras(rounds)


def _models(rounds: int) -> Iterator[Ratio]:
    yield models(rounds)


def _cut(rounds: int) -> Iterator[Ratio]:
    yield from cut(rounds)


def _uploads(rounds: int) -> Iterator[Ratio]:
    from tools import uploads

    yield from uploads.ratios()


def _serving(rounds: int) -> Iterator[Ratio]:
    from tools import serving

    yield from serving.ratios()


def _folders(rounds: int) -> Iterator[Ratio]:
    from tools import folder_bench

    yield from folder_bench.ratios(rounds)


def _journal(rounds: int) -> Iterator[Ratio]:
    from tools import journal_bench

    yield from journal_bench.ratios(rounds)


def _cameras(rounds: int) -> Iterator[Ratio]:
    from tools import camera_bench

    yield from camera_bench.ratios(rounds)


def _faults(rounds: int) -> Iterator[Ratio]:
    from tools import resilience

    resilience.report(rounds)
    yield from ()


Part = Callable[[int], Iterator[Ratio]]
PARTS: dict[str, Part] = {
    "ratios": ratios,
    "models": _models,
    "cut": _cut,
    "uploads": _uploads,
    "serving": _serving,
    "folders": _folders,
    "journal": _journal,
    "cameras": _cameras,
    "faults": _faults,
}
WHEN_ASKED_FOR = ("journal",)
"""Filling a journal of a million deposits takes minutes, and some gigabytes."""
WITH_PHOTOS = ("uploads",)
"""What needs the labelled photos."""


def shown(ratio: Ratio) -> dict[str, Any]:
    """The ratio, as it goes into the report; prints its line of the table."""
    print(
        f"{'ok  ' if ratio.met else 'MISS'} {ratio.name:<45} {ratio.value:6.2f} (goal {ratio.goal})"
        f"   {ratio.ours:8.1f} : {ratio.bare:.1f} {ratio.unit}",
        flush=True,
    )
    return {**asdict(ratio), "ratio": round(ratio.value, 3), "met": ratio.met}


def run(parts: Mapping[str, Part], rounds: int, out: Path, without: str = "") -> bool:
    """Measure every part, print and write each ratio as it comes; whether all parts could be measured.

    ``without`` says why there are no labelled photos, where there are none.
    """
    left_out = [name for name in parts if without and name in WITH_PHOTOS]
    for name in left_out:
        print(f"---- {name}: left out, as {without}", flush=True)
    report: list[dict[str, Any]] = []
    failed = []
    for name in (name for name in parts if name not in left_out):
        try:
            for ratio in parts[name](rounds):
                report.append(shown(ratio))
                out.write_text(json.dumps({"ratios": report}, indent=2) + "\n")
        # What one part cannot do, such as training where TensorFlow is missing, must not end the others.
        except Exception as error:
            failed.append(name)
            print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)
    return not failed and len(left_out) < len(parts)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument(
        "--only",
        choices=PARTS,
        help="uploads: tools/uploads.py; serving: tools/serving.py; folders: tools/folder_bench.py;"
        " journal: tools/journal_bench.py; cameras: tools/camera_bench.py; faults: tools/resilience.py",
    )
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    names = [options.only] if options.only else [name for name in PARTS if name not in WHEN_ASKED_FOR]
    measured = run({name: PARTS[name] for name in names}, options.rounds, options.out, missing())
    return 0 if measured else 1


if __name__ == "__main__":
    sys.exit(main())
