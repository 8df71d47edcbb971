"""Render what training pastes photos onto and reaches into them: empty grounds, and cut-out hands.

    python -m tools.render_scenery grounds hands --model HAND.glb  # all, into providers/local_cnn/scenery
    python -m tools.render_scenery hands --model HAND.glb --only 3 17
    python -m tools.render_scenery grounds --only steel wood

The grounds are procedural. The hands are renders of one rigged hand model, "generic-hand" of the npm package
@webxr-input-profiles/assets 1.0.20 (MIT licence, Copyright (c) 2019 Amazon); only the renders are kept, not the model:

    cd /tmp && npm pack @webxr-input-profiles/assets@1.0.20 && tar xzf webxr-input-profiles-assets-1.0.20.tgz
    HAND.glb: /tmp/package/dist/profiles/generic-hand/right.glb     (left hands are its mirror image)

The renderer is the one of render_demo.py, in the same environment (Python 3.11):

    python3.11 -m venv /tmp/render-venv && /tmp/render-venv/bin/pip install bpy==5.0.1 pillow

A hand, 200 px on its longer side with real alpha, and a ground of 256x256 cost about 4 s of processor time each: all
of them 7 minutes on one free core, 18 where training kept the cores busy. Arms leave the picture through its lower
edge, so a hand that is put at an edge of a photo looks cut by it; two numbers in a row share a pose (0 and 1, 2 and 3).
Seeds are fixed: the same version on the same machine gives the same bytes.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
from PIL import Image

from tools.demo import grounds, hand_poses, hands, stage

OUT = Path(__file__).resolve().parent.parent / "providers" / "local_cnn" / "scenery"
LONGER, COLOURS, GROUND = 200, 255, 256


def fresh(samples: int, scale: int, threads: int) -> None:
    """An empty scene that leaves the other cores alone."""
    stage.empty_scene(samples, scale)
    render = bpy.context.scene.render
    render.threads_mode, render.threads = "FIXED", threads


def cut_out(target: Path) -> None:
    """Render without a background, trim, shrink and save with few colours."""
    render = bpy.context.scene.render
    render.film_transparent, render.image_settings.color_mode = True, "RGBA"
    with tempfile.TemporaryDirectory() as folder:
        render.filepath = str(Path(folder) / "raw.png")
        bpy.ops.render.render(write_still=True)
        with Image.open(render.filepath) as opened:
            picture = opened.convert("RGBA")
    solid = picture.getchannel("A").point(lambda a: 255 if a > 12 else 0)
    picture = picture.crop(solid.getbbox())
    share = LONGER / max(picture.size)
    picture = picture.resize([max(1, round(side * share)) for side in picture.size], Image.Resampling.LANCZOS)
    few(picture).save(target, optimize=True)


def few(picture: Image.Image) -> Image.Image:
    """The picture in COLOURS colours with alpha, by k-means: the palettes Pillow makes for alpha show bands."""
    pixels = np.asarray(picture, np.float32).reshape(-1, 4).copy()
    pixels[pixels[:, 3] < 4] = 0
    dice = np.random.default_rng(1)
    every = np.unique(pixels, axis=0)
    centres = dice.permutation(every)[:COLOURS]
    centres[0] = 0
    for turn in range(12):
        far = (pixels**2).sum(1)[:, None] - 2 * pixels @ centres.T + (centres**2).sum(1)
        nearest = far.argmin(1)
        if turn < 11:
            count = np.bincount(nearest, minlength=len(centres))
            for band in range(4):
                total = np.bincount(nearest, pixels[:, band], len(centres))
                centres[:, band] = np.where(count > 0, total / np.maximum(count, 1), centres[:, band])
    palette = np.clip(centres.round(), 0, 255).astype(np.uint8)
    out = Image.fromarray(nearest.reshape(picture.size[::-1]).astype(np.uint8), "P")
    out.putpalette(palette.tobytes(), "RGBA")
    return out


def all_hands(out: Path, model: Path, samples: int, threads: int, only: list[str]) -> Iterator[Path]:
    """One file after the other."""
    out.mkdir(parents=True, exist_ok=True)
    fresh(samples, 40, threads)
    rig = hands.load(model)
    for number in range(hand_poses.COUNT):
        if only and str(number) not in only:
            continue
        fresh(samples, 40, threads)
        hand_poses.build(rig, hand_poses.reach(number))
        target = out / f"{number:02d}.png"
        cut_out(target)
        yield target


def all_grounds(out: Path, samples: int, threads: int, only: list[str]) -> Iterator[Path]:
    """One file after the other."""
    out.mkdir(parents=True, exist_ok=True)
    for kind, number in grounds.everything():
        if only and kind not in only:
            continue
        fresh(samples, 100, threads)
        seed = grounds.build(kind, number)
        render = bpy.context.scene.render
        render.resolution_x = render.resolution_y = GROUND
        target = out / f"{kind}-{number}.jpg"
        stage.expose(target, seed, 80)
        yield target


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", choices=("grounds", "hands"), help="which of the two")
    parser.add_argument("--model", type=Path, help="the rigged hand, right.glb (only for hands)")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="numbers of hands or kinds of grounds")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for hands/ and grounds/")
    parser.add_argument("--samples", type=int, help="rays per pixel before denoising (grounds 12, hands 10)")
    parser.add_argument("--threads", type=int, default=1, help="processor threads (1)")
    chosen = parser.parse_args()
    if "hands" in chosen.what and (chosen.model is None or not chosen.model.is_file()):
        parser.error("hands need --model with the hand's right.glb; see the start of this help")
    return chosen


def main() -> None:
    chosen = arguments()
    start = time.monotonic()
    files: list[Iterator[Path]] = []
    if "grounds" in chosen.what:
        files.append(all_grounds(chosen.out / "grounds", chosen.samples or 12, chosen.threads, chosen.only))
    if "hands" in chosen.what:
        files.append(all_hands(chosen.out / "hands", chosen.model, chosen.samples or 10, chosen.threads, chosen.only))
    for group in files:
        for target in group:
            print(f"{target.name}: {target.stat().st_size // 1024} KB, {time.monotonic() - start:.0f} s", flush=True)
            start = time.monotonic()


if __name__ == "__main__":
    main()
