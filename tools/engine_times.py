"""Measures the processor time of the local engines on the demo pictures, in turns, so that other load hardly counts.

The ONNX network has to be installed (docs/guide/engines.md).

    python -m tools.engine_times --rounds 10
"""

import argparse
import time
from contextlib import ExitStack, closing
from statistics import median

from providers.base import Photo
from providers.local_cnn.provider import LocalCnn
from providers.onnx.options import ENGINES
from providers.onnx.provider import Onnx
from triof.common.image_files import pictures_in
from triof.common.paths import DEMO_PICTURES
from triof.judging import photo
from triof.models.bundle_store import ONNX, options, options_of
from triof.settings.loader import load


def main() -> None:
    """Print the median and the 95th percentile of each engine, in milliseconds of one core."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    asked = parser.parse_args()
    settings = load({}).settings
    found = options_of(ONNX, settings)
    with ExitStack() as stack:
        engines = {
            "LiteRT": stack.enter_context(closing(LocalCnn("waste_type", options(settings)))),
            **{
                engine.name: stack.enter_context(
                    closing(Onnx("waste_type", found.model_copy(update={"runtime": runtime})))
                )
                for runtime, engine in ENGINES.items()
            },
        }
        pictures = [photo.load(path.read_bytes()).picture for path in pictures_in(DEMO_PICTURES)]
        taken: dict[str, list[float]] = {name: [] for name in engines}
        names = list(engines)
        for turn in range(asked.rounds * len(pictures)):
            picture = pictures[turn % len(pictures)]
            first = turn % len(names)
            for name in (*names[first:], *names[:first]):
                shown = Photo(picture, "", picture.width, picture.height)
                started = time.thread_time()
                engines[name].predict(shown, timeout=60)
                taken[name].append(1000 * (time.thread_time() - started))
    for name, times in taken.items():
        times.sort()
        print(f"{name}: median {median(times):.1f} ms, 95 % within {times[int(0.95 * len(times))]:.1f} ms")


if __name__ == "__main__":
    main()
