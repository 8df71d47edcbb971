"""Render random pictures of items for training, with a manifest that ``triof train --data`` reads.

    python -m tools.render_views OUT --count 2000
    python -m tools.render_views OUT --count 2000 --hand /tmp/package/dist/profiles/generic-hand/right.glb

It runs in the environment of render_demo.py, on one thread; --hand is the model of render_scenery.py.
The number of a scene is its seed. Scenes whose picture exists are skipped, so an interrupted run goes on where it
stopped, and two runs may share a folder when they render different scenes (--first). OUT/manifest.csv lists every
picture in OUT, with the columns path,waste_type,cleanliness,group,source,split,material.

A scene took 2.0 s of processor time (36 scenes, on two cores that other work kept busy).
"""

import argparse
import signal
import sys
import threading
from pathlib import Path

from tools.demo import hands, stage
from tools.views import studio
from tools.views.album import render_all, write_manifest
from tools.views.plan import Scene


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the JPEGs and manifest.csv")
    parser.add_argument("--count", type=int, default=1000, help="how many scenes (1000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first scene (0)")
    parser.add_argument("--samples", type=int, default=4, help="rays per pixel before denoising (4)")
    parser.add_argument("--hand", type=Path, help="right.glb; without it no picture shows a hand")
    chosen = parser.parse_args()
    if chosen.hand and not chosen.hand.is_file():
        parser.error(f"there is no hand model {chosen.hand}; see the help of render_scenery.py")
    return chosen


def main() -> None:
    chosen = arguments()
    # Blender swallows a KeyboardInterrupt raised while it renders.
    stopped = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stopped.set())
    stage.empty_scene(1, 100)
    rig = hands.load(chosen.hand) if chosen.hand else None

    def render(shown: Scene, target: Path) -> None:
        studio.render(shown, target, chosen.samples, rig)

    for progress in render_all(chosen.out, chosen.count, render, first=chosen.first):
        print(f"{progress.done}/{progress.count} {progress.scene.name}: {progress.seconds:.1f} s", flush=True)
        if stopped.is_set():
            break
    print(f"{write_manifest(chosen.out)} pictures in {chosen.out / 'manifest.csv'}")
    if stopped.is_set():
        sys.exit(130)


if __name__ == "__main__":
    main()
