"""Measures the limits of black, overexposed, covered and blurred pictures on real photos and on faults made from them.

Prints the table of docs/measurements/cameras.md. The faults are made at the size of a frame's grey copy, as the photos
have 400 pixels at most.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tools.labelled_photos import DATA, need
from triof.common.image_files import pictures_in
from triof.common.paths import DEMO_PICTURES
from triof.machine.cameras.frame import GREY_WIDTH
from triof.machine.cameras.frame_checks import fault_in, measure

Picture = Image.Image
Levels = NDArray[np.float32]


def grey_copy(path: Path) -> Picture:
    """A photo as the grey copy of a frame."""
    picture = Image.open(path).convert("RGBA")
    shown = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("L")
    height = max(16, round(shown.height * GREY_WIDTH / shown.width))
    return shown.resize((GREY_WIDTH, height), Image.Resampling.BOX)


def _levels(picture: Picture, change: Callable[[Levels], Levels], noise: float = 1.0) -> Picture:
    levels = change(np.asarray(picture, np.float32))
    noisy = levels + np.random.default_rng(0).normal(0, noise, levels.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def _soft(picture: Picture, sigma: float) -> Picture:
    return _levels(picture.filter(ImageFilter.GaussianBlur(sigma)), np.asarray, 0.5)


def _covered(picture: Picture, share: float, level: float) -> Picture:
    """Something near the lens: a share of the scene's light as a wide glow, over its own even colour."""
    return _levels(picture.filter(ImageFilter.GaussianBlur(40)), lambda levels: share * levels + level)


FAULTS: dict[str, Callable[[Picture], Picture]] = {
    "real photos": lambda picture: picture,
    "lamp out (1/32 of the light)": lambda picture: _levels(picture, lambda levels: levels / np.float32(32)),
    "lens cap (noise alone)": lambda picture: _levels(picture, lambda levels: 0 * levels + 2),
    "exposure x 4": lambda picture: _levels(picture, lambda levels: 4 * levels),
    "exposure x 8": lambda picture: _levels(picture, lambda levels: 8 * levels),
    "light into the lens": lambda picture: _levels(picture, lambda levels: 0.1 * levels + 250),
    "tape or a hand on the lens": lambda picture: _covered(picture, 0.05, 60),
    "a finger near the lens": lambda picture: _covered(picture, 0.15, 60),
    "focus off, sigma 8 of 1280 pixels": lambda picture: _soft(picture, 2),
    "focus off, sigma 16": lambda picture: _soft(picture, 4),
    "focus off, sigma 32": lambda picture: _soft(picture, 8),
}


def found(pictures: Sequence[Picture]) -> Counter[str]:
    """How many are found to have which fault."""
    faults = (fault_in(measure(np.asarray(picture))) for picture in pictures)
    return Counter(fault.code if fault else "none" for fault in faults)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=2000, help="real photos, of all that there are")
    parser.add_argument("--faults-on", type=int, default=200, help="photos from which faults are made")
    options = parser.parse_args()
    need(DATA)
    found_here = pictures_in(DATA)
    drawn = random.Random(1).sample(found_here, min(options.photos, len(found_here)))
    paths = [
        path for path in [*drawn, *pictures_in(DATA / "camera"), *pictures_in(DEMO_PICTURES)] if _is_large_enough(path)
    ]
    sample = random.Random(1).sample(paths, options.faults_on)
    print("| pictures | number | none | C3 black | C4 white | C5 blurred | C6 covered |\n|---|---|---|---|---|---|---|")
    for name, change in FAULTS.items():
        pictures = [change(grey_copy(path)) for path in (paths if name == "real photos" else sample)]
        counts = found(pictures)
        row = [counts[code] for code in ("none", "C3", "C4", "C5", "C6")]
        print(f"| {name} | {len(pictures)} | {' | '.join(map(str, row))} |", flush=True)
    return 0


def _is_large_enough(path: Path) -> bool:
    """Whether it is a photo that need not be enlarged, which blurs it."""
    try:
        with Image.open(path) as picture:
            return picture.width >= GREY_WIDTH
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
