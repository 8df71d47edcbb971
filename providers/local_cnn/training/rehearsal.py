"""Rehearsal data of a bundle, so that a later training does not forget (Hayes et al. 2020, REMIND).

A bundle stores a row of numbers for each of a few hundred photos: the output of the lowest blocks of its network
(:func:`.backbone.halves`). A later training freezes those blocks, so that the rows remain valid. Rows of training
photos are learned again with the new photos; rows of validation photos (``val``) measure whether the network got
worse.

Photos are not stored, as the data may not be published. A blurred likeness of a photo can be computed from its row
(Dosovitskiy and Brox 2016), so the file must be kept as confidential as the photos.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError  # noqa: N812

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from providers.base import TASKS, Task
from providers.local_cnn.bundle import Bundle, refused, rehearsal_of
from providers.local_cnn.training.familiarity import evenly
from providers.local_cnn.training.training_set import UNKNOWN, Batch, Classes, Floats

BLOCKS = 11
"""Number of blocks that compute the rows: half the numbers of any lower cut, with five blocks left to train."""
LEARNED = 192
"""Maximum number of rows for training."""
JUDGED = 256
"""Maximum number of rows for validation. With those above the file has some 7 MB."""
_RUN = 64
"""Numbers that share a scale, as those of a feature map are much larger than the averages beside them."""


@dataclass(frozen=True)
class Rows:
    """Rows of photos in 8 bits, with the photos' labels."""

    numbers: NDArray[np.int8]
    """(n, numbers)."""
    scales: NDArray[np.float16]
    """Factors of each run of numbers: (n, numbers / _RUN, rounded up)."""
    classes: Mapping[Task, Classes]
    """(n,) for every task; UNKNOWN without a label."""
    sources: Sequence[str]
    """Source of each photo; empty if unknown."""

    @classmethod
    def of(cls, rows: Floats, classes: Mapping[Task, Classes], sources: Sequence[str]) -> "Rows":
        """Quantise ``rows`` (n, numbers); ``classes`` may lack tasks."""
        runs = _in_runs(rows)
        scales = (np.abs(runs).max(axis=2) / 127).astype(np.float16)
        divisors = np.maximum(scales.astype(np.float32), np.finfo(np.float16).tiny)[:, :, None]
        rounded = np.clip(np.round(runs / divisors), -127, 127).astype(np.int8)
        unknown = np.full(len(rows), UNKNOWN, np.int64)
        by_task = {task: np.asarray(classes.get(task, unknown), np.int64) for task in TASKS}
        return cls(rounded.reshape(len(rows), -1)[:, : rows.shape[1]], scales, by_task, tuple(sources))

    def __len__(self) -> int:
        return len(self.numbers)

    def floats(self) -> Floats:
        """Return the rows as the input of the upper part of the network: (n, numbers)."""
        scaled: Floats = _in_runs(self.numbers.astype(np.float32)) * self.scales.astype(np.float32)[:, :, None]
        return scaled.reshape(len(self), -1)[:, : self.numbers.shape[1]]

    def those(self, chosen: Sequence[int] | NDArray[np.int64]) -> "Rows":
        """Return the rows at the positions ``chosen``, in that order."""
        picked = np.asarray(chosen, np.int64)
        classes = {task: classes[picked] for task, classes in self.classes.items()}
        return Rows(self.numbers[picked], self.scales[picked], classes, [self.sources[index] for index in picked])

    def drawn(self, count: int, rng: Generator) -> Batch:
        """Return ``count`` random rows; rows repeat only if there are too few."""
        turns = -(-count // len(self))
        positions = np.concatenate([rng.permutation(len(self)) for _ in range(turns)])[:count]
        chosen = self.those(positions)
        return Batch(chosen.floats(), chosen.classes)

    def beside(self, others: "Rows", most: int) -> "Rows":
        """Return at most ``most`` of these rows and ``others`` of equal length, evenly by source and labels."""
        both = Rows(
            np.concatenate([self.numbers, others.numbers]),
            np.concatenate([self.scales, others.scales]),
            {task: np.concatenate([classes, others.classes[task]]) for task, classes in self.classes.items()},
            [*self.sources, *others.sources],
        )
        return both.those(evenly(kinds(both.sources, both.classes), most))

    def elsewhere(self, sources: Collection[str]) -> "Rows":
        """Return the rows of sources not in ``sources``; all rows if there are none."""
        others = [index for index, source in enumerate(self.sources) if source not in sources]
        return self.those(others) if others else self


@dataclass(frozen=True)
class RehearsalSet:
    """The rehearsal rows of a bundle."""

    blocks: int
    """Number of blocks that computed the rows."""
    learned_side: int
    """Side in pixels of the photos of the training rows: that of the training views."""
    judged_side: int
    """Side in pixels of the photos of the validation rows: the input side of the finished model."""
    learned: Rows
    judged: Rows

    def beside(self, others: "RehearsalSet") -> "RehearsalSet":
        """Combine with ``others``, of the same blocks and photo sizes, within the limits of a bundle."""
        learned, judged = self.learned.beside(others.learned, LEARNED), self.judged.beside(others.judged, JUDGED)
        return RehearsalSet(self.blocks, self.learned_side, self.judged_side, learned, judged)

    @classmethod
    def of(cls, content: bytes) -> "RehearsalSet":
        """Read ``rehearsal.npz``. Raises the errors of NumPy and zipfile for invalid content."""
        with np.load(BytesIO(content), allow_pickle=False) as file:
            blocks, learned_side, judged_side = map(int, file["made_with"])
            return cls(blocks, learned_side, judged_side, _rows(file, "learned"), _rows(file, "judged"))

    def to_bytes(self) -> bytes:
        """Return the content of ``rehearsal.npz``."""
        arrays: dict[str, Any] = {"made_with": np.array([self.blocks, self.learned_side, self.judged_side])}
        for name, rows in (("learned", self.learned), ("judged", self.judged)):
            arrays |= {f"{name}_numbers": rows.numbers, f"{name}_scales": rows.scales}
            arrays |= {f"{name}_sources": np.array(rows.sources, np.str_)}
            arrays |= {f"{name}_{task}": classes.astype(np.int8) for task, classes in rows.classes.items()}
        file = BytesIO()
        np.savez_compressed(file, allow_pickle=False, **arrays)
        return file.getvalue()


def load(bundle: Bundle) -> RehearsalSet | None:
    """Return the rows of ``bundle``; None for one without. Raises ProviderMisconfigured if they cannot be read."""
    content = rehearsal_of(bundle)
    if content is None:
        return None
    try:
        return RehearsalSet.of(content)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, ZlibError) as error:
        raise refused(bundle.folder, f"its rehearsal.npz cannot be read ({error})") from error


def kinds(sources: Sequence[str], classes: Mapping[Task, Classes]) -> list[tuple[object, ...]]:
    """Return the source and the labels of each photo."""
    return [(source, *(int(found[index]) for found in classes.values())) for index, source in enumerate(sources)]


def _rows(file: Mapping[str, Any], name: str) -> Rows:
    classes = {task: file[f"{name}_{task}"].astype(np.int64) for task in TASKS}
    return Rows(file[f"{name}_numbers"], file[f"{name}_scales"], classes, list(map(str, file[f"{name}_sources"])))


def _in_runs(rows: Floats) -> Floats:
    """Reshape (n, numbers) to (n, runs, _RUN), padded with zeros."""
    runs = -(-rows.shape[1] // _RUN)
    padded = np.zeros((len(rows), runs * _RUN), np.float32)
    padded[:, : rows.shape[1]] = rows
    return padded.reshape(len(rows), runs, _RUN)
