"""What an untouched backbone makes of labelled photos, kept on the disk: for ``tools.compare_models``."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from providers.base import LABELS, Task
from providers.local_cnn import backbone
from providers.local_cnn.runtime import Extractor
from providers.local_cnn.training.head import Floats
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import DatasetError, LabelledPhoto, Split, Unreadable
from triof.settings.sections.photo import DEFAULT_LIMITS

Classes = NDArray[np.int64]
Features = Mapping[bytes, Floats]
"""By the SHA-256 of the photo's file."""


class FeaturePhotos:
    """The photos of ``train`` and ``val``."""

    def __init__(self, items: Sequence[LabelledPhoto], console: Console) -> None:
        self.items = items
        self._console = console
        self._digests = {item.path: hashlib.sha256(item.path.read_bytes()).digest() for item in items}

    def digest(self, item: LabelledPhoto) -> bytes:
        """The SHA-256 of its file."""
        return self._digests[item.path]

    def of(self, split: Split) -> list[LabelledPhoto]:
        """Those of one split."""
        return [item for item in self.items if item.split == split]

    def scaled(self, items: Iterable[LabelledPhoto], side: int) -> Iterator[tuple[LabelledPhoto, Floats]]:
        """Each photo as the machine decodes and resizes it, in the range that the network reads."""
        unreadable: list[Unreadable] = []
        for item, photo in photo_dataset.decode(items, DEFAULT_LIMITS, needed_side=side, unreadable=unreadable):
            yield item, backbone.scaled(photo.resized(side, side))
        for fault in unreadable:
            self._console.print(f"Skipped {fault.path}: {fault.reason}", soft_wrap=True, markup=False)

    def examples(self, task: Task, split: Split, features: Features) -> tuple[Floats, Classes]:
        """Features and classes of the photos of ``split`` that are labelled for ``task``."""
        seen = [item for item in self.of(split) if task in item.labels and self.digest(item) in features]
        classes = np.array([LABELS[task].index(item.labels[task]) for item in seen], np.int64)
        if len(set(classes)) < 2:
            raise DatasetError(f"The {split} split shows fewer than two labels of {task}: raise --limit.")
        return np.stack([features[self.digest(item)] for item in seen]), classes


class Records:
    """Features in a file, each appended as soon as it is known; half a record is cut off."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._type = np.dtype([("digest", "V32"), ("features", "<f4", (size,))])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.truncate(path, path.stat().st_size // self._type.itemsize * self._type.itemsize)
        known = np.fromfile(path, self._type)
        self.known: dict[bytes, Floats] = {each["digest"].tobytes(): each["features"] for each in known}

    def add(self, digest: bytes, features: Floats) -> None:
        """Keep those of one more photo."""
        record = np.zeros(1, self._type)
        record["digest"], record["features"] = np.void(digest), features
        with self._path.open("ab") as file:
            file.write(record.tobytes())
        self.known[digest] = features


def signature(extractor: Extractor, side: int) -> tuple[str, int]:
    """What tells one network, cut or version of LiteRT from another, by an answer; and how many features there are."""
    probe = extractor(noise(side))[0]
    return hashlib.sha256(np.round(probe, 3).tobytes()).hexdigest()[:8], len(probe)


def noise(side: int) -> Floats:
    """What a network may be asked where the answer does not matter; always the same."""
    return np.random.default_rng(0).uniform(*backbone.INPUT_RANGE, (side, side, 3)).astype(np.float32)
