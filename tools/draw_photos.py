"""Draw many labelled pictures as large in memory as photos, to measure how much memory a training takes.

    python -m tools.draw_photos 20000 drawn
    /usr/bin/time -v triof train waste_type cleanliness --data drawn --epochs 1 --out drawn/bundle

A smooth ground with a little noise compresses to some 40 KB, as photos do; nothing can be learned from them.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

_FOLDERS = ("bottle/clean", "bottle/dirty", "cup/clean", "cup/dirty", "cutlery/clean", "cutlery/dirty", "other")
_SIDE = 320
_NOISE = 3
"""Standard deviation, of 255."""


def picture(rng: np.random.Generator) -> Image.Image:
    """An ellipse of any colour on a ground of another."""
    ground, item = (tuple(map(int, rng.integers(0, 256, 3))) for _ in range(2))
    drawn = Image.new("RGB", (_SIDE, _SIDE), ground)
    left, top = map(int, rng.integers(20, 120, 2))
    ImageDraw.Draw(drawn).ellipse((left, top, left + 160, top + 120), fill=item)
    noisy = np.asarray(drawn) + rng.normal(0, _NOISE, (_SIDE, _SIDE, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def main() -> None:
    """Draw and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    for folder in _FOLDERS:
        (asked.out / folder).mkdir(parents=True, exist_ok=True)
    for index in range(asked.count):
        path = asked.out / _FOLDERS[index % len(_FOLDERS)] / f"{index}.jpg"
        picture(np.random.default_rng(index)).save(path, quality=95)


if __name__ == "__main__":
    main()
