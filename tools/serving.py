"""How much of the machine's power reaches those who ask over HTTP: ``make bench ARGS='--only serving'``.

In turns, within one run and on the same cores:

- the bare pipeline (decoding and both interpreters' calls, nothing else) in as many threads as give it its best, but no
  more than there are clients; and the same with the two resizings that its photo would need;
- ``triof serve`` asked by 1, 8 and 64 clients for ``POST /api/v2/predict`` with a key;
- a stand-in for the container that Azure exports: a Flask development server with a model on one interpreter, with a
  lock, which decodes the whole photo, turns it upright, cuts out the square in its middle and resizes that. Once with
  one of the two models, as the vendor exports them, and once with both, which is the work that Triof does.

All get the same photo, a JPEG of 1280 x 720; the last ratio is of one of 4000 x 3000, as telephones take it. Medians
of the turns. The clients (tools/load.py) are a process of their own; what they took of the cores is printed, for server
and clients share them. So is the processor time of one photo, which other programs disturb less.
"""

import base64
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from subprocess import DEVNULL
from tempfile import TemporaryDirectory
from threading import Thread
from typing import NamedTuple

import psutil
from PIL import Image

from providers.base import LABELS, TASKS, Task
from tools.bench import Ratio, bare_pipeline, camera_jpeg
from tools.load import LoadResult, Order, load_of, put_on
from tools.running_kiosk import RunningKiosk, free_port
from triof.access.api_keys import Keys
from triof.settings.tree import Settings
from triof.storage.data_folder import database

CLIENTS = (1, 8, 64)
_THREADS = (2, 3, 4)


class ServingMeasurement(NamedTuple):
    """One measurement: photos a second, milliseconds of processor time for each, and how the clients saw it."""

    per_second: float
    cpu_ms: float
    load: LoadResult | None = None


def container(port: int, tasks: Sequence[Task]) -> None:
    """Serve the stand-in, with a model for each of ``tasks``, until killed."""
    from io import BytesIO
    from threading import Lock

    import numpy as np
    from ai_edge_litert.interpreter import Interpreter
    from flask import Flask, Response, jsonify, request
    from PIL import ImageOps

    from providers.local_cnn import bundle
    from providers.local_cnn.options import shipped

    app = Flask("container")

    def ready(task: Task) -> Callable[[Image.Image], list[dict[str, object]]]:
        lock = Lock()
        model = Interpreter(str(shipped(task) / bundle.MODEL_FILE), num_threads=1)
        model.allocate_tensors()
        given = model.get_input_details()[0]
        outputs = sorted(model.get_output_details(), key=lambda tensor: abs(tensor["shape"][-1] - len(LABELS[task])))
        side = int(given["shape"][1])

        def answer(square: Image.Image) -> list[dict[str, object]]:
            values = np.asarray(square.resize((side, side)), np.float32)[None]
            with lock:
                model.set_tensor(given["index"], values)
                model.invoke()
                scores = model.get_tensor(outputs[0]["index"])[0]
            named = zip(LABELS[task], map(float, scores), strict=False)
            return [{"tagName": name, "probability": score} for name, score in named]

        return answer

    models = [ready(task) for task in tasks]

    @app.post("/image")
    def image() -> Response:
        picture = ImageOps.exif_transpose(Image.open(BytesIO(request.get_data())).convert("RGB"))
        short = min(picture.size)
        left, top = ((length - short) // 2 for length in picture.size)
        square = picture.crop((left, top, left + short, top + short))
        return jsonify({"predictions": [named for model in models for named in model(square)]})

    app.run("127.0.0.1", port)


@contextmanager
def running_container(tasks: Sequence[Task]) -> Iterator[tuple[int, psutil.Process]]:
    """The stand-in in a process of its own, with its port."""
    port = free_port()
    process = psutil.Popen([sys.executable, "-m", "tools.serving", str(port), *tasks], stderr=DEVNULL, stdout=DEVNULL)
    try:
        for _ in range(300):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield port, process
    finally:
        process.kill()
        process.wait()


class Bare:
    """The bare pipeline in ``threads``, each with interpreters of its own."""

    def __init__(self, threads: int, *, resizing: bool = False) -> None:
        image = camera_jpeg()
        self.threads = threads
        self._calls = [bare_pipeline(image, resizing=resizing) for _ in range(threads)]

    def measure(self, seconds: float) -> ServingMeasurement:
        """As many photos as it can."""
        counts = [0] * self.threads
        began, cpu = time.perf_counter(), time.process_time()

        def run(number: int) -> None:
            while time.perf_counter() < began + seconds:
                self._calls[number]()
                counts[number] += 1

        running = [Thread(target=run, args=[number]) for number in range(self.threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        photos = sum(counts)
        return ServingMeasurement(photos / (time.perf_counter() - began), (time.process_time() - cpu) / photos * 1000)


def best_of(pipelines: Sequence[Bare], seconds: float) -> Bare:
    """The one with the highest median of three short turns."""
    turns = [[pipeline.measure(seconds).per_second for pipeline in pipelines] for _ in range(3)]
    medians = [median(column) for column in zip(*turns, strict=True)]
    return pipelines[medians.index(max(medians))]


def asked(order: Order, server: psutil.Process) -> ServingMeasurement:
    """What came of ``order``. Raises RuntimeError if anything but answers came."""
    before = sum(server.cpu_times()[:2])
    load = load_of(put_on(order))
    cpu = sum(server.cpu_times()[:2]) - before
    if set(load.statuses) != {"200"}:
        raise RuntimeError(f"{order.path} answered {dict(load.statuses)}")
    return ServingMeasurement(load.per_second, cpu / load.with_warm_up * 1000, load)


def key(home: Path) -> str:
    """A key that may ask as often as it likes."""
    with database(Settings(home=home)) as opened:
        keys = Keys(opened, 1)
        secret = keys.create("bench", ["predict"], per_minute=1_000_000)
        keys.close()
    return secret


def ratios(turns: int = 5, seconds: float = 4.0) -> list[Ratio]:
    """The table's lines; prints what each side took of the processor."""
    one, most = Bare(1), best_of([Bare(threads) for threads in _THREADS], seconds / 4)
    pipelines = {"bare, 1 client": one, "bare": most, "bare, resizing": Bare(most.threads, resizing=True)}
    small, large = (base64.b64encode(camera_jpeg(*size)).decode() for size in ((1280, 720), (4000, 3000)))
    seen: defaultdict[str, list[ServingMeasurement]] = defaultdict(list)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="triof-")))
        single = stack.enter_context(running_container(TASKS[:1]))
        double = stack.enter_context(running_container(TASKS))
        headers = {"Authorization": f"Bearer {key(folder)}", "Content-Type": "image/jpeg"}
        server = stack.enter_context(RunningKiosk(folder, {"TRIOF_LOGS__LEVEL": "info"}, "serve"))
        process, path = psutil.Process(server.pid), "/api/v2/predict"
        orders = {
            f"serve, {clients} clients": (Order(server.port, path, clients, seconds, small, headers), process)
            for clients in CLIENTS
        }
        orders["serve, 12 MP"] = (Order(server.port, path, 8, seconds, large, headers), process)
        for name, (port, container_process) in {"one model": single, "both models": double}.items():
            orders[f"container, {name}"] = (Order(port, "/image", 8, seconds, small), container_process)
        orders["container, 12 MP"] = (Order(double[0], "/image", 8, seconds, large), double[1])
        for _ in range(turns):
            for name, pipeline in pipelines.items():
                seen[name].append(pipeline.measure(seconds))
            for name, (order, asked_process) in orders.items():
                seen[name].append(asked(order, asked_process))
    for name, measured in seen.items():
        _print(name, measured)
    return list(_compared(seen))


def _compared(seen: Mapping[str, Sequence[ServingMeasurement]]) -> Iterator[Ratio]:
    def ratio(name: str, ours: str, other: str, goal: str) -> Ratio:
        mine, theirs = (median(turn.per_second for turn in seen[side]) for side in (ours, other))
        return Ratio(name, mine, theirs, "/s", goal)

    for clients in CLIENTS:
        bare = "bare, 1 client" if clients == 1 else "bare"
        yield ratio(f"serve / bare pipeline, {clients} clients", f"serve, {clients} clients", bare, ">= 0.85")
    yield ratio("serve / the same with resizing, 8 clients", "serve, 8 clients", "bare, resizing", ">= 0.85")
    loads = [turn.load for turn in seen["serve, 8 clients"] if turn.load]
    p50, p99 = (median(getattr(load, name) for load in loads) * 1000 for name in ("p50", "p99"))
    yield Ratio("serve, 8 clients: p99 / p50", p99, p50, "ms", "<= 3.0")
    for what in ("one model", "both models"):
        yield ratio(f"serve / container with {what}", "serve, 8 clients", f"container, {what}", ">= 3.0")
    yield ratio("serve / container with both, 12 megapixels", "serve, 12 MP", "container, 12 MP", ">= 3.0")


def _print(name: str, measured: Sequence[ServingMeasurement]) -> None:
    rate, cpu = (median(getattr(turn, what) for turn in measured) for what in ("per_second", "cpu_ms"))
    line = f"     {name:<32} {rate:6.1f}/s, {cpu:5.1f} ms of processor each"
    loads = [turn.load for turn in measured if turn.load]
    if loads:
        clients = median(load.cpu_seconds / load.answers for load in loads) * 1000
        p50, p99 = (median(getattr(load, what) for load in loads) * 1000 for what in ("p50", "p99"))
        line += f", {clients:.2f} ms of the clients'; p50 {p50:.0f} ms, p99 {p99:.0f} ms"
    print(line)


if __name__ == "__main__":
    container(int(sys.argv[1]), [task for task in TASKS if task in sys.argv[2:]])
