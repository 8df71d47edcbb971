"""Photos drawn from nothing, each different from the others, whose labels even a frozen network can tell apart."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

_SIDE = 240


def draw(label: str, seed: int) -> Image.Image:
    """An item of ``label`` somewhere on a mottled ground; ``dirty`` and ``clean`` may stand behind the type."""
    rng = np.random.default_rng([seed, *label.encode()])
    darkest = rng.integers(0, 200, 3)
    patches = rng.integers(darkest, darkest + 55, (rng.integers(1, 16), rng.integers(1, 16), 3), np.uint8)
    picture = Image.fromarray(patches).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    x, y = rng.integers(20, 90, 2).tolist()
    size = int(rng.integers(80, 120))
    ink = tuple(rng.integers(0, 255, 3).tolist())
    if label.startswith("bottle"):
        for step in range(0, size, 8):
            pen.ellipse((x + step, y, x + step + 5, y + size), outline=ink, width=2)
    elif label.startswith("cup"):
        pen.rectangle((x, y, x + size, y + size), fill=ink, outline="black", width=6)
    else:
        for step in range(0, size, 16):
            pen.line((x, y + step, x + size, y + size - step), fill=ink, width=5)
    if label.endswith("dirty"):
        for _ in range(60):
            u, v = rng.integers(0, _SIDE, 2).tolist()
            pen.ellipse((u, v, u + 9, v + 9), fill=(70, 40, 10))
    return picture


def save(folder: Path, label: str, seeds: range) -> list[Path]:
    """PNG files ``<folder>/<label>/<seed>.png``."""
    (folder / label).mkdir(parents=True, exist_ok=True)
    paths = [folder / label / f"{seed}.png" for seed in seeds]
    for path, seed in zip(paths, seeds, strict=True):
        draw(label, seed).save(path)
    return paths
