"""Render the demo pictures that the simulated camera shows: everything procedural, nothing from any file.

    python -m tools.render_demo                         # all of them, into static/demo
    python -m tools.render_demo cup-dirty-1 --scale 40  # one small trial
    python -m tools.render_demo --empty --scale 33 --out static/demo_empty  # the tray of each picture without its item

The renderer is Blender's Cycles as a wheel (Python 3.11), so it lives in an environment of its own:

    python3.11 -m venv /tmp/render-venv && /tmp/render-venv/bin/pip install bpy==5.0.1 pillow
    /tmp/render-venv/bin/python -m tools.render_demo

(bpy may ask for libxi6 libxxf86vm1 libxfixes3 libxrender1 libxkbcommon0 libsm6 libgl1 from apt.) On two cores that
other work kept busy a picture took 50 to 170 s at 8 rays per pixel, all twenty about 25 minutes in one run. Seeds are
fixed: the same version on the same machine gives the same bytes.
"""

import argparse
import time
import zlib
from pathlib import Path

from tools.demo import stage
from tools.demo.scenes import SHOTS, Shot

OUT = Path(__file__).resolve().parent.parent / "static" / "demo"


def shoot(name: str, shot: Shot, out: Path, samples: int, scale: int, *, empty: bool = False) -> Path:
    """Build one scene from nothing, render it and save it as ``out/name.jpg``; ``empty`` hides the item."""
    stage.empty_scene(samples, scale)
    stage.tray()
    stage.lights()
    stage.camera(shot.build(), shot.azimuth, shot.elevation, shot.fill, shot.roll)
    if empty:
        stage.hide_all_but_tray()
    target = out / f"{name}.jpg"
    stage.expose(target, seed=zlib.crc32(name.encode()))
    return target


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which pictures (all): {', '.join(SHOTS)}")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the JPEGs (static/demo)")
    parser.add_argument("--samples", type=int, default=8, help="rays per pixel before denoising (8)")
    parser.add_argument("--scale", type=int, default=100, help="percent of 960x720 (100)")
    parser.add_argument("--empty", action="store_true", help="without the items: the references of the empty slot")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.names) - set(SHOTS))
    if unknown:
        parser.error(f"no such picture: {', '.join(unknown)}; there are {', '.join(SHOTS)}")
    return chosen


def main() -> None:
    chosen = arguments()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name in chosen.names or SHOTS:
        start = time.monotonic()
        target = shoot(name, SHOTS[name], chosen.out, chosen.samples, chosen.scale, empty=chosen.empty)
        print(f"{target.name}: {target.stat().st_size // 1024} KB, {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
