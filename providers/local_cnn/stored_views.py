"""Views of training photos as the frozen, lower part of a network sees them: computed once, kept on the disk.

The lower part is the dearer one and learns nothing, so that no view need pass it twice. The file is mapped into memory,
which therefore does not grow with the photos; a view takes 29 KB of the disk.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from providers.base import Pixels, Task
from providers.local_cnn import backbone

Floats = NDArray[np.float32]
Classes = NDArray[np.int64]
View = tuple[int, Pixels, Mapping[Task, int]]
"""The index of its photo, or NO_PHOTO; its pixels; its class for each task."""
NO_PHOTO = -1


@dataclass(frozen=True)
class Batch:
    """Views, ready to be learned from."""

    rows: Floats
    """(n, numbers): what the upper part of the network reads."""
    classes: Mapping[Task, Classes]


class StoredViews:
    """The views of a training; in the order in which they were drawn."""

    def __init__(self, path: Path) -> None:
        """Open what :func:`store` has written. Raises OSError and ValueError where it is missing or unfinished."""
        with np.load(_labels(path), allow_pickle=False) as file:
            self._photos: Classes = file[_PHOTOS]
            self._classes = {name: file[name] for name in file.files if name != _PHOTOS}
        self._rows = np.load(path, mmap_mode="r")
        self.size = len(self._photos)

    def those(self, indices: NDArray[np.int64]) -> Batch:
        """The views with these indices."""
        classes: Any = {task: found[indices] for task, found in self._classes.items()}
        return Batch(self._rows[indices].astype(np.float32), classes)

    def drawn(self, shares: NDArray[np.float64], empty: float, count: int, rng: Generator) -> NDArray[np.int64]:
        """Indices of views that are drawn at random.

        ``shares`` says how often each photo is drawn; ``empty`` is the share of the views without a photo.
        """
        has_photo = self._photos != NO_PHOTO
        views = np.bincount(self._photos[has_photo], minlength=len(shares))
        chances = np.zeros(self.size)
        chances[has_photo] = (shares / np.maximum(views, 1))[self._photos[has_photo]]
        if not has_photo.all():
            chances *= 1 - empty
            chances[~has_photo] = empty / (~has_photo).sum()
        return rng.choice(self.size, count, p=chances / chances.sum())


def store(path: Path, views: Iterable[View], count: int, look: Callable[[Floats], Floats]) -> Iterator[int]:
    """Write ``count`` views to ``path``, each as ``look`` sees it; yields how many are written. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    photos, classes = np.zeros(count, np.int64), {}
    rows = None
    for index, (photo, pixels, given) in enumerate(views):
        row = look(backbone.scaled(pixels))
        if rows is None:
            rows = np.lib.format.open_memmap(path, "w+", np.float16, (count, len(row)))
            classes = {task: np.zeros(count, np.int64) for task in given}
        rows[index] = row
        photos[index] = photo
        for task, class_ in given.items():
            classes[task][index] = class_
        yield index + 1
    if rows is not None:
        rows.flush()
    # Last: where this file is there, the other one is whole.
    with _labels(path).open("wb") as file:
        np.savez(file, allow_pickle=False, **{_PHOTOS: photos}, **classes)


_PHOTOS = "photos"


def _labels(path: Path) -> Path:
    return path.with_suffix(".labels.npz")
