"""Real photos as a machine sees them, before and after something changed: what `make simulate-drift` draws from.

Web photos show each item on another ground, a machine all of them on one. Every item of the validation split that can
be cut out is therefore laid into the rendered slot and measured as it is, through a dirty lens and under a new lamp:
brightness, sharpness, what the bundles answer and their embeddings. Bundles that give no embedding get one here, from
the frozen backbone on the web photos, by the projection of ``providers/local_cnn/training/embedding.py``. All is kept
in ``--cache``.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter
from rich.progress import track

from providers import photo_statistics
from providers.base import LABELS, TASKS, Task
from providers.local_cnn import bundle
from providers.local_cnn.features import FrozenBackbone
from providers.local_cnn.provider import LocalModel
from providers.local_cnn.training import embedding, scenes
from providers.local_cnn.training.cutout import cut_out
from triof.datasets import photo_dataset
from triof.judging import photo
from triof.settings.sections.photo import DEFAULT_LIMITS

_SIDE = 224
_GROUND = scenes.FOLDER / "grounds" / "machine-1.jpg"
_CUP_KINDS = 4
_SECONDS = 10.0
_VERSION = 1
"""Of what is measured: another one measures anew."""


def _dirty_lens(picture: Image.Image) -> Image.Image:
    """A greasy film: blurred by a pixel and a half of 224, under a fifth of stray light."""
    blurred = picture.filter(ImageFilter.GaussianBlur(1.5))
    return Image.blend(blurred, Image.new("RGB", picture.size, (205, 205, 200)), 0.2)


def _new_lamp(picture: Image.Image) -> Image.Image:
    """A warmer lamp (about 4000 K instead of 5500 K) that is a sixth darker."""
    pixels = np.asarray(picture, np.float32) * np.array([0.92, 0.83, 0.68], np.float32)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


WEB, USUAL = "on the web", "in the machine"
SHIFTS: dict[str, Callable[[Image.Image], Image.Image]] = {
    USUAL: lambda picture: picture,
    "dirty lens": _dirty_lens,
    "new lamp": _new_lamp,
}


@dataclass(frozen=True)
class Look:
    """How the photos look under one circumstance; a row for each photo."""

    brightness: np.ndarray
    sharpness: np.ndarray
    scores: dict[Task, np.ndarray]
    """(photos, labels)."""
    embedding: dict[Task, np.ndarray]


@dataclass(frozen=True)
class Pool:
    """All photos: what they show, and each of their looks by the name of the shift."""

    truth: dict[Task, np.ndarray]
    """The number of the label; -1 where nobody knows."""
    cup_kind: np.ndarray
    """Cups that look alike have the same number; -1: no cup."""
    looks: dict[str, Look]
    embedded_by: str


def pool(data: Path, bundles: dict[Task, Path], cache: Path, limit: int | None = None) -> Pool:
    """Measured, or as it was kept in ``cache`` for the same bundles and shifts."""
    photos = [item for item in photo_dataset.read(data).photos if item.split == "val"][: limit or None]
    loaded = {task: bundle.load(folder, task) for task, folder in bundles.items()}
    made_of = json.dumps([_VERSION, *(loaded[task].card.sha256 for task in TASKS)]).encode()
    path = cache / f"pool-{hashlib.sha256(made_of).hexdigest()[:12]}-{len(photos)}.npz"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        measured: dict[str, Any] = _measured(photos, {task: LocalModel(each) for task, each in loaded.items()})
        np.savez_compressed(path, **measured)
    with np.load(path) as kept:
        return _pool(photos, dict(kept), all(each.card.embedding for each in loaded.values()))


def _measured(photos: Sequence[photo_dataset.LabelledPhoto], models: dict[Task, LocalModel]) -> dict[str, np.ndarray]:
    backbone = FrozenBackbone()
    ground = Image.open(_GROUND).convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    rows: dict[str, list[np.ndarray]] = {}
    for index, item in enumerate(track(photos, "measuring")):
        whole = photo.load(item.path.read_bytes(), DEFAULT_LIMITS, needed_side=_SIDE)
        small = whole.picture.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
        looks = {WEB: small}
        if item_found := cut_out(small):
            laid = Image.composite(small, ground, item_found.alpha)
            looks |= {name: shift(laid) for name, shift in SHIFTS.items()}
            rows.setdefault("chosen", []).append(np.array(index))
        for name, picture in looks.items():
            seen = type(whole)(picture, whole.sha256, _SIDE, _SIDE)
            rows.setdefault(f"{name}/features", []).append(backbone(seen).astype(np.float16))
            if name == WEB:
                continue
            rows.setdefault(f"{name}/statistics", []).append(np.array(photo_statistics.measure(seen)))
            for task, model in models.items():
                scores, own, *_ = model.answer(seen, timeout=_SECONDS)
                rows.setdefault(f"{name}/{task}/scores", []).append(np.array([scores[x] for x in LABELS[task]]))
                rows.setdefault(f"{name}/{task}/embedding", []).append(np.array(own))
    return {name: np.stack(values) for name, values in rows.items()}


def _pool(photos: Sequence[photo_dataset.LabelledPhoto], kept: dict[str, np.ndarray], own: bool) -> Pool:
    kernel, bias = embedding._components(kept[f"{WEB}/features"].astype(np.float32))
    looks = {
        name: Look(
            kept[f"{name}/statistics"][:, 0],
            kept[f"{name}/statistics"][:, 1],
            {task: kept[f"{name}/{task}/scores"] for task in TASKS},
            {
                task: kept[f"{name}/{task}/embedding"]
                if own
                else kept[f"{name}/features"].astype(np.float32) @ kernel + bias
                for task in TASKS
            },
        )
        for name in SHIFTS
    }
    photos = [photos[index] for index in kept["chosen"]]
    truth = {
        task: np.array([LABELS[task].index(item.labels[task]) if task in item.labels else -1 for item in photos])
        for task in TASKS
    }
    kinds = _kinds(looks[USUAL].embedding["waste_type"], truth["waste_type"] == LABELS["waste_type"].index("cup"))
    return Pool(truth, kinds, looks, "the bundles" if own else "the frozen backbone, as the bundles give none")


def _kinds(seen: np.ndarray, cups: np.ndarray) -> np.ndarray:
    """k-means over the cups (Lloyd 1982), begun with those farthest apart."""
    points = seen[cups]
    centres = points[:1]
    for _ in range(_CUP_KINDS - 1):
        distance = ((points[:, None] - centres[None]) ** 2).sum(axis=2).min(axis=1)
        centres = np.concatenate([centres, points[[int(np.argsort(distance)[int(0.9 * len(distance))])]]])
    for _ in range(30):
        nearest = ((points[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        centres = np.stack([points[nearest == kind].mean(axis=0) for kind in range(_CUP_KINDS)])
    kinds = np.full(len(seen), -1)
    kinds[cups] = nearest
    return kinds
